use candle_core::Tensor;
use limbeck_training::losses::cosine_distance;
use serde::{Deserialize, Serialize};

use super::{DistilLoss, LossInput};
use crate::error::{Error, Result};

/// The weight of the cosine distance to the cached target.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CosineDistance {
    /// Its weight.
    pub weight: f64,
}

impl Default for CosineDistance {
    fn default() -> Self {
        Self { weight: 1.0 }
    }
}

impl DistilLoss for CosineDistance {
    fn value(&self, input: &mut LossInput) -> Result<Tensor> {
        cosine_distance(input.output, input.targets).map_err(Error::tensor("cosine distance"))
    }
}
