//! The five poolers, over the states of a BERT.

use candle_core::{Module, Result as CandleResult, Tensor};
use candle_nn::Linear;

use crate::{Error, Pooler, Result};

/// The states of all layers, each [B, L, H], and the mask [B, L] → [B, H]. The embeddings are the first state and count
/// as the first layer.
pub fn pooled(pooler: Pooler, states: &[Tensor], mask: &Tensor, dense: Option<&Linear>) -> Result<Tensor> {
    let [first, .., last] = states else { unreachable!("a model has at least one layer") };
    let second_last = &states[states.len() - 2];
    let pooled = match pooler {
        Pooler::Mean => mean(last, mask),
        Pooler::FirstLast => mean_of_two(first, last, mask),
        Pooler::LastTwo => mean_of_two(second_last, last, mask),
        Pooler::ClsBeforePooler => first_token(last),
        Pooler::Cls => {
            let Some(dense) = dense else { return Err(Error::NoPoolerWeights { path: "the model".into() }) };
            first_token(last).and_then(|first| dense.forward(&first)?.tanh())
        }
    };
    pooled.map_err(Error::candle("pooling"))
}

fn first_token(state: &Tensor) -> CandleResult<Tensor> {
    state.narrow(1, 0, 1)?.squeeze(1)
}

fn mean_of_two(first: &Tensor, second: &Tensor, mask: &Tensor) -> CandleResult<Tensor> {
    mean(&((first + second)? / 2.0)?, mask)
}

/// The mean over a text's tokens, 0 where there is none: [B, 1, L]·[B, L, H] → [B, H].
fn mean(state: &Tensor, mask: &Tensor) -> CandleResult<Tensor> {
    let count = mask.sum_keepdim(1)?.clamp(1.0, f64::from(u16::MAX))?;
    let shares = mask.broadcast_div(&count)?.unsqueeze(1)?;
    shares.matmul(&state.contiguous()?)?.squeeze(1)
}
