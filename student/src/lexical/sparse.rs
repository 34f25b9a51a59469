//! [`SparseMatrix`]: rows of columns and their values, and products with dense matrices.

use rayon::prelude::*;

/// A sparse matrix by rows: each row's columns in ascending order, with their values.
pub(super) struct SparseMatrix<T> {
    /// Where each row begins, and where the last one ends.
    starts: Vec<usize>,
    entries: Vec<(u32, T)>,
    /// The number of columns; 0 where it was not given.
    columns: usize,
}

impl<T: Copy> SparseMatrix<T> {
    /// A matrix without a row.
    pub(super) fn new() -> Self {
        Self { starts: vec![0], entries: Vec::new(), columns: 0 }
    }

    /// Appends a row.
    pub(super) fn push(&mut self, row: impl Iterator<Item = (u32, T)>) {
        self.entries.extend(row);
        self.starts.push(self.entries.len());
    }

    pub(super) fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn row(&self, row: usize) -> &[(u32, T)] {
        &self.entries[self.starts[row]..self.starts[row + 1]]
    }

    /// A matrix of `columns` columns, whose values `value` makes of a column and this matrix's value.
    pub(super) fn map<U>(&self, columns: usize, value: impl Fn(u32, T) -> U) -> SparseMatrix<U> {
        let entries = self.entries.iter().map(|&(column, old)| (column, value(column, old))).collect();
        SparseMatrix { starts: self.starts.clone(), entries, columns }
    }
}

impl SparseMatrix<f32> {
    /// Rows and columns exchanged.
    pub(super) fn transposed(&self) -> Self {
        let mut starts = vec![0; self.columns + 1];
        self.entries.iter().for_each(|&(column, _)| starts[column as usize + 1] += 1);
        (0..self.columns).for_each(|column| starts[column + 1] += starts[column]);
        let (mut next, mut entries) = (starts.clone(), vec![(0, 0.0); self.entries.len()]);
        for row in 0..self.rows() {
            for &(column, value) in self.row(row) {
                let place = &mut next[column as usize];
                entries[*place] = (row as u32, value);
                *place += 1;
            }
        }
        Self { starts, entries, columns: self.rows() }
    }

    /// The product with `x` (`columns × width`): `rows × width`. Each row is summed by one thread in the order of its
    /// columns, so that the number of threads changes no bit.
    pub(super) fn times(&self, x: &[f32], width: usize) -> Vec<f32> {
        let mut product = vec![0f32; self.rows() * width];
        product.par_chunks_exact_mut(width).enumerate().for_each(|(row, sums)| {
            for &(column, value) in self.row(row) {
                let other = &x[column as usize * width..][..width];
                sums.iter_mut().zip(other).for_each(|(sum, &x)| *sum += value * x);
            }
        });
        product
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2 0 1 / 0 0 0 / 0 3 4
    fn matrix() -> SparseMatrix<f32> {
        let mut matrix = SparseMatrix::new();
        for row in [&[(0u32, 2.0f32), (2, 1.0)][..], &[], &[(1, 3.0), (2, 4.0)]] {
            matrix.push(row.iter().copied());
        }
        matrix.map(3, |_, value| value)
    }

    #[test]
    fn products_are_those_of_the_dense_matrix() {
        let x = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        assert_eq!(matrix().times(&x, 2), [3.0, 1.0, 0.0, 0.0, 4.0, 7.0]);
    }

    #[test]
    fn a_transposed_matrix_exchanges_rows_and_columns() {
        let transposed = matrix().transposed();
        assert_eq!((transposed.rows(), transposed.columns()), (3, 3));
        assert_eq!((transposed.row(0), transposed.row(2)), (&[(0, 2.0)][..], &[(0, 1.0), (2, 4.0)][..]));
    }
}
