//! The five poolers, over the states of a BERT.

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
    }
}

fn mean_of_two(first: &Tensor, second: &Tensor, mask: &Tensor) -> Result<Tensor> {
    mean(&((first + second)? / 2.0)?, mask)
}

/// The mean over a text's tokens, 0 where there is none: [B, 1, L]·[B, L, H] → [B, H].
fn mean(state: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let count = mask.sum_keepdim(1)?.clamp(1.0, f64::from(u16::MAX))?;
    let shares = mask.broadcast_div(&count)?.unsqueeze(1)?;
    shares.matmul(&state.contiguous()?)?.squeeze(1)
}
