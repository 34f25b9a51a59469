//! Pooling of a padded batch with candle's own operators.

use candle_core::{D, Result, Tensor};

use super::{DistinctTokens, HeadParameters, PoolingBatch};

/// Far below any sum of a convolution, and finite in f32.
const MASKED: f64 = -1e30;

/// A padded batch.
pub(super) struct PaddedBatch {
    /// `[texts, longest, d]`, zero past each text's end.
    embeddings: Tensor,
    /// 1 for a token, 0 for padding: `[texts, longest]`.
    mask: Tensor,
}

impl PaddedBatch {
    pub(super) fn new(rows: &Tensor, tokens: &DistinctTokens) -> Result<Self> {
        let longest = tokens.spans().map(|span| span.len()).max().unwrap_or(0);
        let shape = (tokens.texts(), longest);
        let mut local = vec![0u32; tokens.texts() * longest];
        let mut mask = vec![0f32; local.len()];
        for (text, span) in tokens.spans().enumerate() {
            let at = text * longest;
            local[at..at + span.len()].copy_from_slice(&tokens.local()[span.clone()]);
            mask[at..at + span.len()].fill(1.0);
        }
        let mask = Tensor::from_vec(mask, shape, rows.device())?.to_dtype(rows.dtype())?;
        let local = Tensor::from_vec(local, tokens.texts() * longest, rows.device())?;
        let embeddings = rows.index_select(&local, 0)?.reshape((shape.0, shape.1, rows.dim(1)?))?;
        Ok(Self { embeddings: embeddings.broadcast_mul(&mask.unsqueeze(2)?)?, mask })
    }

    /// "Same" convolution, `[texts, filters, longest]`: each position's window laid side by side, then one product.
    /// candle's own `conv1d` is slower, and its gradient of the weights is wrong in 0.11.
    fn convolve(&self, kernel: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let (filters, d, width) = kernel.dims3()?;
        let longest = self.embeddings.dim(1)?;
        let wide = self.embeddings.pad_with_zeros(1, width / 2, width / 2)?;
        let taps = (0..width).map(|tap| wide.narrow(1, tap, longest)).collect::<Result<Vec<_>>>()?;
        let windows = Tensor::cat(&taps, 2)?; // [texts, longest, width · d]
        let kernel = kernel.permute((2, 1, 0))?.reshape((width * d, filters))?;
        windows.broadcast_matmul(&kernel)?.broadcast_add(bias)?.transpose(1, 2)
    }

    /// 0 for a token and far below every sum for padding: `[texts, 1, longest]`.
    fn penalty(&self) -> Result<Tensor> {
        self.mask.affine(-MASKED, MASKED)?.unsqueeze(1)
    }
}

impl PoolingBatch for PaddedBatch {
    fn max_pool(&self, kernel: &Tensor, bias: &Tensor) -> Result<Tensor> {
        maximum(&self.convolve(kernel, bias)?.broadcast_add(&self.penalty()?)?)?.relu()
    }

    fn attend(&self, heads: &HeadParameters) -> Result<Tensor> {
        let texts = self.mask.dim(0)?;
        let features = self.convolve(heads.kernel, heads.kernel_bias)?.relu()?.contiguous()?;
        // [texts, filters, longest] → scores [texts, heads, longest]
        let scores = heads.score.broadcast_left(texts)?.matmul(&features)?;
        let scores = scores.broadcast_add(&heads.score_bias.reshape((1, (), 1))?)?.broadcast_add(&self.penalty()?)?;
        let shares = candle_nn::ops::softmax(&scores, D::Minus1)?;
        let Some(weight) = heads.values else {
            // [texts, heads, longest] × [texts, longest, d] → [texts, heads · d]
            return shares.matmul(&self.embeddings)?.flatten_from(1);
        };
        // [texts, heads, 1, longest] × [texts, heads, longest, width] → [texts, heads · width]
        let count = heads.score.dim(0)?;
        let values = self.embeddings.broadcast_matmul(&weight.t()?)?;
        let values = values.reshape((texts, (), count, weight.dim(0)? / count))?.transpose(1, 2)?.contiguous()?;
        shares.unsqueeze(2)?.matmul(&values)?.flatten_from(1)
    }

    fn mean(&self) -> Result<Tensor> {
        self.embeddings.sum(1)?.broadcast_div(&self.mask.sum_keepdim(1)?)
    }
}

/// The maximum along the last dimension. Of equal values the first gets the gradient, as in PyTorch; candle's own `max`
/// gives the gradient to all of them.
fn maximum(x: &Tensor) -> Result<Tensor> {
    let x = x.contiguous()?;
    x.gather(&x.detach().argmax_keepdim(D::Minus1)?, D::Minus1)?.squeeze(D::Minus1)
}
