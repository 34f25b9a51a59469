use candle_core::{Tensor, Var};

use super::ContrastiveSettings;
use crate::error::{During, Result};
use crate::losses::{infonce, infonce_hard_negative};

/// The loss of `vectors` (`[views · n, d]`, one view after another): InfoNCE between two views, with the third as hard
/// negatives where there is one.
pub fn loss(settings: &ContrastiveSettings, vectors: &Tensor, views: usize) -> Result<Tensor> {
    let each = vectors.dims().first().copied().unwrap_or(0) / views;
    let view = |at: usize| vectors.narrow(0, at * each, each).during("the views");
    match views {
        2 => infonce(&view(0)?, &view(1)?, settings.temperature, settings.denominator),
        _ => {
            let weight = settings.hard_negative_weight;
            infonce_hard_negative(&view(0)?, &view(1)?, &view(2)?, settings.temperature, weight)
        }
    }
}

/// The loss of vectors that someone else made and will go back from, and its gradient, of their shape.
pub fn loss_and_gradient(settings: &ContrastiveSettings, vectors: &Tensor, views: usize) -> Result<(f64, Tensor)> {
    let vectors = Var::from_tensor(vectors).during("the vectors")?;
    let loss = loss(settings, &vectors, views)?;
    let value = loss.to_dtype(candle_core::DType::F64).and_then(|loss| loss.to_scalar()).during("the loss")?;
    let store = loss.backward().during("the loss's gradient")?;
    match store.get(&vectors) {
        Some(gradient) => Ok((value, gradient.clone())),
        None => Ok((value, vectors.zeros_like().during("the loss's gradient")?)),
    }
}
