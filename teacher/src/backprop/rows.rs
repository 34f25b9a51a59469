//! Work that is done row by row, in tasks of a fixed size: sums are the same for any number of threads.

use rayon::prelude::*;

use super::dropout::Mask;
use super::number::{Real, vectorised};

/// Rows a task.
pub(super) const TASK: usize = 32;

/// `to += other`, value by value.
pub(super) fn add<T: Real>(to: &mut [T], other: &[T]) {
    vectorised(|| to.iter_mut().zip(other).for_each(|(to, &x)| *to += x));
}

/// Adds the sum of all rows (`[rows, width]`) to `to` (`[width]`).
pub(super) fn add_row_sums<T: Real>(to: &mut [T], rows: &[T]) {
    let width = to.len();
    let sum = |rows: &[T]| {
        let mut sums = vec![T::zero(); width];
        rows.chunks_exact(width).for_each(|row| add(&mut sums, row));
        sums
    };
    let sums: Vec<Vec<T>> = rows.par_chunks(width * TASK * 4).map(sum).collect();
    sums.iter().for_each(|sums| add(to, sums));
}

/// Dropout of `rows` (`[rows, width]`), if there is a mask; a row is a part of the mask.
pub(super) fn drop_rows<T: Real>(mask: Option<Mask>, rows: &mut [T], width: usize) {
    if let Some(mask) = mask {
        rows.par_chunks_mut(width).enumerate().for_each(|(row, values)| mask.apply(row, values));
    }
}
