//! Where a student starts: as a static embedding model that is good already, so that training adds to it.

mod least_squares;
mod tokens;
mod words;

pub use least_squares::{Bags, least_squares};
pub use tokens::from_token_vectors;
pub use words::Neighbours;

use candle_core::{DType, Device, Tensor};
use nalgebra::{DMatrix, SymmetricEigen};

use crate::config::StudentConfig;
use crate::error::{During, Error, Result};
use crate::model::{Dense, TextCnn};

/// A static model: the embedding table, and the skip that takes a mean embedding to the teacher's space.
#[derive(Debug, Clone)]
pub struct Start {
    /// `vocabulary × width` numbers; row 0 is zero.
    pub table: Vec<f32>,
    /// The table's width.
    pub width: usize,
    /// `dimension × width` numbers.
    pub skip: Vec<f32>,
    /// The teacher's width.
    pub dimension: usize,
    /// The target of the empty text: `dimension` numbers.
    pub empty_target: Vec<f32>,
}

/// The `a` of smooth inverse frequency, `a / (a + p)` (Arora, Liang and Ma 2017): a token as frequent as this counts half.
const SMOOTHING: f64 = 1e-3;

/// What a token of this share of the text weighs.
pub(crate) fn weight(probability: f64) -> f32 {
    (SMOOTHING / (SMOOTHING + probability)) as f32
}

impl Start {
    /// The student that begins here: its convolutions are fresh, and add nothing yet.
    pub fn student(&self, config: StudentConfig, seed: u64, device: &Device) -> Result<TextCnn> {
        let dense = Dense::fresh(&config, seed, DType::F32, device)?;
        if config.skip {
            dense.set("skip.weight", &self.skip_tensor(device)?)?;
        }
        TextCnn::new(config, self.table.clone(), dense, device.clone())
    }

    /// The skip as a tensor `[dimension, width]`.
    pub fn skip_tensor(&self, device: &Device) -> Result<Tensor> {
        Tensor::from_slice(&self.skip, (self.dimension, self.width), device).during("skip of the start")
    }
}

/// The `width` directions in which `scatter` (`dimension × dimension`, symmetric) is greatest, as rows of
/// `width × dimension` numbers, the greatest first. Signs are fixed so that the same input gives the same directions.
pub(crate) fn principal_directions(scatter: &[f64], dimension: usize, width: usize) -> Result<Vec<f32>> {
    if width > dimension {
        return Err(Error::Setting {
            name: "student.embedding",
            value: width.to_string(),
            allowed: format!("at most the teacher's width, {dimension}"),
        });
    }
    let eigen = SymmetricEigen::new(DMatrix::from_row_slice(dimension, dimension, scatter));
    let mut order: Vec<usize> = (0..dimension).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let mut directions = Vec::with_capacity(width * dimension);
    for &column in &order[..width] {
        let direction = eigen.eigenvectors.column(column);
        let greatest = direction.iter().fold(0f64, |a, &b| if b.abs() > a.abs() { b } else { a });
        let sign = if greatest < 0.0 { -1.0 } else { 1.0 };
        directions.extend(direction.iter().map(|&x| (sign * x) as f32));
    }
    Ok(directions)
}

/// `rows` (`n × dimension`) onto `directions` (`width × dimension`): `n × width`.
pub(crate) fn project(rows: &[f32], directions: &[f32], dimension: usize, width: usize) -> Vec<f32> {
    let rows = ndarray::ArrayView2::from_shape((rows.len() / dimension, dimension), rows);
    let directions = ndarray::ArrayView2::from_shape((width, dimension), directions);
    match (rows, directions) {
        (Ok(rows), Ok(directions)) => {
            // The product may come out column-major; iteration is in row order either way.
            rows.dot(&directions.t()).iter().copied().collect()
        }
        _ => Vec::new(),
    }
}

/// `Σ rowᵀ·row` over `rows` (`n × dimension`), in f64 by blocks.
pub(crate) fn scatter(rows: &[f32], dimension: usize) -> Vec<f64> {
    let mut sum = vec![0f64; dimension * dimension];
    for block in rows.chunks(1024 * dimension) {
        if let Ok(block) = ndarray::ArrayView2::from_shape((block.len() / dimension, dimension), block) {
            let product = block.t().dot(&block);
            sum.iter_mut().zip(product.iter()).for_each(|(sum, &x)| *sum += f64::from(x));
        }
    }
    sum
}

/// The scalar product of each column of `a` with the same column of `b`, in f64.
pub(crate) fn column_products(a: &[f32], b: &[f32], d: usize) -> Vec<f64> {
    let mut sums = vec![0f64; d];
    for (a, b) in a.chunks_exact(d).zip(b.chunks_exact(d)) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (&a, &b))| *sum += f64::from(a) * f64::from(b));
    }
    sums
}

/// The skip that undoes [`project`]: the transpose of `directions`, `dimension × width`.
pub(crate) fn inverse(directions: &[f32], dimension: usize, width: usize) -> Vec<f32> {
    (0..dimension).flat_map(|row| (0..width).map(move |column| directions[column * dimension + row])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_directions_come_first_and_projecting_to_full_width_loses_nothing() {
        let rows = [3f32, 0., 0., 0., 2., 0., 0., 0., 1., 3., 0., 0.];
        let directions = principal_directions(&scatter(&rows, 3), 3, 3).unwrap();
        assert!((directions[0] - 1.0).abs() < 1e-6, "{directions:?}");
        let there = project(&rows, &directions, 3, 3);
        let skip = inverse(&directions, 3, 3);
        // skip · there gives each row back.
        for (row, there) in rows.chunks(3).zip(there.chunks(3)) {
            for (at, want) in row.iter().enumerate() {
                let got: f32 = (0..3).map(|column| skip[at * 3 + column] * there[column]).sum();
                assert!((got - want).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn a_width_beyond_the_teacher_s_is_refused() {
        assert!(principal_directions(&[1.0], 1, 2).unwrap_err().to_string().contains("student.embedding"));
    }
}
