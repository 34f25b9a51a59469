use candle_core::Tensor;
use limbeck_training::losses::matryoshka;
use serde::{Deserialize, Serialize};

use super::{CheckedStudent, DistilLoss, LossInput};
use crate::error::{Error, Result};

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
    pub fn is_default(&self) -> bool {
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
            format!("some numbers from 1 to {width}, the student's dimension"),
        )
    }
}

impl DistilLoss for Matryoshka {
    fn temperature(&self) -> Option<f64> {
        Some(self.temperature)
    }

    fn check(&self, student: &CheckedStudent) -> Result<()> {
        student.dimension.map_or(Ok(()), |width| Self::check(self, width))
    }

    fn value(&self, input: &mut LossInput) -> Result<Tensor> {
        let value = matryoshka(input.output, input.targets, &self.dimensions, self.temperature);
        value.map_err(Error::tensor("Matryoshka"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_are_checked_where_the_loss_has_a_weight() {
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
