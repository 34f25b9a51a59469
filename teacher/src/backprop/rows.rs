//! Work that is done row by row, in tasks of a fixed size: sums come out the same for any number of threads.

use rayon::prelude::*;

use super::number::{Real, vectorised};

/// Rows a task.
pub const TASK: usize = 32;

/// Sums into a slice.
pub trait Sums<T> {
    /// `self += other`, number by number.
    fn add(&mut self, other: &[T]);
}

impl<T: Real> Sums<T> for [T] {
    fn add(&mut self, other: &[T]) {
        vectorised(|| self.iter_mut().zip(other).for_each(|(to, &x)| *to += x));
    }
}

/// Adds the sum of all rows (`[rows, width]`) to `to` (`[width]`).
pub fn add_row_sums<T: Real>(to: &mut [T], rows: &[T]) {
    let width = to.len();
    let sum = |rows: &[T]| {
        let mut sums = vec![T::zero(); width];
        rows.chunks_exact(width).for_each(|row| sums.add(row));
        sums
    };
    let sums: Vec<Vec<T>> = rows.par_chunks(width * TASK * 4).map(sum).collect();
    sums.iter().for_each(|sums| to.add(sums));
}
