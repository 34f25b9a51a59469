//! Matrices in int8 with a scale for each row, for files whose readers compute in f32.

use std::io::{self, Write};

use crate::error::Result;
use crate::model::TextCnn;

/// The largest int8 magnitude in use.
const MAX: f32 = 127.0;

/// The divisors of the embedding table's channels, which balance them before the rows get their scales. A channel's
/// divisor is √(a / b), with a the root mean square of its values and b the norm of the next layer's weights for it: a
/// compromise between a, which gives all channels the same precision, and 1 / b, which gives precision to the channels
/// that the next layer weighs most.
pub(super) fn channel_factors(model: &TextCnn) -> Result<Vec<f32>> {
    let config = &model.config;
    let d = config.embedding;
    let next = if config.skip {
        model.dense.values("skip.weight")?
    } else if config.attention.is_some() {
        model.dense.values(if config.own_values().is_some() { "value.weight" } else { "heads.weight" })?
    } else {
        // [filters, d, width] with the channel moved last
        let mut all = Vec::new();
        for bank in &config.convolutions {
            let kernel = model.dense.values(&format!("conv{}.weight", bank.width))?;
            let taps =
                |filter: &[f32], tap: usize| filter.iter().skip(tap).step_by(bank.width).copied().collect::<Vec<_>>();
            for filter in kernel.chunks_exact(d * bank.width) {
                (0..bank.width).for_each(|tap| all.extend(taps(filter, tap)));
            }
        }
        all
    };
    let lengths = |rows: &[f32]| {
        let mut squares = vec![0.0f64; d];
        for row in rows.chunks_exact(d) {
            squares.iter_mut().zip(row).for_each(|(square, &x)| *square += f64::from(x).powi(2));
        }
        squares
    };
    let table = model.table.values();
    let rows = (table.len() / d) as f64;
    let factors = lengths(table).into_iter().zip(lengths(&next)).map(|(a, b)| (a / rows / b).powf(0.25) as f32);
    Ok(factors.map(|factor| if factor.is_normal() { factor } else { 1.0 }).collect())
}

/// The largest magnitude among `values`; 0 if there are none.
pub(super) fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// The scale of each row of `width` values; 1 for a row of zeros.
pub(super) fn scales(values: &[f32], width: usize) -> Vec<f32> {
    let scales = values.chunks_exact(width).map(|row| largest(row) / MAX);
    scales.map(|scale| if scale > 0.0 { scale } else { 1.0 }).collect()
}

/// Writes each row divided by its scale and rounded.
pub(super) fn quantised(values: &[f32], scales: &[f32], to: &mut dyn Write) -> io::Result<()> {
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
    fn the_largest_value_of_a_row_becomes_127() {
        let values = [0.5, -2.0, 1.0, 0.0, 0.0, 0.0];
        let scales = scales(&values, 3);
        assert_eq!(scales, [2.0 / 127.0, 1.0]);
        let mut bytes = Vec::new();
        quantised(&values, &scales, &mut bytes).unwrap();
        assert_eq!(bytes, [32, 129, 64, 0, 0, 0]);
        assert_eq!(largest(&[]), 0.0);
    }
}
