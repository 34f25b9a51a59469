//! The poolers (`max` left out) over states that lie side by side, forwards and backwards.

use super::attention::Heads;
use super::linear::Linear;
use super::number::Real;
use super::parameters::Gradients;
use crate::Pooler;

/// A pooler, the texts that it pools, and the head.
pub(super) struct Pooling<'a, T> {
    pub pooler: Pooler,
    pub texts: Heads<'a>,
    /// How many layers there are; the embeddings are state 0, the last layer's output is state `layers`.
    pub layers: usize,
    /// A dense layer that the pooled states go through, followed by tanh.
    pub head: Option<Linear<'a, T>>,
}

/// The values of a forward pass that the backward pass needs: the pooled states, and the head's output.
pub(super) struct PoolingTape<T> {
    before_head: Vec<T>,
    after_head: Option<Vec<T>>,
}

impl<T: Real> PoolingTape<T> {
    /// The vectors, `[texts, H]`.
    pub(super) fn vectors(&self) -> &[T] {
        self.after_head.as_ref().unwrap_or(&self.before_head)
    }

    /// The vectors alone.
    pub(super) fn into_vectors(self) -> Vec<T> {
        self.after_head.unwrap_or(self.before_head)
    }
}

impl<T: Real> Pooling<'_, T> {
    /// The states that the pooler reads, each with its weight.
    fn sources(&self) -> Vec<(usize, f64)> {
        match self.pooler {
            Pooler::FirstLast => vec![(0, 0.5), (self.layers, 0.5)],
            Pooler::LastTwo => vec![(self.layers - 1, 0.5), (self.layers, 0.5)],
            _ => vec![(self.layers, 1.0)],
        }
    }

    /// Calls `each` with text, token and weight for every token whose state `state` is part of its text's vector.
    fn each_token(&self, state: usize, mut each: impl FnMut(usize, usize, T)) {
        for (_, factor) in self.sources().into_iter().filter(|(source, _)| *source == state) {
            for (text, ends) in self.texts.offsets.windows(2).enumerate() {
                let (start, end) = (ends[0], ends[1]);
                let count = (end - start).max(1) as f64;
                let (tokens, share) = match self.pooler {
                    Pooler::Cls | Pooler::ClsBeforePooler => (start..end.min(start + 1), 1.0),
                    Pooler::LastToken => (end.saturating_sub(1).max(start)..end, 1.0),
                    Pooler::MeanSqrtLen => (start..end, 1.0 / count.sqrt()),
                    Pooler::WeightedMean => (start..end, 2.0 / (count * (count + 1.0))),
                    _ => (start..end, 1.0 / count),
                };
                for token in tokens {
                    let place = if self.pooler == Pooler::WeightedMean { (token - start + 1) as f64 } else { 1.0 };
                    each(text, token, T::from_f64(share * factor * place));
                }
            }
        }
    }

    /// The states (`[tokens, H]` each) → `[texts, H]`.
    pub(super) fn forward(&self, states: &[Vec<T>]) -> PoolingTape<T> {
        let width = self.texts.width;
        let mut pooled = vec![T::zero(); (self.texts.offsets.len() - 1) * width];
        for (state, _) in self.sources() {
            self.each_token(state, |text, token, weight| {
                add_row(row(&mut pooled, text, width), &states[state][token * width..(token + 1) * width], weight);
            });
        }
        let after_head = self.head.map(|head| {
            let mut output = head.forward(&pooled);
            output.iter_mut().for_each(|x| *x = x.tanh());
            output
        });
        PoolingTape { before_head: pooled, after_head }
    }

    /// The gradient of the pooled states from that of the vectors, both `[texts, H]`; those of the head's parameters
    /// are added to `gradients`.
    pub(super) fn backward(&self, tape: &PoolingTape<T>, gradient: &[T], gradients: &mut Gradients<T>) -> Vec<T> {
        match (&tape.after_head, self.head) {
            (Some(output), Some(head)) => {
                let inside: Vec<T> = output.iter().zip(gradient).map(|(&y, &g)| g * (T::one() - y * y)).collect();
                head.backward(&tape.before_head, &inside, gradients.module("pooler.dense"))
            }
            _ => gradient.to_vec(),
        }
    }

    /// Adds the gradient of the state `state` to `to` (`[tokens, H]`), from that of the pooled states.
    pub(super) fn add_state_gradient(&self, state: usize, gradient: &[T], to: &mut [T]) {
        let width = self.texts.width;
        self.each_token(state, |text, token, weight| {
            add_row(row(to, token, width), &gradient[text * width..(text + 1) * width], weight);
        });
    }
}

fn row<T>(rows: &mut [T], at: usize, width: usize) -> &mut [T] {
    &mut rows[at * width..(at + 1) * width]
}

/// `to += weight · from`
fn add_row<T: Real>(to: &mut [T], from: &[T], weight: T) {
    to.iter_mut().zip(from).for_each(|(to, &x)| *to += weight * x);
}
