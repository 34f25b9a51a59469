//! How evenly vectors cover the sphere (Wang and Isola 2020, "Understanding contrastive representation learning through
//! alignment and uniformity on the hypersphere").

use ndarray::{ArrayView2, s};
use rayon::prelude::*;

/// Rows of similarities computed at once.
const BLOCK: usize = 256;

/// Uniformity with t = 2: ln of the mean of exp(-2‖x - y‖²) over all pairs of different rows. Rows are of length 1, or
/// zero, as those of a collapsed model are. From -8 to 0, lower is more even; `None` with fewer than two rows.
pub fn uniformity(rows: ArrayView2<f32>) -> Option<f64> {
    let n = rows.nrows();
    if n < 2 {
        return None;
    }
    // ‖x - y‖² = ‖x‖² + ‖y‖² - 2 x·y
    let squares: Vec<f64> =
        rows.outer_iter().map(|row| if row.iter().all(|&x| x == 0.0) { 0.0 } else { 1.0 }).collect();
    let mut sum = 0.0;
    for first in (0..n).step_by(BLOCK) {
        let block = rows.slice(s![first..(first + BLOCK).min(n), ..]);
        // block × n similarities; of each pair only the half right of the diagonal counts.
        let cosines = block.dot(&rows.t());
        let sums: Vec<f64> = (0..cosines.nrows())
            .into_par_iter()
            .map(|row| {
                let at = first + row;
                let right = cosines.slice(s![row, at + 1..]);
                let distance = |(&cosine, &square): (&f32, &f64)| squares[at] + square - 2.0 * f64::from(cosine);
                right.iter().zip(&squares[at + 1..]).map(|pair| (-2.0 * distance(pair)).exp()).sum()
            })
            .collect();
        sum += sums.iter().sum::<f64>();
    }
    let pairs = (n * (n - 1) / 2) as f64;
    Some((sum / pairs).ln().min(0.0))
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::*;

    #[test]
    fn uniformity_is_zero_of_equals_and_minus_eight_of_opposites() {
        let of = |other: [f32; 2]| uniformity(arr2(&[[1.0, 0.0], other]).view()).unwrap();
        assert_eq!([of([1.0, 0.0]), of([0.0, 1.0]), of([-1.0, 0.0])], [0.0, -4.0, -8.0]);
        assert_eq!(uniformity(arr2(&[[1.0f32, 0.0]]).view()), None);
    }

    #[test]
    fn a_collapse_to_zeros_is_the_worst_there_is() {
        assert_eq!(uniformity(arr2(&[[0.0f32, 0.0], [0.0, 0.0]]).view()), Some(0.0));
        assert_eq!(uniformity(arr2(&[[0.0f32, 0.0], [0.0, 1.0]]).view()), Some(-2.0));
    }
}
