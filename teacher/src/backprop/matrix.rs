//! Matrix products over slices: the `gemm` crate behind bounds that are checked.

use gemm::Parallelism;

use super::number::Real;

/// A matrix that lies in a slice with any strides.
#[derive(Clone, Copy)]
pub struct Matrix<'a, T> {
    numbers: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

/// The same, to be written to.
pub struct MatrixMut<'a, T> {
    numbers: &'a mut [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
}

/// Whether a product may use all threads, or runs where others run beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    One,
    All,
}

impl<'a, T: Real> Matrix<'a, T> {
    /// Row after row: `[rows, columns]`, with `row_stride` numbers from one row to the next.
    ///
    /// Panics when the slice is too short: shapes are checked before any pass.
    pub fn new(numbers: &'a [T], [rows, columns]: [usize; 2], row_stride: usize) -> Self {
        assert!(fits(numbers.len(), rows, columns, row_stride), "a matrix reaches past its numbers");
        Self { numbers, rows, columns, row_stride, column_stride: 1 }
    }

    /// Rows without a gap.
    pub fn dense(numbers: &'a [T], columns: usize) -> Self {
        Self::new(numbers, [numbers.len() / columns, columns], columns)
    }

    /// Rows as columns.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

impl<'a, T: Real> MatrixMut<'a, T> {
    /// As [`Matrix::new`].
    pub fn new(numbers: &'a mut [T], [rows, columns]: [usize; 2], row_stride: usize) -> Self {
        assert!(fits(numbers.len(), rows, columns, row_stride), "a matrix reaches past its numbers");
        Self { numbers, rows, columns, row_stride }
    }

    /// Rows without a gap.
    pub fn dense(numbers: &'a mut [T], columns: usize) -> Self {
        let rows = numbers.len() / columns;
        Self::new(numbers, [rows, columns], columns)
    }
}

fn fits(length: usize, rows: usize, columns: usize, row_stride: usize) -> bool {
    columns <= row_stride && (rows == 0 || (rows - 1) * row_stride + columns <= length)
}

/// `out = scale · a · b`, or with `add` `out += scale · a · b`.
///
/// Panics when the shapes don't fit together.
pub fn multiply<T: Real>(out: MatrixMut<T>, add: bool, scale: T, a: Matrix<T>, b: Matrix<T>, threads: Threads) {
    assert!(a.rows == out.rows && b.columns == out.columns && a.columns == b.rows, "matrices don't fit together");
    if out.rows == 0 || out.columns == 0 {
        return;
    }
    let parallelism = match threads {
        Threads::One => Parallelism::None,
        Threads::All => Parallelism::Rayon(0),
    };
    // SAFETY: the constructors have checked that the last element of each matrix lies inside its slice, and strides are
    // not negative, so that no element lies outside. `out` is borrowed mutably, so neither `a` nor `b` overlaps it, and
    // its columns are no wider than its stride, so its elements are distinct. A slice is at most isize::MAX bytes long,
    // so each stride fits an isize.
    unsafe {
        gemm::gemm(
            out.rows,
            out.columns,
            a.columns,
            out.numbers.as_mut_ptr(),
            1,
            out.row_stride as isize,
            add,
            a.numbers.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.numbers.as_ptr(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_of_parts_and_transposed_matrices_is_the_sum_of_products() {
        let a: Vec<f64> = (0..12).map(f64::from).collect(); // [3, 4], of which [3, 2] is taken
        let b: Vec<f64> = (0..10).map(|x| f64::from(x) * 0.5).collect(); // [5, 2], transposed
        let mut out = vec![1.0; 3 * 6];
        let (left, right) = (Matrix::new(&a[1..], [3, 2], 4), Matrix::dense(&b, 2).transposed());
        multiply(MatrixMut::new(&mut out, [3, 5], 6), true, 2.0, left, right, Threads::One);
        for row in 0..3 {
            for column in 0..5 {
                let expected: f64 = (0..2).map(|k| a[1 + row * 4 + k] * b[column * 2 + k]).sum();
                assert_eq!(out[row * 6 + column], 1.0 + 2.0 * expected);
            }
            assert_eq!(out[row * 6 + 5], 1.0, "what lies between the rows is not touched");
        }
    }

    #[test]
    #[should_panic(expected = "reaches past")]
    fn a_matrix_longer_than_its_slice_is_refused() {
        Matrix::new(&[0.0f32; 5], [2, 3], 3);
    }
}
