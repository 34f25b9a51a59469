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
    let next: Vec<(String, usize)> = match config.attention {
        _ if config.skip => vec![("skip.weight".into(), 1)],
        Some(attention) if attention.values.is_some() => vec![("value.weight".into(), 1)],
        Some(_) => vec![("heads.weight".into(), 1)],
        None => config.convolutions.iter().map(|bank| (format!("conv{}.weight", bank.width), bank.width)).collect(),
    };
    // `weights` are [outputs, d, width].
    let add_squares = |squares: &mut [f64], weights: &[f32], width: usize| {
        for (channel, taps) in (0..d).cycle().zip(weights.chunks_exact(width)) {
            taps.iter().for_each(|&x| squares[channel] += f64::from(x).powi(2));
        }
    };
    let (mut own_squares, mut next_squares) = (vec![0.0; d], vec![0.0; d]);
    let table = model.table.values();
    add_squares(&mut own_squares, table, 1);
    for (name, width) in next {
        add_squares(&mut next_squares, &model.dense.values(&name)?, width);
    }
    let rows = (table.len() / d) as f64;
    let factors = own_squares.into_iter().zip(next_squares).map(|(a, b)| (a / rows / b).powf(0.25) as f32);
    Ok(factors.map(|factor| if factor.is_normal() { factor } else { 1.0 }).collect())
}
