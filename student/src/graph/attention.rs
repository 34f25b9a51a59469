//! Attention heads over token embeddings: `attended_h = Σ_i softmax_i(score_h(i)) · V_h[token(i)]`, and the plain mean.
//!
//! Either all heads share the values `V_h = E`, or each head has values of its own; then a row of `V` holds the values
//! of all heads, one head after another.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, WithDType, bail};
use limbeck_training::by_type;
use limbeck_training::optimiser::Number;
use rayon::prelude::*;

use super::DistinctTokens;
use super::op::{TableOperation, add, add_scaled, by_blocks, by_span, dot, values, with_values};

/// How the values of the heads lie in a row of `V`.
#[derive(Clone, Copy)]
pub(super) struct HeadLayout {
    pub heads: usize,
    /// The width of the values that one head attends to.
    pub d: usize,
    /// The width of a row.
    pub stride: usize,
}

impl HeadLayout {
    /// Where the values of `head` lie in a row.
    fn place(self, head: usize) -> Range<usize> {
        let start = head * self.d % self.stride; // 0 for all heads where they share the values
        start..start + self.d
    }
}

/// `V` (`[distinct, d]`, or `[distinct, heads · d]` with values of their own) and scores (`[positions, heads]`) to
/// `[texts, heads · d]`, head-major.
pub(super) struct Attend {
    tokens: Arc<DistinctTokens>,
    layout: HeadLayout,
    /// Softmax weights of the forward pass, `[positions, heads]`, as f32 or f64.
    weights: OnceLock<CpuStorage>,
}

impl Attend {
    /// The operation for one batch.
    pub(super) fn new(tokens: Arc<DistinctTokens>, layout: HeadLayout) -> Self {
        Self { tokens, layout, weights: OnceLock::new() }
    }

    /// Softmax over each text's positions; each head is a column.
    fn softmax<T: Number>(&self, scores: &[T]) -> Vec<T> {
        let heads = self.layout.heads;
        let mut weights = scores.to_vec();
        by_span(&mut weights, self.tokens.spans(), heads).into_par_iter().for_each(|(_, rows)| {
            for head in 0..heads {
                let greatest =
                    rows[head..].iter().step_by(heads).fold(T::neg_infinity(), |a, &b| num_traits::Float::max(a, b));
                let mut total = T::zero();
                for weight in rows[head..].iter_mut().step_by(heads) {
                    *weight = num_traits::Float::exp(*weight - greatest);
                    total += *weight;
                }
                rows[head..].iter_mut().step_by(heads).for_each(|weight| *weight /= total);
            }
        });
        weights
    }

    fn forward<T: Number>(&self, embeddings: &[T], weights: &[T]) -> Vec<T> {
        let HeadLayout { heads, d, stride } = self.layout;
        let mut output = vec![T::zero(); self.tokens.texts() * heads * d];
        output.par_chunks_mut(heads * d).enumerate().for_each(|(text, attended)| {
            by_blocks(self.tokens.span(text), attended, |position, attended| {
                let row = &embeddings[self.tokens.local()[position] as usize * stride..];
                let weights = &weights[position * heads..(position + 1) * heads];
                for (head, (attended, &weight)) in attended.chunks_exact_mut(d).zip(weights).enumerate() {
                    add_scaled(attended, weight, &row[self.layout.place(head)]);
                }
            });
        });
        output
    }

