//! Channels of the embedding table, balanced for int8 rows.

use crate::error::Result;
use crate::model::TextCnn;

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
