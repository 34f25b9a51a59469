//! The TextCNN's pooling, by two backends that give the same vectors.
//!
//! ```text
//! tokens ─► E[distinct] ─┬─ convolve, max over positions, relu ──────────────► max-pooled  [texts, filters]
//!                        ├─ convolve, relu, score, softmax over positions ──► attended    [texts, heads · d]
//!                        └─ mean over positions ─────────────────────────────► mean        [texts, d]
//! ```
//!
//! [`Backend::Ragged`] computes whatever depends on a token alone once for each distinct token of the batch, with
//! operators of this crate that run on the CPU. [`Backend::Padded`] pads the batch and uses candle's own operators: it
//! runs on GPUs, and the tests compare the ragged backend with it.

mod attention;
mod convolution;
mod distinct;
mod op;
mod padded;
mod ragged;

pub use distinct::DistinctTokens;

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

use self::padded::PaddedBatch;
use self::ragged::RaggedBatch;
use crate::config::StudentConfig;
use crate::dense::DenseParameters;
use crate::error::Error;

/// Which operators pool a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Operators of this crate over distinct tokens, without padding; CPU only.
    Ragged,
    /// candle's operators over padded batches; any device.
    Padded,
}

impl Backend {
    /// The faster backend that `device` can run.
    pub fn of(device: &Device) -> Self {
        if device.is_cpu() { Self::Ragged } else { Self::Padded }
    }
}

/// The features of each text, before the linear maps to the output.
pub struct PooledTexts {
    /// `[texts, filters of all widths]`
    pub max_pooled: Option<Tensor>,
    /// `[texts, heads · d]`, head-major; where heads have values of their own, d is the values' width
    pub attended: Option<Tensor>,
    /// `[texts, d]`
    pub mean: Option<Tensor>,
}

/// The parameters of the attention heads, but for the linear map to the output.
struct HeadParameters<'a> {
    /// `[filters, d, width]`
    kernel: &'a Tensor,
    /// `[filters]`
    kernel_bias: &'a Tensor,
    /// `[heads, filters]`
    score: &'a Tensor,
    /// `[heads]`
    score_bias: &'a Tensor,
    /// `[heads · width, d]`, where heads have values of their own.
    values: Option<&'a Tensor>,
}

/// One batch on a backend.
trait PoolingBatch {
    /// The maximum of each filter over a text's positions, not below 0: `[texts, filters]`.
    fn max_pool(&self, kernel: &Tensor, bias: &Tensor) -> Result<Tensor>;
    /// `[texts, heads · d]`.
    fn attend(&self, heads: &HeadParameters) -> Result<Tensor>;
    /// `[texts, d]`.
    fn mean(&self) -> Result<Tensor>;
}

/// Pools the texts of `tokens`, whose distinct tokens have the embeddings `rows` (`[distinct, d]`).
pub fn pool(
    backend: Backend,
    config: &StudentConfig,
    dense: &DenseParameters,
    rows: &Tensor,
    tokens: &Arc<DistinctTokens>,
) -> crate::Result<PooledTexts> {
    let pooled = match backend {
        Backend::Ragged => pool_batch(&RaggedBatch { rows, tokens }, config, dense),
        Backend::Padded => PaddedBatch::new(rows, tokens).and_then(|batch| pool_batch(&batch, config, dense)),
    };
    pooled.map_err(Error::tensor("pooling a batch"))
}

fn pool_batch(batch: &impl PoolingBatch, config: &StudentConfig, dense: &DenseParameters) -> Result<PooledTexts> {
    let bank = |width: usize| -> Result<Tensor> {
        batch.max_pool(dense.get(&format!("conv{width}.weight"))?, dense.get(&format!("conv{width}.bias"))?)
    };
    let max_pooled = || -> Result<Tensor> {
        let banks = config.convolutions.iter().map(|convolution| bank(convolution.width));
        Tensor::cat(&banks.collect::<Result<Vec<_>>>()?, 1)
    };
    let attended = || -> Result<Tensor> {
        batch.attend(&HeadParameters {
            kernel: dense.get("score_conv.weight")?,
            kernel_bias: dense.get("score_conv.bias")?,
            score: dense.get("score.weight")?,
            score_bias: dense.get("score.bias")?,
            values: config.own_values().map(|_| dense.get("value.weight")).transpose()?,
        })
    };
    Ok(PooledTexts {
        max_pooled: (!config.convolutions.is_empty()).then(max_pooled).transpose()?,
        attended: config.attention.is_some().then(attended).transpose()?,
        mean: config.skip.then(|| batch.mean()).transpose()?,
    })
}
