use candle_core::{D, DType, Device, Tensor};

use super::{DistinctTokens, Pooled};
use crate::config::StudentConfig;
use crate::error::{During, Error, Result};
use crate::model::Dense;

/// Far below any sum of a convolution, and finite in f32.
const MASKED: f64 = -1e30;

/// A padded batch: embeddings `[texts, longest, d]` that are zero past each text's end, and the mask `[texts, longest]`.
struct Padded {
    embeddings: Tensor,
    mask: Tensor,
}

fn padded(rows: &Tensor, tokens: &DistinctTokens) -> candle_core::Result<Padded> {
    let longest = tokens.spans().map(|span| span.len()).max().unwrap_or(0);
    let shape = (tokens.texts(), longest);
    let mut local = vec![0u32; tokens.texts() * longest];
    let mut mask = vec![0f32; local.len()];
    for (text, span) in tokens.spans().enumerate() {
        let at = text * longest;
        local[at..at + span.len()].copy_from_slice(&tokens.local()[span.clone()]);
        mask[at..at + span.len()].fill(1.0);
    }
    let device: &Device = rows.device();
    let mask = Tensor::from_vec(mask, shape, device)?.to_dtype(rows.dtype())?;
    let local = Tensor::from_vec(local, tokens.texts() * longest, device)?;
    let embeddings = rows.index_select(&local, 0)?.reshape((shape.0, shape.1, rows.dim(1)?))?;
    Ok(Padded { embeddings: embeddings.broadcast_mul(&mask.unsqueeze(2)?)?, mask })
}

/// "Same" convolution, `[texts, filters, longest]`: each position's window laid side by side, then one product. candle's own
/// `conv1d` is slower, and its gradient of the weights is wrong in 0.11.
fn convolve(batch: &Padded, weight: &Tensor, bias: &Tensor) -> candle_core::Result<Tensor> {
    let (filters, d, width) = weight.dims3()?;
    let longest = batch.embeddings.dim(1)?;
    let wide = batch.embeddings.pad_with_zeros(1, width / 2, width / 2)?;
    let taps = (0..width).map(|tap| wide.narrow(1, tap, longest)).collect::<candle_core::Result<Vec<_>>>()?;
    let windows = Tensor::cat(&taps, 2)?; // [texts, longest, width · d]
    let weight = weight.permute((2, 1, 0))?.reshape((width * d, filters))?;
    windows.broadcast_matmul(&weight)?.broadcast_add(bias)?.transpose(1, 2)
}

/// The greatest value along the last dimension. Of equal ones the first gets the gradient, as in PyTorch; candle's own
/// `max` gives it to all of them.
fn greatest(x: &Tensor) -> candle_core::Result<Tensor> {
    let x = x.contiguous()?;
    x.gather(&x.detach().argmax_keepdim(D::Minus1)?, D::Minus1)?.squeeze(D::Minus1)
}

/// 0 inside a text and far below everything past its end: `[texts, 1, longest]`.
fn penalty(batch: &Padded) -> candle_core::Result<Tensor> {
    batch.mask.affine(-MASKED, MASKED)?.unsqueeze(1)
}

pub fn pool(config: &StudentConfig, dense: &Dense, rows: &Tensor, tokens: &DistinctTokens) -> Result<Pooled> {
    let batch = padded(rows, tokens).during("padding")?;
    let max_pooled = || -> Result<Tensor> {
        let mut banks = Vec::with_capacity(config.convolutions.len());
        for bank in &config.convolutions {
            let weight = dense.get(&format!("conv{}.weight", bank.width))?;
            let bias = dense.get(&format!("conv{}.bias", bank.width))?;
            let bank = convolve(&batch, weight, bias)
                .and_then(|sums| greatest(&sums.broadcast_add(&penalty(&batch)?)?)?.relu());
            banks.push(bank.during("max-pooled convolution")?);
        }
        Tensor::cat(&banks, 1).during("max-pooled convolution")
    };
    let attended = || -> Result<Tensor> {
        let features = convolve(&batch, dense.get("score_conv.weight")?, dense.get("score_conv.bias")?);
        let (score, score_bias) = (dense.get("score.weight")?, dense.get("score.bias")?);
        let own = config.own_values().map(|width| Ok::<_, Error>((width, dense.get("value.weight")?))).transpose()?;
        features
            .and_then(|features| {
                // [texts, filters, longest] → scores [texts, heads, longest]
                let scores = score.broadcast_left(tokens.texts())?.matmul(&features.relu()?.contiguous()?)?;
                let scores =
                    scores.broadcast_add(&score_bias.reshape((1, (), 1))?)?.broadcast_add(&penalty(&batch)?)?;
                let shares = candle_nn::ops::softmax(&scores, D::Minus1)?;
                let Some((width, weight)) = own else {
                    // [texts, heads, longest] × [texts, longest, d] → [texts, heads · d]
                    return shares.matmul(&batch.embeddings)?.flatten_from(1);
                };
                // [texts, heads, 1, longest] × [texts, heads, longest, width] → [texts, heads · width]
                let values = batch.embeddings.broadcast_matmul(&weight.t()?)?;
                let values =
                    values.reshape((tokens.texts(), (), score.dim(0)?, width))?.transpose(1, 2)?.contiguous()?;
                shares.unsqueeze(2)?.matmul(&values)?.flatten_from(1)
            })
            .during("attention")
    };
    let mean = || {
        let lengths = batch.mask.sum_keepdim(1);
        lengths.and_then(|lengths| batch.embeddings.sum(1)?.broadcast_div(&lengths)).during("mean embedding")
    };
    debug_assert!(matches!(rows.dtype(), DType::F32 | DType::F64));
    Ok(Pooled {
        max_pooled: (!config.convolutions.is_empty()).then(max_pooled).transpose()?,
        attended: config.attention.is_some().then(attended).transpose()?,
        mean: config.skip.then(mean).transpose()?,
    })
}
