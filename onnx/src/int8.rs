//! Int8 rows with a scale for each row, for graphs that compute in f32.
//!
//! Ties are rounded away from zero, by `f32::round`; a folded student rounds ties to even. The bytes of the files
//! depend on that.

use std::io::{self, Write};

/// The largest magnitude of an int8 number here. −128 is left out, so that the range is symmetric.
pub const LARGEST: f32 = 127.0;

/// The greatest magnitude among `values`, 0 where there are none.
pub fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// The scale of a row with which its greatest magnitude becomes [`LARGEST`].
pub fn row_scale(row: &[f32]) -> f32 {
    largest(row) / LARGEST
}

/// `scale` of each row of `width` values, for instance [`row_scale`]; 1 for a row of zeros.
pub fn row_scales(values: &[f32], width: usize, scale: fn(&[f32]) -> f32) -> Vec<f32> {
    let scales = values.chunks_exact(width).map(scale);
    scales.map(|scale| if scale > 0.0 { scale } else { 1.0 }).collect()
}

/// Each row of `width` values divided by its scale and rounded.
pub fn quantised_rows(values: &[f32], width: usize, scales: &[f32]) -> Vec<i8> {
    let rounded = |value: &f32, scale: f32| (value / scale).round().clamp(-LARGEST, LARGEST) as i8;
    let rows = values.chunks_exact(width).zip(scales);
    rows.flat_map(|(row, &scale)| row.iter().map(move |value| rounded(value, scale))).collect()
}

/// Writes [`quantised_rows`], some thousand rows at a time.
///
/// # Errors
/// When `to` fails.
pub fn write_rows(to: &mut dyn Write, values: &[f32], width: usize, scales: &[f32]) -> io::Result<()> {
    const ROWS: usize = 4096;
    let mut pieces = values.chunks(ROWS * width.max(1)).zip(scales.chunks(ROWS));
    pieces.try_for_each(|(values, scales)| to.write_all(bytemuck::cast_slice(&quantised_rows(values, width, scales))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_magnitude_of_a_row_becomes_127() {
        let values = [0.5, -2.0, 1.0, 0.0, 0.0, 0.0];
        let scales = row_scales(&values, 3, row_scale);
        assert_eq!(scales, [2.0 / 127.0, 1.0]);
        assert_eq!(quantised_rows(&values, 3, &scales), [32, -127, 64, 0, 0, 0]);
        let mut bytes = Vec::new();
        write_rows(&mut bytes, &values, 3, &scales).unwrap();
        assert_eq!(bytes, [32, 129, 64, 0, 0, 0]);
        assert_eq!(largest(&[]), 0.0);
    }
}
