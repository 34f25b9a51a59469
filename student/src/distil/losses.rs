//! The losses of a distillation: their settings, which are the table `[distil.losses]` of a recipe, and their weighted
//! sum.
//!
//! To add a loss: a field of [`Losses`] with its settings, its weight in [`Losses::weights`], and its value in
//! [`Losses::value`].

use candle_core::Tensor;
use limbeck_training::losses::{Denominator, centred_distance, cosine_distance, infonce, matryoshka, relational_kl};
use serde::{Deserialize, Serialize};

use crate::am_softmax::{AmSoftmaxLoss, ClassLoss, no_centres};
use crate::config::StudentConfig;
use crate::error::{Error, Result};

/// The losses and their weights; a loss of weight 0 is not computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Losses {
    /// The weight of the cosine distance to the cached target.
    pub cosine: f64,
    /// The weight of the same about the mean of all targets: for a teacher whose vectors crowd around one direction.
    #[serde(skip_serializing_if = "is_zero")]
    pub centred: f64,
    /// InfoNCE between two dropout views of the student: two masks over one pooling.
    pub infonce: InfoNce,
    /// KL between the teacher's and the student's distribution of similarities in a batch.
    pub relational_kl: SoftmaxLoss,
    /// InfoNCE from the student's vectors to the teacher's.
    pub contrastive_kd: SoftmaxLoss,
    /// AM-softmax with every text of the cache as its own class.
    #[serde(skip_serializing_if = "AmSoftmaxLoss::is_off")]
    pub am_softmax: AmSoftmaxLoss,
    /// Relational KL of the first values of a vector.
    #[serde(skip_serializing_if = "Matryoshka::is_default")]
    pub matryoshka: Matryoshka,
}

impl Default for Losses {
    fn default() -> Self {
        Self {
            cosine: 1.0,
            centred: 0.0,
            infonce: InfoNce::default(),
            relational_kl: SoftmaxLoss::default(),
            contrastive_kd: SoftmaxLoss::default(),
            am_softmax: AmSoftmaxLoss::default(),
            matryoshka: Matryoshka::default(),
        }
    }
}

/// A loss whose softmax over cosines has a temperature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SoftmaxLoss {
    /// Its weight.
    pub weight: f64,
    /// What cosines are divided by.
    pub temperature: f64,
}

impl Default for SoftmaxLoss {
    fn default() -> Self {
        Self { weight: 0.0, temperature: 0.05 }
    }
}

/// The contrastive loss of the student's own dropout.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InfoNce {
    /// Its weight.
    pub weight: f64,
    /// What cosines are divided by.
    pub temperature: f64,
    /// The candidates in the denominator.
    pub denominator: Denominator,
}

impl Default for InfoNce {
    fn default() -> Self {
        Self { weight: 0.0, temperature: 0.05, denominator: Denominator::N }
    }
}

/// Makes the first values of a vector usable alone: relational KL between them and the whole target, the mean over
/// `dimensions`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Matryoshka {
    /// Its weight.
    pub weight: f64,
    /// What cosines are divided by.
    pub temperature: f64,
    /// How many values; each from 1 to the student's dimension.
    pub dimensions: Vec<usize>,
}

impl Default for Matryoshka {
    fn default() -> Self {
        Self { weight: 0.0, temperature: 0.05, dimensions: vec![64, 128, 256] }
    }
}

impl Matryoshka {
    /// Whether the settings are the default; then a recipe does not show them.
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses dimensions that vectors of this width don't have.
    ///
    /// # Errors
    /// Names the key and the width.
    pub fn check(&self, width: usize) -> Result<()> {
        let possible = |dimension| (1..=width).contains(dimension);
        Error::require(
            self.weight == 0.0 || (!self.dimensions.is_empty() && self.dimensions.iter().all(possible)),
            "distil.losses.matryoshka.dimensions",
            format!("{:?}", self.dimensions),
            &format!("some numbers from 1 to {width}, the student's dimension"),
        )
    }
}

fn is_zero(weight: &f64) -> bool {
    *weight == 0.0
}

/// What the losses are computed from.
pub(super) struct LossInput<'a> {
    /// The student's vectors of the batch's texts, `[texts, dimension]`, not yet normalised.
    pub(super) output: &'a Tensor,
    /// Their targets, `[texts, dimension]`.
    pub(super) targets: &'a Tensor,
    /// The mean of all targets, `[1, dimension]`.
    pub(super) mean: &'a Tensor,
    /// The student's vectors under another dropout mask. Masks are drawn in the order of the calls.
    pub(super) another_view: &'a mut dyn FnMut() -> Result<Tensor>,
    /// The class centres of AM-softmax, where it has a weight, and the classes of the first texts; the others have
    /// none.
    pub(super) classes: Option<(&'a mut ClassLoss, &'a [u32])>,
    /// The step.
    pub(super) step: u64,
}

impl Losses {
    /// All weights, in the order in which the losses are summed.
    fn weights(&self) -> [f64; 7] {
        let Self { cosine, centred, infonce, relational_kl, contrastive_kd, am_softmax, matryoshka } = self;
        let [relational_kl, contrastive_kd] = [relational_kl.weight, contrastive_kd.weight];
        [*cosine, *centred, infonce.weight, relational_kl, contrastive_kd, am_softmax.weight, matryoshka.weight]
    }

