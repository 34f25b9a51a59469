//! Matrix products over slices: the `gemm` crate behind checked bounds.
#![expect(unsafe_code, reason = "`gemm` takes pointers")]

use gemm::Parallelism;

use super::number::Real;

/// A matrix in a slice, with any strides.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a, T> {
    values: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

/// A matrix in a slice that can be written, row after row.
pub(super) struct MatrixMut<'a, T> {
    values: &'a mut [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
}

impl<'a, T: Real> Matrix<'a, T> {
    /// Row after row: `[rows, columns]`, with `row_stride` values from one row to the next.
    ///
    /// Panics when the slice is too short: shapes are checked before any pass.
    pub(super) fn new(values: &'a [T], [rows, columns]: [usize; 2], row_stride: usize) -> Self {
        assert!(fits(values.len(), rows, columns, row_stride), "a matrix reaches past its values");
        Self { values, rows, columns, row_stride, column_stride: 1 }
    }

    /// Rows without a gap.
    pub(super) fn dense(values: &'a [T], columns: usize) -> Self {
        Self::new(values, [values.len() / columns, columns], columns)
    }

    /// The transposed matrix.
    pub(super) fn transposed(self) -> Self {
        let Self { values, rows, columns, row_stride, column_stride } = self;
        Self { values, rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride }
    }
}

impl<'a, T: Real> MatrixMut<'a, T> {
    /// As [`Matrix::new`].
    pub(super) fn new(values: &'a mut [T], [rows, columns]: [usize; 2], row_stride: usize) -> Self {
        assert!(fits(values.len(), rows, columns, row_stride), "a matrix reaches past its values");
        Self { values, rows, columns, row_stride }
    }

    /// Rows without a gap.
    pub(super) fn dense(values: &'a mut [T], columns: usize) -> Self {
        let rows = values.len() / columns;
        Self::new(values, [rows, columns], columns)
    }

    /// `self = scale · a · b`, on this thread, since others run beside it.
    ///
    /// Panics when the shapes don't fit together.
    pub(super) fn set_product(self, scale: T, a: Matrix<T>, b: Matrix<T>) {
        self.product(Parallelism::None, Previous::Overwrite, scale, a, b);
    }

    /// `self += a · b`, on all threads.
    ///
    /// Panics when the shapes don't fit together.
    pub(super) fn add_product(self, a: Matrix<T>, b: Matrix<T>) {
        self.product(Parallelism::Rayon(0), Previous::Add, T::one(), a, b);
    }

    fn product(self, parallelism: Parallelism, previous: Previous, scale: T, a: Matrix<T>, b: Matrix<T>) {
        assert!(a.rows == self.rows && b.columns == self.columns && a.columns == b.rows, "matrices don't fit together");
        if self.rows == 0 || self.columns == 0 {
            return;
        }
        // SAFETY: the constructors have checked that the last element of each matrix lies inside its slice, and strides
        // are not negative, so that no element lies outside. `self` is borrowed mutably, so neither `a` nor `b`
        // overlaps it, and its columns are no wider than its stride, so its elements are distinct. A slice is at most
        // isize::MAX bytes long, so each stride fits an isize.
        unsafe {
            gemm::gemm(
                self.rows,
                self.columns,
                a.columns,
                self.values.as_mut_ptr(),
                1,
                self.row_stride as isize,
                previous == Previous::Add,
                a.values.as_ptr(),
                a.column_stride as isize,
                a.row_stride as isize,
                b.values.as_ptr(),
                b.column_stride as isize,
                b.row_stride as isize,
                T::one(),
                scale,
                false,
                false,
                false,
                parallelism,
            );
        }
    }
}

/// The fate of the values that a product finds in its output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Previous {
    Overwrite,
    Add,
}

fn fits(length: usize, rows: usize, columns: usize, row_stride: usize) -> bool {
    columns <= row_stride && (rows == 0 || (rows - 1) * row_stride + columns <= length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_of_parts_and_transposed_matrices_is_the_sum_of_products() {
        let a: Vec<f64> = (0..12).map(f64::from).collect(); // [3, 4], of which [3, 2] is taken
        let b: Vec<f64> = (0..10).map(|x| f64::from(x) * 0.5).collect(); // [5, 2], transposed
        let mut out = vec![1.0; 3 * 6];
        let (left, right) = (Matrix::new(&a[1..], [3, 2], 4), Matrix::dense(&b, 2).transposed());
        MatrixMut::new(&mut out, [3, 5], 6).set_product(2.0, left, right);
        MatrixMut::new(&mut out, [3, 5], 6).add_product(left, right);
        for row in 0..3 {
            for column in 0..5 {
                let expected: f64 = (0..2).map(|k| a[1 + row * 4 + k] * b[column * 2 + k]).sum();
                assert_eq!(out[row * 6 + column], 3.0 * expected);
            }
            assert_eq!(out[row * 6 + 5], 1.0, "the gap between the rows is not touched");
        }
    }

    #[test]
    #[should_panic(expected = "reaches past")]
    fn a_matrix_longer_than_its_slice_is_refused() {
        Matrix::new(&[0.0f32; 5], [2, 3], 3);
    }
}