    /// The gradients of the embeddings and of the scores.
    fn backward<T: Number>(&self, embeddings: &[T], weights: &[T], gradient: &[T]) -> (Vec<T>, Vec<T>) {
        let HeadLayout { heads, d, stride } = self.layout;
        let mut scores = vec![T::zero(); self.tokens.local().len() * heads];
        by_span(&mut scores, self.tokens.spans(), heads).into_par_iter().enumerate().for_each(
            |(text, (span, rows))| {
                let gradient = &gradient[text * heads * d..(text + 1) * heads * d];
                let weights = &weights[span.start * heads..span.end * heads];
                let mut mean = vec![T::zero(); heads];
                for (at, position) in span.enumerate() {
                    let row = &embeddings[self.tokens.local()[position] as usize * stride..];
                    for head in 0..heads {
                        let slope = dot(&gradient[head * d..(head + 1) * d], &row[self.layout.place(head)]);
                        rows[at * heads + head] = slope;
                        mean[head] += weights[at * heads + head] * slope;
                    }
                }
                for (row, weights) in rows.chunks_exact_mut(heads).zip(weights.chunks_exact(heads)) {
                    for head in 0..heads {
                        row[head] = weights[head] * (row[head] - mean[head]);
                    }
                }
            },
        );
        let mut rows = vec![T::zero(); embeddings.len()];
        rows.par_chunks_mut(stride).enumerate().for_each(|(token, sum)| {
            for &position in self.tokens.positions_of(token) {
                let text = self.tokens.text_of(position as usize);
                for head in 0..heads {
                    let from = (text * heads + head) * d;
                    let sum = &mut sum[self.layout.place(head)];
                    add_scaled(sum, weights[position as usize * heads + head], &gradient[from..from + d]);
                }
            }
        });
        (rows, scores)
    }
}

impl CustomOp2 for Attend {
    fn name(&self) -> &'static str {
        "attend"
    }

    fn cpu_fwd(
        &self,
        embeddings: &CpuStorage,
        embeddings_layout: &Layout,
        scores: &CpuStorage,
        scores_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        by_type!(embeddings.dtype(), T => {
            let weights = self.softmax(values::<T>(scores, scores_layout)?);
            let output = self.forward(values::<T>(embeddings, embeddings_layout)?, &weights);
            let _ = self.weights.set(T::to_cpu_storage_owned(weights));
            Ok((T::to_cpu_storage_owned(output), (self.tokens.texts(), self.layout.heads * self.layout.d).into()))
        })
    }

    fn bwd(
        &self,
        embeddings: &Tensor,
        scores: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Some(weights) = self.weights.get() else { bail!("backward before forward") };
        by_type!(embeddings.dtype(), T => {
            let weights = weights.as_slice::<T>()?;
            let (rows, slopes) = with_values::<T, _>(embeddings, |embeddings| {
                with_values::<T, _>(gradient, |gradient| Ok(self.backward(embeddings, weights, gradient)))
            })?;
            let rows = Tensor::from_vec(rows, embeddings.shape(), embeddings.device())?;
            Ok((Some(rows), Some(Tensor::from_vec(slopes, scores.shape(), scores.device())?)))
        })
    }
}

/// `E` (`[distinct, d]`) to the mean embedding of each text, `[texts, d]`.
pub(super) struct MeanEmbedding {
    pub tokens: Arc<DistinctTokens>,
}

impl MeanEmbedding {
    fn share<T: Number>(&self, text: usize) -> T {
        T::one() / <T as WithDType>::from_f64(self.tokens.span(text).len() as f64)
    }
}

impl TableOperation for MeanEmbedding {
    const NAME: &'static str = "mean-embedding";

    fn shape(&self, d: usize) -> (usize, usize) {
        (self.tokens.texts(), d)
    }

    fn forward<T: Number>(&self, embeddings: &[T], d: usize) -> Vec<T> {
        let mut output = vec![T::zero(); self.tokens.texts() * d];
        output.par_chunks_mut(d).enumerate().for_each(|(text, mean)| {
            by_blocks(self.tokens.span(text), mean, |position, mean| {
                let row = self.tokens.local()[position] as usize * d;
                add(mean, &embeddings[row..row + d]);
            });
            let share = self.share::<T>(text);
            mean.iter_mut().for_each(|x| *x *= share);
        });
        output
    }

    fn backward<T: Number>(&self, gradient: &[T], d: usize) -> Result<Vec<T>> {
        let mut rows = vec![T::zero(); self.tokens.tokens().len() * d];
        rows.par_chunks_mut(d).enumerate().for_each(|(token, sum)| {
            for &position in self.tokens.positions_of(token) {
                let text = self.tokens.text_of(position as usize);
                add_scaled(sum, self.share(text), &gradient[text * d..(text + 1) * d]);
            }
        });
        Ok(rows)
    }
}
