//! The loss of a batch's views.

use candle_core::{DType, Result, Tensor, Var};

use super::ContrastiveSettings;
use crate::losses::{infonce, infonce_hard_negative};

/// The loss of `vectors` (`[views · n, d]`, one view after another): InfoNCE between the first two views. A third view
/// holds the hard negatives.
///
/// # Errors
/// Tensor errors.
pub fn loss(settings: &ContrastiveSettings, vectors: &Tensor, views: usize) -> Result<Tensor> {
    let each = vectors.dim(0)? / views;
    let view = |at: usize| vectors.narrow(0, at * each, each);
    match views {
        2 => infonce(&view(0)?, &view(1)?, settings.temperature, settings.denominator),
        _ => {
            let weight = settings.hard_negative_weight;
            infonce_hard_negative(&view(0)?, &view(1)?, &view(2)?, settings.temperature, weight)
        }
    }
}

/// The value of [`loss`] and its gradient by `vectors`, for a caller that does the backward pass itself.
///
/// # Errors
/// Tensor errors.
pub fn loss_and_gradient(settings: &ContrastiveSettings, vectors: &Tensor, views: usize) -> Result<(f64, Tensor)> {
    let vectors = Var::from_tensor(vectors)?;
    let loss = loss(settings, &vectors, views)?;
    let value = loss.to_dtype(DType::F64)?.to_scalar()?;
    let gradient = loss.backward()?.remove(&vectors);
    Ok((value, gradient.map_or_else(|| vectors.zeros_like(), Ok)?))
}
