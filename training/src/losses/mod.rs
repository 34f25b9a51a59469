//! The losses, one a file. Each takes embeddings as rows, normalises them itself where its formula speaks of cosines,
//! and gives a scalar tensor that candle can differentiate.

mod am_softmax;
mod contrastive_kd;
mod cosine;
mod infonce;
mod matryoshka;
mod relational;
mod rows;

pub use am_softmax::{AmSoftmax, am_softmax, am_softmax_gradients};
pub use contrastive_kd::contrastive_kd;
pub use cosine::{centred_distance, cosine_distance};
pub use infonce::{Denominator, infonce, infonce_hard_negative};
pub use matryoshka::matryoshka;
pub use relational::relational_kl;

use candle_core::{D, DType, Tensor};

use crate::error::{During, Error, Result};

/// The squared length below which a vector counts as zero; it keeps the gradient of a zero vector finite.
const TINY: f64 = 1e-24;

/// Rows of `x` (`[n, d]`) scaled to length 1; a zero row stays zero.
pub fn normalise(x: &Tensor) -> Result<Tensor> {
    let length = x.sqr().and_then(|s| s.sum_keepdim(D::Minus1)).and_then(|s| (s + TINY)?.sqrt());
    length.and_then(|length| x.broadcast_div(&length)).during("normalise")
}

/// Cosines of all rows of `a` (`[n, d]`) with all rows of `b` (`[m, d]`): `[n, m]`.
pub fn cosines(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (a, b) = (normalise(a)?, normalise(b)?);
    b.t().and_then(|b| a.matmul(&b)).during("cosines")
}

/// Mean cross-entropy of `logits` (`[n, c]`) against the classes `targets` (`[n]`, u32).
pub(crate) fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    if let (true, &[n, c]) = (rows::by_hand(logits), logits.dims()) {
        let labels: Vec<u32> = targets.to_vec1().during("cross-entropy")?;
        // A label that isn't there is the graph's to refuse.
        if labels.len() == n && labels.iter().all(|&label| (label as usize) < c) {
            return rows::cross_entropy(logits, &labels);
        }
    }
    cross_entropy_graph(logits, targets)
}

/// [`cross_entropy`] as a graph, on any device.
fn cross_entropy_graph(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let log_likelihood = candle_nn::ops::log_softmax(logits, D::Minus1)
        .and_then(|log| log.gather(&targets.unsqueeze(1)?, 1))
        .and_then(|picked| picked.mean_all());
    log_likelihood.and_then(|mean| mean.neg()).during("cross-entropy")
}

/// The classes `0..n`: row `i` belongs to column `i`.
pub(crate) fn diagonal_classes(n: usize, like: &Tensor) -> Result<Tensor> {
    Tensor::arange(0, n as u32, like.device()).during("classes of the diagonal")
}

/// `[n, n]`, `value` on the diagonal and 0 elsewhere.
pub(crate) fn diagonal(n: usize, value: f64, dtype: DType, like: &Tensor) -> Result<Tensor> {
    Tensor::eye(n, dtype, like.device()).and_then(|eye| eye.affine(value, 0.0)).during("diagonal")
}

/// An error unless both have the shape `[n, d]`.
pub(crate) fn same_shape(operation: &'static str, a: &Tensor, b: &Tensor) -> Result<(usize, usize)> {
    match (a.dims(), b.dims()) {
        (&[n, d], right) if right == [n, d] && n > 0 => Ok((n, d)),
        (left, right) => Err(Error::Shapes { operation, left: left.to_vec(), right: right.to_vec() }),
    }
}

/// An error unless the temperature is a positive number.
pub(crate) fn checked_temperature(temperature: f64) -> Result<f64> {
    if temperature > 0.0 && temperature.is_finite() {
        return Ok(temperature);
    }
    Err(Error::Setting { name: "temperature", value: temperature.to_string(), allowed: "above 0" })
}

#[cfg(test)]
pub(crate) mod golden;
