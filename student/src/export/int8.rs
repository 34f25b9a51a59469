//! Numbers as int8 with a scale a row, for files whose readers compute in f32.

use std::io::{self, Write};

use crate::error::Result;
use crate::model::TextCnn;

/// The largest magnitude of a number in int8.
const MAX: f32 = 127.0;

/// What each channel of the embedding table is divided by before its rows get their scales: √(a / b), a being the root
/// mean square of the channel's numbers and b the length of what the next layer multiplies it by. Between dividing by a
/// alone, which would give quiet channels the precision of loud ones, and by 1 / b, which would give it to what counts.
pub fn channel_factors(model: &TextCnn) -> Result<Vec<f32>> {
    let config = &model.config;
    let d = config.embedding;
    let next = if config.skip {
        model.dense.numbers("skip.weight")?
    } else if config.attention.is_some() {
        model.dense.numbers(if config.own_values().is_some() { "value.weight" } else { "heads.weight" })?
    } else {
        // [filters, d, width], the channel put last
        let mut all = Vec::new();
        for bank in &config.convolutions {
            let kernel = model.dense.numbers(&format!("conv{}.weight", bank.width))?;
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
