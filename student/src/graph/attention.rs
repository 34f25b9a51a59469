//! Attention heads over token embeddings: `attended_h = Σ_i softmax_i(score_h(i)) · V_h[token(i)]`, and the plain mean.
//!
//! Either all heads share the values `V_h = E`, or each head has values of its own; then a row of `V` holds the values
//! of all heads, one head after another.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use limbeck_training::by_type;
use limbeck_training::optimiser::Number;
use rayon::prelude::*;

use super::DistinctTokens;
use super::op::{add, add_scaled, by_blocks, by_span, dot, storage_type, values, with_values};

/// Whose values a head attends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadValues {
    /// All heads attend to the same values.
    Shared,
    /// Each head attends to values of its own.
    Own,
}

/// How the values of the heads lie in a row of `V`.
#[derive(Clone, Copy)]
struct HeadLayout {
    heads: usize,
    /// The width of the values that one head attends to.
    d: usize,
    /// The width of a row.
    stride: usize,
}

impl HeadLayout {
    /// Where the values of `head` lie in a row.
    fn place(self, head: usize) -> Range<usize> {
        let at = if self.stride == self.d { 0 } else { head * self.d };
        at..at + self.d
    }
}

/// `V` (`[distinct, d]`, or `[distinct, heads · d]` with values of their own) and scores (`[positions, heads]`) to
/// `[texts, heads · d]`, head-major.
pub(super) struct Attend {
    tokens: Arc<DistinctTokens>,
    values: HeadValues,
    /// Softmax weights of the forward pass, `[positions, heads]`, as f32 or f64.
    weights: OnceLock<CpuStorage>,
}

impl Attend {
    /// The operation for one batch.
    pub(super) fn new(tokens: Arc<DistinctTokens>, values: HeadValues) -> Self {
        Self { tokens, values, weights: OnceLock::new() }
    }

    fn layout(&self, stride: usize, heads: usize) -> HeadLayout {
        let d = if self.values == HeadValues::Own { stride / heads } else { stride };
        HeadLayout { heads, d, stride }
    }

    /// Softmax over each text's positions; each head is a column.
    fn softmax<T: Number>(&self, scores: &[T], heads: usize) -> Vec<T> {
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

    fn forward<T: Number>(&self, embeddings: &[T], weights: &[T], layout: HeadLayout) -> Vec<T> {
        let HeadLayout { heads, d, stride } = layout;
        let mut output = vec![T::zero(); self.tokens.texts() * heads * d];
        output.par_chunks_mut(heads * d).enumerate().for_each(|(text, attended)| {
            by_blocks(self.tokens.span(text), attended, |position, attended| {
                let row = &embeddings[self.tokens.local()[position] as usize * stride..];
                let weights = &weights[position * heads..(position + 1) * heads];
                for (head, (attended, &weight)) in attended.chunks_exact_mut(d).zip(weights).enumerate() {
                    add_scaled(attended, weight, &row[layout.place(head)]);
                }
            });
        });
        output
    }

    /// The gradients of the embeddings and of the scores.
    fn backward<T: Number>(
        &self,
        embeddings: &[T],
        weights: &[T],
        gradient: &[T],
        layout: HeadLayout,
    ) -> (Vec<T>, Vec<T>) {
        let HeadLayout { heads, d, stride } = layout;
        let mut scores = vec![T::zero(); self.tokens.positions() * heads];
        by_span(&mut scores, self.tokens.spans(), heads).into_par_iter().enumerate().for_each(
            |(text, (span, rows))| {
                let gradient = &gradient[text * heads * d..(text + 1) * heads * d];
                let weights = &weights[span.start * heads..span.end * heads];
                let mut mean = vec![T::zero(); heads];
                for (at, position) in span.enumerate() {
                    let row = &embeddings[self.tokens.local()[position] as usize * stride..];
                    for head in 0..heads {
                        let slope = dot(&gradient[head * d..(head + 1) * d], &row[layout.place(head)]);
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
                    let sum = &mut sum[layout.place(head)];
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
        let layout = self.layout(embeddings_layout.shape().dims2()?.1, scores_layout.shape().dims2()?.1);
        by_type!(storage_type(embeddings), T => {
            let weights = self.softmax(values::<T>(scores, scores_layout)?, layout.heads);
            let output = self.forward(values::<T>(embeddings, embeddings_layout)?, &weights, layout);
            let _ = self.weights.set(candle_core::WithDType::to_cpu_storage_owned(weights));
            let shape = (self.tokens.texts(), layout.heads * layout.d).into();
            Ok((candle_core::WithDType::to_cpu_storage_owned(output), shape))
        })
    }

    fn bwd(
        &self,
        embeddings: &Tensor,
        scores: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let layout = self.layout(embeddings.dim(1)?, scores.dim(1)?);
        let Some(weights) = self.weights.get() else { bail!("backward before forward") };
        by_type!(embeddings.dtype(), T => {
            let weights = weights.as_slice::<T>()?;
            let (rows, slopes) = with_values::<T, _>(embeddings, |embeddings| {
                with_values::<T, _>(gradient, |gradient| {
                    Ok(self.backward(embeddings, weights, gradient, layout))
                })
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
        T::one() / <T as candle_core::WithDType>::from_f64(self.tokens.span(text).len() as f64)
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

    fn backward<T: Number>(&self, gradient: &[T], d: usize) -> Vec<T> {
        let mut rows = vec![T::zero(); self.tokens.tokens().len() * d];
        rows.par_chunks_mut(d).enumerate().for_each(|(token, sum)| {
            for &position in self.tokens.positions_of(token) {
                let text = self.tokens.text_of(position as usize);
                add_scaled(sum, self.share(text), &gradient[text * d..(text + 1) * d]);
            }
        });
        rows
    }
}

impl CustomOp1 for MeanEmbedding {
    fn name(&self) -> &'static str {
        "mean-embedding"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let d = layout.shape().dims2()?.1;
        by_type!(storage_type(storage), T => {
            let output = self.forward(values::<T>(storage, layout)?, d);
            Ok((candle_core::WithDType::to_cpu_storage_owned(output), (self.tokens.texts(), d).into()))
        })
    }

    fn bwd(&self, embeddings: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let d = embeddings.dim(1)?;
        by_type!(embeddings.dtype(), T => {
            let rows = with_values::<T, _>(gradient, |gradient| Ok(self.backward(gradient, d)))?;
            Tensor::from_vec(rows, embeddings.shape(), embeddings.device()).map(Some)
        })
    }
}
