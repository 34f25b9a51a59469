use candle_core::Tensor;
use limbeck_training::losses::centred_distance;
use serde::{Deserialize, Serialize};

use super::{DistilLoss, LossInput};
use crate::error::{Error, Result};

/// The weight of the cosine distance about the mean of all targets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CentredDistance {
    /// Its weight.
    pub weight: f64,
}

impl CentredDistance {
    pub(super) fn is_off(&self) -> bool {
        self.weight == 0.0
    }
}

impl DistilLoss for CentredDistance {
    fn value(&self, input: &mut LossInput) -> Result<Tensor> {
        centred_distance(input.output, input.targets, input.mean).map_err(Error::tensor("centred distance"))
    }
}
