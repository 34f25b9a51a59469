use std::sync::Arc;

use candle_core::Tensor;

use super::attention::{Attend, Mean};
use super::convolution::{Convolve, ConvolveMax};
use super::{DistinctTokens, Pooled};
use crate::config::StudentConfig;
use crate::error::{During, Result};
use crate::model::Dense;

/// `U = E·W`: `rows` `[distinct, d]` and `weight` `[filters, d, width]` to `[distinct, width · filters]`, tap-major.
pub(crate) fn fold(rows: &Tensor, weight: &Tensor) -> candle_core::Result<Tensor> {
    let (filters, d, width) = weight.dims3()?;
    let taps = weight.permute((1, 2, 0))?.reshape((d, width * filters))?;
    rows.matmul(&taps)
}

pub fn pool(config: &StudentConfig, dense: &Dense, rows: &Tensor, tokens: &Arc<DistinctTokens>) -> Result<Pooled> {
    let max_pooled = || -> Result<Tensor> {
        let mut banks = Vec::with_capacity(config.convolutions.len());
        for bank in &config.convolutions {
            let weight = dense.get(&format!("conv{}.weight", bank.width))?;
            let bias = dense.get(&format!("conv{}.bias", bank.width))?;
            let greatest = fold(rows, weight)
                .and_then(|table| table.apply_op1(ConvolveMax::new(tokens.clone(), bank.width)))
                .and_then(|greatest| greatest.broadcast_add(bias)?.relu());
            banks.push(greatest.during("max-pooled convolution")?);
        }
        Tensor::cat(&banks, 1).during("max-pooled convolution")
    };
    let attended = || -> Result<Tensor> {
        let width = config.attention.map_or(1, |attention| attention.width);
        let [weight, bias, score, score_bias] =
            ["score_conv.weight", "score_conv.bias", "score.weight", "score.bias"].map(|name| dense.get(name));
        let (weight, bias, score, score_bias) = (weight?, bias?, score?, score_bias?);
        let own_values = config.own_values().is_some();
        let values = match own_values {
            true => dense.get("value.weight")?.t().and_then(|weight| rows.matmul(&weight)).during("attention")?,
            false => rows.clone(),
        };
        fold(rows, weight)
            .and_then(|table| table.apply_op1(Convolve { tokens: tokens.clone(), width }))
            .and_then(|sums| sums.broadcast_add(bias)?.relu())
            .and_then(|features| features.matmul(&score.t()?)?.broadcast_add(score_bias))
            .and_then(|scores| values.apply_op2(&scores, Attend::new(tokens.clone(), own_values)))
            .during("attention")
    };
    Ok(Pooled {
        max_pooled: (!config.convolutions.is_empty()).then(max_pooled).transpose()?,
        attended: config.attention.is_some().then(attended).transpose()?,
        mean: config
            .skip
            .then(|| rows.apply_op1(Mean { tokens: tokens.clone() }).during("mean embedding"))
            .transpose()?,
    })
}
