//! Pooling over distinct tokens, without padding.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::attention::{Attend, HeadLayout, MeanEmbedding};
use super::convolution::{Convolve, ConvolveMax};
use super::op::TableOp;
use super::{DistinctTokens, HeadParameters, PoolingBatch};

/// `U = E·W`: `rows` `[distinct, d]` and `kernel` `[filters, d, width]` to `[distinct, width · filters]`, tap-major.
fn fold(rows: &Tensor, kernel: &Tensor) -> Result<Tensor> {
    let (filters, d, width) = kernel.dims3()?;
    let taps = kernel.permute((1, 2, 0))?.reshape((d, width * filters))?;
    rows.matmul(&taps)
}

/// A batch as its distinct tokens and their embeddings.
pub(super) struct RaggedBatch<'a> {
    /// `[distinct, d]`
    pub rows: &'a Tensor,
    pub tokens: &'a Arc<DistinctTokens>,
}

impl PoolingBatch for RaggedBatch<'_> {
    fn max_pool(&self, kernel: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let table = fold(self.rows, kernel)?;
        let maxima = table.apply_op1(TableOp(ConvolveMax::new(self.tokens.clone(), kernel.dim(2)?)))?;
        maxima.broadcast_add(bias)?.relu()
    }

    fn attend(&self, heads: &HeadParameters) -> Result<Tensor> {
        let count = heads.score.dim(0)?;
        let (values, d) = match heads.values {
            Some(weight) => (self.rows.matmul(&weight.t()?)?, weight.dim(0)? / count),
            None => (self.rows.clone(), self.rows.dim(1)?),
        };
        let layout = HeadLayout { heads: count, d, stride: values.dim(1)? };
        let convolve = Convolve { tokens: self.tokens.clone(), width: heads.kernel.dim(2)? };
        let sums = fold(self.rows, heads.kernel)?.apply_op1(TableOp(convolve))?;
        let features = sums.broadcast_add(heads.kernel_bias)?.relu()?;
        let scores = features.matmul(&heads.score.t()?)?.broadcast_add(heads.score_bias)?;
        values.apply_op2(&scores, Attend::new(self.tokens.clone(), layout))
    }

    fn mean(&self) -> Result<Tensor> {
        self.rows.apply_op1(TableOp(MeanEmbedding { tokens: self.tokens.clone() }))
    }
}
