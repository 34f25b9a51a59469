use candle_core::Tensor;
use limbeck_training::losses::cosine_distance;
use serde::{Deserialize, Serialize};

use super::{DistilLoss, LossInput};
use crate::error::{Error, Result};

/// The weight of the cosine distance to the cached target.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CosineDistance(pub f64);

impl Default for CosineDistance {
    fn default() -> Self {
        Self(1.0)
    }
}

impl DistilLoss for CosineDistance {
    fn weight(&self) -> f64 {
        self.0
    }

    fn weight_mut(&mut self) -> &mut f64 {
        &mut self.0
    }

    fn value(&self, input: &mut LossInput) -> Result<Tensor> {
        cosine_distance(input.output, input.targets).map_err(Error::tensor("cosine distance"))
    }
}
