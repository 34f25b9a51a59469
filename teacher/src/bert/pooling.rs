//! The poolers, over the states of a BERT.

use candle_core::{Result, Tensor};

use crate::Pooler;

/// The states of all layers, each [B, L, H], and the mask [B, L] → [B, H]. The embeddings are the first state and count
/// as the first layer. The dense layer of the pooler `cls` is not applied.
pub(super) fn pooled(pooler: Pooler, states: &[Tensor], mask: &Tensor) -> Result<Tensor> {
    let [first, .., last] = states else { unreachable!("a model has at least one layer") };
    let second_last = &states[states.len() - 2];
    match pooler {
        Pooler::Mean => mean(last, mask),
        Pooler::FirstLast => mean_of_two(first, last, mask),
        Pooler::LastTwo => mean_of_two(second_last, last, mask),
        Pooler::Cls | Pooler::ClsBeforePooler => last.narrow(1, 0, 1)?.squeeze(1),
        Pooler::MeanSqrtLen => {
            let count = mask.sum_keepdim(1)?.clamp(1.0, f64::from(u16::MAX))?;
            weighted_sum(last, &mask.broadcast_div(&count.sqrt()?)?)
        }
        Pooler::WeightedMean => {
            let places = (mask.cumsum(1)? * mask)?;
            let sum = places.sum_keepdim(1)?.clamp(1.0, f64::MAX)?;
            weighted_sum(last, &places.broadcast_div(&sum)?)
        }
        Pooler::LastToken => {
            let is_last = mask.cumsum(1)?.broadcast_eq(&mask.sum_keepdim(1)?)?.to_dtype(mask.dtype())?;
            weighted_sum(last, &(is_last * mask)?)
        }
        Pooler::Max => last.broadcast_add(&((mask - 1.0)? * ABSENT)?.unsqueeze(2)?)?.max(1),
    }
}

/// Added to the states of padding, which is never the largest then.
const ABSENT: f64 = 1e4;

fn mean_of_two(first: &Tensor, second: &Tensor, mask: &Tensor) -> Result<Tensor> {
    mean(&((first + second)? / 2.0)?, mask)
}

/// The mean over a text's tokens, 0 where there is none.
fn mean(state: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let count = mask.sum_keepdim(1)?.clamp(1.0, f64::from(u16::MAX))?;
    weighted_sum(state, &mask.broadcast_div(&count)?)
}

/// The sum of a text's token states by their weights: [B, 1, L]·[B, L, H] → [B, H].
fn weighted_sum(state: &Tensor, weights: &Tensor) -> Result<Tensor> {
    weights.unsqueeze(1)?.matmul(&state.contiguous()?)?.squeeze(1)
}
