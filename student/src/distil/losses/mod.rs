//! The losses of a distillation, one a file.
//!
//! To add a loss: write a file here with its settings, whose `weight` is that in the sum, and its [`DistilLoss`], and
//! add a line to the list below. The settings are the table `[distil.losses.NAME]` of a recipe.

mod am_softmax;
mod centred;
mod contrastive_kd;
mod cosine;
mod infonce;
mod matryoshka;
mod relational_kl;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

pub use self::centred::CentredDistance;
pub use self::contrastive_kd::ContrastiveKd;
pub use self::cosine::CosineDistance;
pub use self::infonce::InfoNce;
pub use self::matryoshka::Matryoshka;
pub use self::relational_kl::RelationalKl;
use crate::am_softmax::{AmSoftmaxLoss, ClassLoss};
use crate::config::StudentConfig;
use crate::error::{Error, Result};

const SUM: &str = "the sum of the losses' weights";

macro_rules! losses {
    ($( $(#[$attribute:meta])* $name:ident: $loss:ty, )*) => {
        /// The losses and their weights; a loss of weight 0 is not computed.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Losses {
            $( $(#[$attribute])* pub $name: $loss, )*
        }

        impl Losses {
            /// All losses with their weights, in the order in which they are summed.
            fn all(&self) -> Vec<(f64, &dyn DistilLoss)> {
                vec![$( (self.$name.weight, &self.$name as &dyn DistilLoss) ),*]
            }

            /// Takes their weight from the losses that compare dropout views. When no other loss has a weight, the
            /// cosine gets one.
            pub(super) fn without_views(mut self) -> Self {
                $( if self.$name.compares_views() { self.$name.weight = 0.0; } )*
                if self.all().iter().all(|(weight, _)| *weight == 0.0) {
                    self.cosine.weight = 1.0;
                }
                self
            }
        }
    };
}

losses! {
    /// Cosine distance to the cached target.
    cosine: CosineDistance,
    /// The same about the mean of all targets: for a teacher whose vectors crowd around one direction.
    #[serde(skip_serializing_if = "CentredDistance::is_off")]
    centred: CentredDistance,
    /// InfoNCE between two dropout views of the student.
    infonce: InfoNce,
    /// KL between the teacher's and the student's similarities in a batch.
    relational_kl: RelationalKl,
    /// InfoNCE from the student's vectors to the teacher's.
    contrastive_kd: ContrastiveKd,
    /// AM-softmax with every text of the cache as its own class.
    #[serde(skip_serializing_if = "AmSoftmaxLoss::is_off")]
    am_softmax: AmSoftmaxLoss,
    /// Relational KL of the first values of a vector.
    #[serde(skip_serializing_if = "Matryoshka::is_default")]
    matryoshka: Matryoshka,
}

/// A loss of a distillation: its settings, what they may be, and its value.
pub(crate) trait DistilLoss {
    /// The temperature of its softmax, if it has one.
    fn temperature(&self) -> Option<f64> {
        None
    }

    /// Whether it compares dropout views of the student, which a student without dropout does not have.
    fn compares_views(&self) -> bool {
        false
    }

    /// Refuses settings that are out of range for `student`; called when the weight is above 0.
    fn check(&self, _student: &CheckedStudent) -> Result<()> {
        Ok(())
    }

    /// Its value, a scalar that candle can differentiate by `input.output`.
    fn value(&self, input: &mut LossInput) -> Result<Tensor>;
}

/// The student that losses are checked for.
pub(crate) struct CheckedStudent<'a> {
    /// Dropout rate on the pooled features.
    pub(super) dropout: f64,
    /// Its shape but for the width of its vectors, where that is known.
    pub(super) config: Option<&'a StudentConfig>,
    /// The width of its vectors, where that is known.
    pub(super) dimension: Option<usize>,
}

impl CheckedStudent<'_> {
    /// Whether two dropout views of a text differ, as far as is known.
    fn has_views(&self) -> bool {
        self.dropout > 0.0 && self.config.is_none_or(StudentConfig::has_features)
    }
}

/// What a loss is computed from.
pub(crate) struct LossInput<'a> {
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
    /// Refuses weights and temperatures that are out of range, and what a loss with a weight refuses for `student`.
    pub(super) fn check(&self, student: &CheckedStudent) -> Result<()> {
        let all = self.all();
        let weights: Vec<f64> = all.iter().map(|(weight, _)| *weight).collect();
        let valid = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
        Error::require(valid, "a loss's weight", format!("{weights:?}"), "0 or above")?;
        Error::require(weights.iter().any(|weight| *weight > 0.0), SUM, 0, "above 0")?;
        let temperatures: Vec<f64> = all.iter().filter_map(|(_, loss)| loss.temperature()).collect();
        let valid = temperatures.iter().all(|t| t.is_finite() && *t > 0.0);
        Error::require(valid, "a loss's temperature", format!("{temperatures:?}"), "above 0")?;
        all.iter().filter(|(weight, _)| *weight > 0.0).try_for_each(|(_, loss)| loss.check(student))
    }

    /// The weighted sum of all losses that have a weight.
    pub(super) fn value(&self, input: &mut LossInput) -> Result<Tensor> {
        let failed = Error::tensor;
        let mut total: Option<Tensor> = None;
        for (weight, loss) in self.all().into_iter().filter(|(weight, _)| *weight > 0.0) {
            let value = loss.value(input)?.affine(weight, 0.0).map_err(failed("a loss's weight"))?;
            total = Some(match total {
                Some(sum) => sum.add(&value).map_err(failed("the sum of the losses"))?,
                None => value,
            });
        }
        total.ok_or_else(|| Error::setting(SUM, 0, "above 0"))
    }
}
