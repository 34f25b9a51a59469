//! Numbers as int8 with a scale a row, for files whose readers compute in f32.

use std::io::{self, Write};

/// The largest magnitude of a number in int8.
const MAX: f32 = 127.0;

/// The largest magnitude among `values`, 0 where there is none.
pub fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// What 1 is worth in each row of `width` numbers; 1 for a row of zeros.
pub fn scales(values: &[f32], width: usize) -> Vec<f32> {
    let scales = values.chunks_exact(width).map(|row| largest(row) / MAX);
    scales.map(|scale| if scale > 0.0 { scale } else { 1.0 }).collect()
}

/// Writes each row divided by its scale, rounded.
pub fn quantised(values: &[f32], scales: &[f32], to: &mut dyn Write) -> io::Result<()> {
    let width = values.len() / scales.len().max(1);
    let mut row = Vec::with_capacity(width);
    for (values, scale) in values.chunks_exact(width.max(1)).zip(scales) {
        row.clear();
        row.extend(values.iter().map(|value| (value / scale).round().clamp(-MAX, MAX) as i8 as u8));
        to.write_all(&row)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rows_largest_number_meets_the_largest_whole_one() {
        let values = [0.5, -2.0, 1.0, 0.0, 0.0, 0.0];
        let scales = scales(&values, 3);
        assert_eq!(scales, [2.0 / 127.0, 1.0]);
        let mut bytes = Vec::new();
        quantised(&values, &scales, &mut bytes).unwrap();
        assert_eq!(bytes, [32, 129, 64, 0, 0, 0]);
        assert_eq!(largest(&[]), 0.0);
    }
}
