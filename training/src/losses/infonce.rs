use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

use super::{cosines, cross_entropy, diagonal, diagonal_classes, inverse_temperature, same_shape};

/// The candidates in InfoNCE's denominator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Denominator {
    /// The N candidates of the second view, as in SimCSE (Gao, Yao and Chen 2021, equation 1).
    #[default]
    #[serde(rename = "n")]
    N,
    /// Both views without the anchor itself, as NT-Xent in SimCLR (Chen et al. 2020), over 2N anchors.
    #[serde(rename = "2n-1")]
    TwoNMinusOne,
}

/// InfoNCE over cosines: row `i` of `first` and row `i` of `second` (`[n, d]` both) are a positive pair, all others
/// negatives.
///
/// # Errors
/// Tensor errors.
pub fn infonce(first: &Tensor, second: &Tensor, temperature: f64, denominator: Denominator) -> Result<Tensor> {
    let n = same_shape("InfoNCE", first, second)?;
    let scale = inverse_temperature(temperature)?;
    match denominator {
        Denominator::N => {
            let logits = cosines(first, second)?.affine(scale, 0.0)?;
            cross_entropy(&logits, &diagonal_classes(n, first)?)
        }
        Denominator::TwoNMinusOne => {
            let both = Tensor::cat(&[first, second], 0)?;
            let itself = diagonal(2 * n, -1e9, first)?;
            let logits = cosines(&both, &both)?.affine(scale, 0.0)?.add(&itself)?;
            let partners: Vec<u32> = (0..2 * n).map(|row| ((row + n) % (2 * n)) as u32).collect();
            cross_entropy(&logits, &Tensor::from_vec(partners, 2 * n, first.device())?)
        }
    }
}

/// Supervised SimCSE's loss (equation 5 of the paper): row `i` of `anchor` against all rows of `positive` and all rows
/// of `hard_negative`; `weight` is added to the logit of the anchor's own hard negative, as the reference code does.
///
/// # Errors
/// Tensor errors.
pub fn infonce_hard_negative(
    anchor: &Tensor,
    positive: &Tensor,
    hard_negative: &Tensor,
    temperature: f64,
    weight: f64,
) -> Result<Tensor> {
    let op = "InfoNCE with hard negatives";
    let n = same_shape(op, anchor, positive)?;
    same_shape(op, anchor, hard_negative)?;
    let scale = inverse_temperature(temperature)?;
    let positives = cosines(anchor, positive)?.affine(scale, 0.0)?;
    let negatives = cosines(anchor, hard_negative)?.affine(scale, 0.0)?.add(&diagonal(n, weight, anchor)?)?;
    cross_entropy(&Tensor::cat(&[&positives, &negatives], 1)?, &diagonal_classes(n, anchor)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::golden;

    #[test]
    fn both_denominators_equal_pytorch() {
        golden::check("infonce_n", &["h1", "h2"], |h| infonce(&h[0], &h[1], 0.05, Denominator::N));
        golden::check("infonce_2n_minus_1", &["h1", "h2"], |h| infonce(&h[0], &h[1], 0.05, Denominator::TwoNMinusOne));
    }

    #[test]
    fn between_student_and_teacher_it_is_contrastive_distillation() {
        golden::check("contrastive_kd", &["h1", "teacher"], |h| infonce(&h[0], &h[1], 0.05, Denominator::N));
    }

    #[test]
    fn hard_negatives_equal_pytorch_with_and_without_weight() {
        let names = ["h1", "h2", "h3"];
        golden::check("infonce_hard_negative", &names, |h| infonce_hard_negative(&h[0], &h[1], &h[2], 0.05, 0.0));
        golden::check("infonce_hard_negative_weight_0.2", &names, |h| {
            infonce_hard_negative(&h[0], &h[1], &h[2], 0.05, 0.2)
        });
    }

    #[test]
    fn a_temperature_of_nothing_is_refused() {
        let h = Tensor::new(&[[1f32, 0.]], &candle_core::Device::Cpu).unwrap();
        assert!(infonce(&h, &h, 0.0, Denominator::N).is_err());
    }
}
