//! The first right singular vectors of a sparse matrix, by a random start and power iteration (Halko, Martinsson and
//! Tropp 2011).

use limbeck_data::Monitor;
use limbeck_training::random::Random;

use super::sparse::SparseMatrix;
use crate::directions::{orthonormal, principal_directions, project, quadratic, scatter};
use crate::error::Result;

/// Rounds of power iteration.
const ROUNDS: usize = 6;
/// Additional directions that the iteration computes, for the accuracy of the others.
const OVERSAMPLING: usize = 32;
/// A direction whose singular value is below this share of the largest holds nothing but rounding errors.
const SMALLEST: f64 = 1e-3;
/// The random stream of the first subspace.
const STREAM: u64 = 52;

/// Orthonormal directions: a row for each column of the matrix that they are of.
pub(super) struct Directions {
    pub(super) rows: Vec<f32>,
    /// The number of directions.
    pub(super) width: usize,
}

/// At most `width` right singular vectors of `matrix`, of the largest singular values.
///
/// # Errors
/// An interrupt.
pub(super) fn right_singular_vectors(
    matrix: &SparseMatrix<f32>,
    width: usize,
    monitor: Monitor<'_>,
) -> Result<Directions> {
    let wide = (width + OVERSAMPLING).min(matrix.rows()).min(matrix.columns());
    if wide == 0 {
        return Ok(Directions { rows: Vec::new(), width: 0 });
    }
    let bar = monitor.stage("fitting the lexical half", Some(ROUNDS as u64 + 1), "rounds");
    let transposed = matrix.transposed();
    let mut random = Random::new(0, &[STREAM]);
    let start: Vec<f32> = (0..matrix.rows() * wide).map(|_| random.normal() as f32).collect();
    let mut space = orthonormal(&transposed.times(&start, wide), wide)?;
    drop(start);
    for _ in 0..ROUNDS {
        monitor.check()?;
        space = orthonormal(&transposed.times(&matrix.times(&space, wide), wide), wide)?;
        bar.add(1);
    }
    // Within the subspace, the matrix times its transpose has the singular vectors as eigenvectors.
    let products = scatter(&matrix.times(&space, wide), wide);
    let directions = principal_directions(&products, wide, width.min(wide))?;
    let squares: Vec<f64> = directions.chunks_exact(wide).map(|direction| quadratic(&products, direction)).collect();
    let floor = squares[0] * SMALLEST.powi(2);
    let kept = squares.iter().take_while(|&&square| square > floor).count();
    Ok(Directions { rows: project(&space, &directions[..kept * wide], wide, kept), width: kept })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directions_of_a_diagonal_matrix_are_its_largest_columns() {
        let mut matrix = SparseMatrix::new();
        for (column, value) in [(0u32, 1.0f32), (1, 9.0), (2, 3.0), (3, 7.0)] {
            matrix.push(std::iter::once((column, value)));
        }
        let found = right_singular_vectors(&matrix.map(4, |_, value| value), 2, Monitor::silent()).unwrap();
        assert_eq!(found.width, 2);
        let expected = [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        assert!(
            found.rows.iter().zip(expected).all(|(&found, want)| (found.abs() - want).abs() < 1e-4),
            "{:?}",
            found.rows
        );
    }

    #[test]
    fn a_matrix_of_low_rank_has_no_more_directions() {
        let mut matrix = SparseMatrix::new();
        for row in 0..20u32 {
            let scale = (row + 1) as f32;
            matrix.push([(0, scale), (1, 2.0 * scale), (5, if row % 2 == 0 { 1.0 } else { 0.0 })].into_iter());
        }
        let found = right_singular_vectors(&matrix.map(6, |_, value| value), 5, Monitor::silent()).unwrap();
        assert_eq!(found.width, 2);
    }
}
