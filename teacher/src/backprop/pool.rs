//! The five poolers over states that lie side by side, forwards and backwards.

use super::attention::Heads;
use super::linear::Linear;
use super::matrix::Matrix;
use super::number::Real;
use super::parameters::Gradients;
use crate::Pooler;

/// Which states a pooler reads, and how much of each; the embeddings are state 0.
fn sources(pooler: Pooler, layers: usize) -> Vec<(usize, f64)> {
    match pooler {
        Pooler::Cls | Pooler::ClsBeforePooler | Pooler::Mean => vec![(layers, 1.0)],
        Pooler::FirstLast => vec![(0, 0.5), (layers, 0.5)],
        Pooler::LastTwo => vec![(layers - 1, 0.5), (layers, 0.5)],
    }
}

/// A text's vector as a sum of token states: which, of each state, with which share.
fn tokens(pooler: Pooler, start: usize, end: usize) -> (std::ops::Range<usize>, f64) {
    match pooler {
        Pooler::Cls | Pooler::ClsBeforePooler => (start..end.min(start + 1), 1.0),
        _ => (start..end, 1.0 / (end - start).max(1) as f64),
    }
}

/// What the backward pass needs of the forward one: the pooled states, and what the head made of them.
pub struct Pooled<T> {
    before_head: Vec<T>,
    after_head: Option<Vec<T>>,
}

impl<T: Real> Pooled<T> {
    /// The vectors, `[texts, H]`.
    pub fn vectors(&self) -> &[T] {
        self.after_head.as_ref().unwrap_or(&self.before_head)
    }

    /// The vectors alone.
    pub fn into_vectors(self) -> Vec<T> {
        self.after_head.unwrap_or(self.before_head)
    }
}

/// The states (`[tokens, H]` each) → `[texts, H]`, through `head` and tanh where it is given.
pub fn forward<T: Real>(pooler: Pooler, states: &[Vec<T>], texts: &Heads, head: Option<Linear<T>>) -> Pooled<T> {
    let (width, offsets) = (texts.width, texts.offsets);
    let mut pooled = vec![T::zero(); (offsets.len() - 1) * width];
    for (state, factor) in sources(pooler, states.len() - 1) {
        for (to, pair) in pooled.chunks_exact_mut(width).zip(offsets.windows(2)) {
            let (tokens, share) = tokens(pooler, pair[0], pair[1]);
            let share = T::number(share * factor);
            for token in tokens {
                let from = &states[state][token * width..(token + 1) * width];
                to.iter_mut().zip(from).for_each(|(to, &x)| *to += share * x);
            }
        }
    }
    let after_head = head.map(|head| {
        let mut output = head.forward(&pooled);
        output.iter_mut().for_each(|x| *x = x.tanh());
        output
    });
    Pooled { before_head: pooled, after_head }
}

/// What the vectors' gradient is to the states that the pooler reads.
pub struct Read<'a, T> {
    pooler: Pooler,
    sources: Vec<(usize, f64)>,
    offsets: &'a [usize],
    /// The gradient of the pooled states, `[texts, H]`.
    gradient: Vec<T>,
    width: usize,
}

/// The gradients of the states that the pooler reads, from that of the vectors; those of the head's parameters are added to
/// `gradients`.
pub fn backward<'a, T: Real>(
    pooler: Pooler,
    pooled: &Pooled<T>,
    gradient: &[T],
    texts: &Heads<'a>,
    layers: usize,
    head: Option<Linear<T>>,
    gradients: &mut Gradients<T>,
) -> Read<'a, T> {
    let gradient = match (&pooled.after_head, head) {
        (Some(output), Some(head)) => {
            let inside: Vec<T> = output.iter().zip(gradient).map(|(&y, &g)| g * (T::one() - y * y)).collect();
            head.backward(&pooled.before_head, &inside, gradients.of("pooler.dense"));
            let mut to = vec![T::zero(); inside.len()];
            head.input_gradient(Matrix::dense(&inside, texts.width), &mut to);
            to
        }
        _ => gradient.to_vec(),
    };
    Read { pooler, sources: sources(pooler, layers), offsets: texts.offsets, gradient, width: texts.width }
}

impl<T: Real> Read<'_, T> {
    /// Adds the gradient of the state `state`, where the pooler reads it, to `to` (`[tokens, H]`).
    pub fn add_to(&self, state: usize, to: &mut [T]) {
        for &(_, factor) in self.sources.iter().filter(|(source, _)| *source == state) {
            for (from, pair) in self.gradient.chunks_exact(self.width).zip(self.offsets.windows(2)) {
                let (tokens, share) = tokens(self.pooler, pair[0], pair[1]);
                let share = T::number(share * factor);
                for token in tokens {
                    let to = &mut to[token * self.width..(token + 1) * self.width];
                    to.iter_mut().zip(from).for_each(|(to, &x)| *to += share * x);
                }
            }
        }
    }
}