    /// Refuses weights and temperatures that are out of range, and what rules out a loss with a weight: `dropout`, the
    /// student's shape and the width of its vectors, where these are known.
    pub(super) fn check(&self, dropout: f64, config: Option<&StudentConfig>, dimension: Option<usize>) -> Result<()> {
        let weights = self.weights();
        let valid = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
        Error::require(valid, "a loss's weight", format!("{weights:?}"), "0 or above")?;
        Error::require(weights != [0.0; 7], "the sum of the losses' weights", 0, "above 0")?;
        let Self { infonce, relational_kl, contrastive_kd, am_softmax, matryoshka, .. } = self;
        let temperatures =
            [infonce.temperature, relational_kl.temperature, contrastive_kd.temperature, matryoshka.temperature];
        let valid = temperatures.iter().all(|t| t.is_finite() && *t > 0.0);
        Error::require(valid, "a loss's temperature", format!("{temperatures:?}"), "above 0")?;
        // Whether two dropout views of a text differ, as far as is known.
        let has_views = dropout > 0.0 && config.is_none_or(StudentConfig::has_features);
        if infonce.weight > 0.0 {
            let allowed = "above 0 where losses.infonce has a weight: the views differ by it";
            Error::require(dropout > 0.0, "distil.dropout", dropout, allowed)?;
            let allowed = "0 for a student without convolutions and attention: its views would be the same";
            Error::require(has_views, "distil.losses.infonce.weight", infonce.weight, allowed)?;
        }
        if am_softmax.weight > 0.0 {
            am_softmax.check_keys(has_views)?;
        }
        dimension.map_or(Ok(()), |width| matryoshka.check(width))
    }

    /// The weighted sum of all losses that have a weight.
    pub(super) fn value(&self, input: &mut LossInput) -> Result<Tensor> {
        let failed = Error::tensor;
        let Self { infonce: pair, relational_kl: relational, contrastive_kd: contrastive, matryoshka: first, .. } =
            self;
        let values: [&dyn Fn(&mut LossInput) -> Result<Tensor>; 7] = [
            &|of| cosine_distance(of.output, of.targets).map_err(failed("cosine distance")),
            &|of| centred_distance(of.output, of.targets, of.mean).map_err(failed("centred distance")),
            &|of| {
                let second = (of.another_view)()?;
                infonce(of.output, &second, pair.temperature, pair.denominator).map_err(failed("InfoNCE"))
            },
            &|of| relational_kl(of.output, of.targets, relational.temperature).map_err(failed("relational KL")),
            // Contrastive distillation (Tian, Krishnan and Isola 2020) in its in-batch form: a student's vector has to be
            // nearer to its own text's target than to the targets of the other texts.
            &|of| {
                let value = infonce(of.output, of.targets, contrastive.temperature, Denominator::N);
                value.map_err(failed("contrastive distillation"))
            },
            &|of| self.am_softmax_value(of),
            &|of| {
                let value = matryoshka(of.output, of.targets, &first.dimensions, first.temperature);
                value.map_err(failed("Matryoshka"))
            },
        ];
        let mut total: Option<Tensor> = None;
        for (weight, value) in self.weights().into_iter().zip(values).filter(|(weight, _)| *weight > 0.0) {
            let value = value(input)?.affine(weight, 0.0).map_err(failed("a loss's weight"))?;
            total = Some(match total {
                Some(sum) => sum.add(&value).map_err(failed("the sum of the losses"))?,
                None => value,
            });
        }
        total.ok_or_else(|| Error::setting("the sum of the losses' weights", 0, "above 0"))
    }

    /// AM-softmax over the dropout views of the texts that have a class.
    fn am_softmax_value(&self, input: &mut LossInput) -> Result<Tensor> {
        let (classes, labels) = input.classes.as_mut().ok_or_else(no_centres)?;
        let of_classes = |output: &Tensor| output.narrow(0, 0, labels.len()).map_err(Error::tensor("dropout views"));
        let mut views = vec![of_classes(input.output)?];
        for _ in 1..self.am_softmax.views {
            views.push(of_classes(&(input.another_view)()?)?);
        }
        classes.value::<f32>(&views, labels, input.step)
    }

    /// Takes their weight from the losses that compare dropout views. When no other loss has a weight, the cosine gets
    /// one.
    pub(super) fn without_views(mut self) -> Self {
        (self.infonce.weight, self.am_softmax.weight) = (0.0, 0.0);
        if self.weights() == [0.0; 7] {
            self.cosine = 1.0;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matryoshka_s_dimensions_are_checked_where_it_has_a_weight() {
        let settings = |weight, dimensions: &[usize]| Matryoshka {
            weight,
            dimensions: dimensions.to_vec(),
            ..Matryoshka::default()
        };
        assert!(settings(0.1, &[1, 64]).check(64).is_ok() && settings(0.0, &[65]).check(64).is_ok());
        for wrong in [&[][..], &[0], &[64, 65]] {
            let error = settings(0.1, wrong).check(64).unwrap_err().to_string();
            assert!(error.contains("matryoshka.dimensions") && error.contains("64"), "{error}");
        }
    }
}
