//! [`Dev`]: the dev set that the best weights are chosen by.

use limbeck_encoder::Encoder;

use crate::error::{Error, Result};
use crate::fit::{Measurement, Metric};

const DEV_SPEARMAN: Metric = Metric { key: "dev_spearman", name: "dev Spearman", decimals: 2 };

/// The scores of a model on a dev set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DevScores {
    /// Spearman × 100.
    pub spearman: f64,
    /// How close positive pairs lie.
    pub alignment: Option<f64>,
    /// How evenly all sentences cover the sphere.
    pub uniformity: Option<f64>,
}

/// A dev set.
pub trait Dev {
    /// The scores of a model.
    ///
    /// # Errors
    /// Any; the trainer passes them on.
    fn scores(&self, model: &dyn Encoder) -> std::result::Result<DevScores, Box<dyn std::error::Error + Send + Sync>>;

    /// A hash of the dev set; a training does not resume with another one.
    fn hash(&self) -> String;
}

/// Measures a model in training on `dev`; `None` without a dev set.
///
/// # Errors
/// Those of the dev set.
pub fn measure(dev: Option<&dyn Dev>, model: &dyn Encoder) -> Result<Option<Measurement>> {
    let Some(dev) = dev else { return Ok(None) };
    let DevScores { spearman, alignment, uniformity } = dev.scores(model).map_err(Error::Evaluation)?;
    Ok(Some(Measurement { metric: DEV_SPEARMAN, score: spearman, alignment, uniformity }))
}
