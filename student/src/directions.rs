//! Principal directions of rows, projections onto them, and the sums that both need.

use nalgebra::{DMatrix, SymmetricEigen};
use rayon::prelude::*;

use crate::error::{Error, Result};

/// The `width` eigenvectors of `scatter` (`dimension × dimension`, symmetric) with the largest eigenvalues, as
/// `width × dimension` values, the largest first. Signs are fixed, so that the same input gives the same directions.
pub(crate) fn principal_directions(scatter: &[f64], dimension: usize, width: usize) -> Result<Vec<f32>> {
    let allowed = format!("at most the teacher's width, {dimension}");
    Error::require(width <= dimension, "student.embedding", width, allowed)?;
    let eigen = SymmetricEigen::new(DMatrix::from_row_slice(dimension, dimension, scatter));
    let mut order: Vec<usize> = (0..dimension).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let mut directions = Vec::with_capacity(width * dimension);
    for &column in &order[..width] {
        let direction = eigen.eigenvectors.column(column);
        let largest = direction.iter().fold(0f64, |a, &b| if b.abs() > a.abs() { b } else { a });
        let sign = if largest < 0.0 { -1.0 } else { 1.0 };
        directions.extend(direction.iter().map(|&x| (sign * x) as f32));
    }
    Ok(directions)
}

/// Projects `rows` (`n × dimension`) onto `directions` (`width × dimension`): `n × width`.
pub(crate) fn project(rows: &[f32], directions: &[f32], dimension: usize, width: usize) -> Vec<f32> {
    let rows = ndarray::ArrayView2::from_shape((rows.len() / dimension.max(1), dimension), rows);
    let directions = ndarray::ArrayView2::from_shape((width, dimension), directions);
    let (Ok(rows), Ok(directions)) = (rows, directions) else { return Vec::new() };
    // The product may be column-major; iteration is in row order in either case.
    rows.dot(&directions.t()).iter().copied().collect()
}

/// The map that undoes [`project`]: the transpose of `directions`, `dimension × width`.
pub(crate) fn inverse(directions: &[f32], dimension: usize, width: usize) -> Vec<f32> {
    (0..dimension).flat_map(|row| (0..width).map(move |column| directions[column * dimension + row])).collect()
}

/// `Σ rowᵀ·row` over `rows` (`n × dimension`), block by block, summed in f64.
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

/// xᵀ · matrix · x
pub(crate) fn quadratic(matrix: &[f64], x: &[f32]) -> f64 {
    let row = |row: &[f64]| row.iter().zip(x).map(|(a, &b)| a * f64::from(b)).sum::<f64>();
    matrix.chunks_exact(x.len()).zip(x).map(|(values, &x)| row(values) * f64::from(x)).sum()
}

/// An orthonormal basis of the columns of `x` (`rows × width`), by the eigenvectors of their products.
pub(crate) fn orthonormal(x: &[f32], width: usize) -> Result<Vec<f32>> {
    let directions = principal_directions(&scatter(x, width), width, width)?;
    let mut basis = project(x, &directions, width, width);
    let squares = column_products(&basis, &basis, width);
    // A direction that holds nothing but rounding errors is left out.
    let floor = squares.iter().fold(0f64, |a, &b| a.max(b)) * 1e-10;
    let scales: Vec<f32> = squares.iter().map(|&s| if s > floor { (1.0 / s.sqrt()) as f32 } else { 0.0 }).collect();
    basis.par_chunks_exact_mut(width).for_each(|row| row.iter_mut().zip(&scales).for_each(|(x, scale)| *x *= scale));
    Ok(basis)
}

/// The scalar product of each column of `a` with the same column of `b`, in f64.
pub(crate) fn column_products(a: &[f32], b: &[f32], d: usize) -> Vec<f64> {
    let mut sums = vec![0f64; d];
    for (a, b) in a.chunks_exact(d).zip(b.chunks_exact(d)) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (&a, &b))| *sum += f64::from(a) * f64::from(b));
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_direction_of_the_largest_eigenvalue_comes_first() {
        let directions = principal_directions(&scatter(&ROWS, 3), 3, 3).unwrap();
        assert!((directions[0] - 1.0).abs() < 1e-6, "{directions:?}");
    }

    #[test]
    fn a_projection_to_full_width_can_be_undone() {
        let directions = principal_directions(&scatter(&ROWS, 3), 3, 3).unwrap();
        let projected = project(&ROWS, &directions, 3, 3);
        let skip = inverse(&directions, 3, 3);
        for (row, projected) in ROWS.chunks(3).zip(projected.chunks(3)) {
            for (at, want) in row.iter().enumerate() {
                let got: f32 = (0..3).map(|column| skip[at * 3 + column] * projected[column]).sum();
                assert!((got - want).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn a_width_beyond_the_teacher_s_is_refused() {
        assert!(principal_directions(&[1.0], 1, 2).unwrap_err().to_string().contains("student.embedding"));
    }

    const ROWS: [f32; 12] = [3., 0., 0., 0., 2., 0., 0., 0., 1., 3., 0., 0.];
}
