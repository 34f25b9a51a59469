use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The first numbers of a vector made usable alone: relational KL between them and the whole target, the mean over
/// `dimensions`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Matryoshka {
    pub weight: f64,
    pub temperature: f64,
    /// How many numbers; each from 1 to the student's dimension.
    pub dimensions: Vec<usize>,
}

impl Default for Matryoshka {
    fn default() -> Self {
        Self { weight: 0.0, temperature: 0.05, dimensions: vec![64, 128, 256] }
    }
}

impl Matryoshka {
    /// Whether nothing of it is asked for: the settings then don't show it.
    pub fn is_off(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses dimensions that vectors of `width` numbers don't have.
    pub fn check(&self, width: usize) -> Result<()> {
        let possible = |&dimension: &usize| (1..=width).contains(&dimension);
        if self.weight > 0.0 && (self.dimensions.is_empty() || !self.dimensions.iter().all(possible)) {
            let allowed = format!("some numbers from 1 to {width}, the student's dimension");
            let value = format!("{:?}", self.dimensions);
            return Err(Error::Setting { name: "distil.losses.matryoshka.dimensions", value, allowed });
        }
        Ok(())
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
