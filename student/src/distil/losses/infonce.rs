use candle_core::Tensor;
use limbeck_training::losses::{Denominator, infonce};
use serde::{Deserialize, Serialize};

use super::{CheckedStudent, DistilLoss, LossInput};
use crate::error::{Error, Result};

/// The contrastive loss of the student's own dropout: two masks over one pooling, InfoNCE between the two outputs.
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

impl DistilLoss for InfoNce {
    fn temperature(&self) -> Option<f64> {
        Some(self.temperature)
    }

    fn compares_views(&self) -> bool {
        true
    }

    fn check(&self, student: &CheckedStudent) -> Result<()> {
        let allowed = "above 0 where losses.infonce has a weight: the views differ by it";
        Error::require(student.dropout > 0.0, "distil.dropout", student.dropout, allowed)?;
        let allowed = "0 for a student without convolutions and attention: its views would be the same";
        Error::require(student.has_views(), "distil.losses.infonce.weight", self.weight, allowed)
    }

    fn value(&self, input: &mut LossInput) -> Result<Tensor> {
        let second = (input.another_view)()?;
        infonce(input.output, &second, self.temperature, self.denominator).map_err(Error::tensor("InfoNCE"))
    }
}
