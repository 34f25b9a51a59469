//! Products of matrices, as candle computes them: the same library, so the same bits.

#![expect(unsafe_code, reason = "gemm takes pointers")]

use gemm::Parallelism;

/// A matrix of `rows × columns` values: that of row `i` and column `j` is `values[i * row_step + j * column_step]`.
pub(crate) struct Matrix<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) row_step: usize,
    pub(crate) column_step: usize,
}

impl<'a> Matrix<'a> {
    /// `values` as rows of `columns` values.
    pub(crate) fn of_rows(values: &'a [f32], columns: usize) -> Self {
        Self { values, rows: values.len() / columns, columns, row_step: columns, column_step: 1 }
    }

    pub(crate) fn transposed(self) -> Self {
        let Self { values, rows, columns, row_step, column_step } = self;
        Self { values, rows: columns, columns: rows, row_step: column_step, column_step: row_step }
    }

    /// Whether every value of the matrix lies in `values`.
    fn is_within(&self) -> bool {
        let last = |count: usize, step: usize| count.saturating_sub(1) * step;
        let end = last(self.rows, self.row_step) + last(self.columns, self.column_step);
        self.rows == 0 || self.columns == 0 || end < self.values.len()
    }
}

/// `left · right`, row after row.
///
/// # Panics
/// When the matrices don't fit together, or lie outside their values.
pub(crate) fn product(left: &Matrix<'_>, right: &Matrix<'_>) -> Vec<f32> {
    assert!(left.columns == right.rows && left.is_within() && right.is_within(), "matrices that fit together");
    let (m, n, k) = (left.rows, right.columns, left.columns);
    let mut out = vec![0.0f32; m * n];
    let threads = rayon::current_num_threads();
    let parallelism = if threads > 1 { Parallelism::Rayon(threads) } else { Parallelism::None };
    // SAFETY: `out` holds `m × n` values in rows of `n`, and nothing else refers to them; the values of both matrices
    // lie within their slices, as was asserted, and gemm reads no others.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            left.values.as_ptr(),
            left.column_step as isize,
            left.row_step as isize,
            right.values.as_ptr(),
            right.column_step as isize,
            right.row_step as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_the_sum_of_products_of_rows_and_columns() {
        let left: Vec<f32> = (0..6).map(|i| i as f32).collect();
        let right = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let left = || Matrix::of_rows(&left, 3);
        assert_eq!(product(&left(), &Matrix::of_rows(&right, 2)), [13.0, 16.0, 40.0, 52.0]);
        assert_eq!(product(&left(), &Matrix::of_rows(&right, 3).transposed()), [8.0, 17.0, 26.0, 62.0]);
    }
}
