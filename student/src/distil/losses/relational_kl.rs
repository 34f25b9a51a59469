use candle_core::Tensor;
use limbeck_training::losses::relational_kl;
use serde::{Deserialize, Serialize};

use super::{DistilLoss, LossInput};
use crate::error::{Error, Result};

/// KL between the teacher's and the student's distribution of similarities in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RelationalKl {
    /// Its weight.
    pub weight: f64,
    /// What cosines are divided by.
    pub temperature: f64,
}

impl Default for RelationalKl {
    fn default() -> Self {
        Self { weight: 0.0, temperature: 0.05 }
    }
}

impl DistilLoss for RelationalKl {
    fn temperature(&self) -> Option<f64> {
        Some(self.temperature)
    }

    fn value(&self, input: &mut LossInput) -> Result<Tensor> {
        relational_kl(input.output, input.targets, self.temperature).map_err(Error::tensor("relational KL"))
    }
}
