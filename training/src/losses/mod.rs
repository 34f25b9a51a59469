//! The losses, one a file. Each takes embeddings as rows, normalises them itself where its formula has cosines, and
//! gives a scalar tensor that candle can differentiate. Their errors are candle's.

mod am_softmax;
mod cosine;
mod infonce;
mod matryoshka;
mod relational;
mod rows;

pub use am_softmax::{AmSoftmax, am_softmax, am_softmax_gradients};
pub use cosine::{centred_distance, cosine_distance};
pub use infonce::{Denominator, infonce, infonce_hard_negative};
pub use matryoshka::matryoshka;
pub use relational::relational_kl;

use candle_core::{D, Error, Result, Tensor, bail};

/// The squared length below which a vector counts as zero; it keeps the gradient of a zero vector finite.
const TINY: f64 = 1e-24;

/// Rows of `x` (`[n, d]`) scaled to length 1; a zero row stays zero.
///
/// # Errors
/// Tensor errors.
pub fn normalise(x: &Tensor) -> Result<Tensor> {
    x.broadcast_div(&lengths(x)?)
}

/// The lengths of the rows of `x`, `[n, 1]`; that of a zero row is tiny.
fn lengths(x: &Tensor) -> Result<Tensor> {
    (x.sqr()?.sum_keepdim(D::Minus1)? + TINY)?.sqrt()
}

/// Cosines of all rows of `a` (`[n, d]`) with all rows of `b` (`[m, d]`): `[n, m]`.
///
/// # Errors
/// Tensor errors.
pub fn cosines(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    normalise(a)?.matmul(&normalise(b)?.t()?)
}

/// Mean cross-entropy of `logits` (`[n, c]`) against the classes `targets` (`[n]`, u32).
pub(crate) fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    if let (true, &[n, c]) = (rows::on_host(logits), logits.dims()) {
        let labels: Vec<u32> = targets.to_vec1()?;
        // The graph refuses a label past the last class.
        if labels.len() == n && labels.iter().all(|&label| (label as usize) < c) {
            return rows::cross_entropy(logits, &labels);
        }
    }
    cross_entropy_graph(logits, targets)
}

/// [`cross_entropy`] as a graph, on any device.
fn cross_entropy_graph(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let log_likelihood = candle_nn::ops::log_softmax(logits, D::Minus1)?;
    log_likelihood.gather(&targets.unsqueeze(1)?, 1)?.mean_all()?.neg()
}

/// The classes `0..n`: row `i` belongs to column `i`.
fn diagonal_classes(n: usize, like: &Tensor) -> Result<Tensor> {
    Tensor::arange(0, n as u32, like.device())
}

/// `[n, n]`, `value` on the diagonal and 0 elsewhere.
fn diagonal(n: usize, value: f64, like: &Tensor) -> Result<Tensor> {
    Tensor::eye(n, like.dtype(), like.device())?.affine(value, 0.0)
}

/// Refuses tensors that are not both of the shape `[n, d]`, and returns n.
fn same_shape(op: &'static str, a: &Tensor, b: &Tensor) -> Result<usize> {
    match (a.dims(), b.dims()) {
        (&[n, d], right) if right == [n, d] && n > 0 => Ok(n),
        _ => Err(mismatch(op, a, b)),
    }
}

/// Refuses tensors that are not both matrices of as many rows.
fn same_rows(op: &'static str, a: &Tensor, b: &Tensor) -> Result<()> {
    match (a.dims(), b.dims()) {
        (&[n, _], &[m, _]) if n == m => Ok(()),
        _ => Err(mismatch(op, a, b)),
    }
}

/// The error for tensors whose shapes do not fit together.
fn mismatch(op: &'static str, a: &Tensor, b: &Tensor) -> Error {
    Error::ShapeMismatchBinaryOp { lhs: a.shape().clone(), rhs: b.shape().clone(), op }
}

/// Refuses a temperature that is not a positive number, and returns its inverse.
fn inverse_temperature(temperature: f64) -> Result<f64> {
    if !(temperature > 0.0 && temperature.is_finite()) {
        bail!("temperature is {temperature}, but must be above 0");
    }
    Ok(1.0 / temperature)
}

#[cfg(test)]
mod golden;
