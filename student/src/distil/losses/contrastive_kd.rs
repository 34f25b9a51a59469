use candle_core::Tensor;
use limbeck_training::losses::{Denominator, infonce};
use serde::{Deserialize, Serialize};

use super::{DistilLoss, LossInput};
use crate::error::{Error, Result};

/// Contrastive distillation (Tian, Krishnan and Isola 2020) in its in-batch form: InfoNCE from the student's vectors to
/// the teacher's. A student's vector has to be nearer to its own text's target than to the targets of the other texts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContrastiveKd {
    /// Its weight.
    pub weight: f64,
    /// What cosines are divided by.
    pub temperature: f64,
}

impl Default for ContrastiveKd {
    fn default() -> Self {
        Self { weight: 0.0, temperature: 0.05 }
    }
}

impl DistilLoss for ContrastiveKd {
    fn temperature(&self) -> Option<f64> {
        Some(self.temperature)
    }

    fn value(&self, input: &mut LossInput) -> Result<Tensor> {
        let value = infonce(input.output, input.targets, self.temperature, Denominator::N);
        value.map_err(Error::tensor("contrastive distillation"))
    }
}
