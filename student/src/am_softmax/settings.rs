//! The settings of AM-softmax, as a training by itself and as a loss of distillation.

use limbeck_training::settings::{PATIENCE, at_least_one};
use limbeck_training::training_settings;
use serde::{Deserialize, Serialize};

use crate::config::StudentConfig;
use crate::contrast::{ContrastSettings, check_rate};
use crate::error::{Error, Result};

/// Where the class centres start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CentreStart {
    /// At the student's own vectors of the sentences.
    #[default]
    Student,
    /// At the teacher's vectors, from the cache.
    Teacher,
    /// At random unit vectors.
    Random,
}

/// The loss itself. As one of distillation's losses, its classes are the texts of the cache; there the batches are
/// larger than those of [`AmSoftmaxSettings`], and the teacher's vectors are at hand.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AmSoftmaxLoss {
    /// Its weight among distillation's losses.
    pub weight: f64,
    /// Dropout views of a text: its class's samples in a step.
    pub views: usize,
    /// What cosines are multiplied by.
    pub scale: f64,
    /// Subtracted from the cosine with a text's own class.
    pub margin: f64,
    /// How many classes a step's softmax is over: the batch's own, and a random sample of the others; all, where there
    /// are fewer.
    pub sampled_classes: usize,
    /// Where the centres start.
    pub centres: CentreStart,
    /// The share of the way to its text's vector that a step moves a centre whose class got a probability of 0.
    pub centre_rate: f64,
}

impl Default for AmSoftmaxLoss {
    fn default() -> Self {
        let centres = CentreStart::Teacher;
        Self { weight: 0.0, views: 2, scale: 30.0, margin: 0.35, sampled_classes: 4096, centres, centre_rate: 0.1 }
    }
}

impl AmSoftmaxLoss {
    /// Refuses values that are out of range; `has_views` says whether dropout views differ.
    pub(crate) fn check_keys(&self, has_views: bool) -> Result<()> {
        let &Self { views, scale, margin, sampled_classes, centre_rate, .. } = self;
        let allowed = "at least 1, and 1 where nothing is dropped: the views differ by their dropout";
        Error::require(views == 1 || (views > 1 && has_views), "am_softmax.views", views, allowed)?;
        Error::require(scale > 0.0 && scale.is_finite(), "am_softmax.scale", scale, "above 0")?;
        let allowed = "from 0 to below 2: it is taken from a cosine";
        Error::require((0.0..2.0).contains(&margin), "am_softmax.margin", margin, allowed)?;
        Error::require(sampled_classes >= 2, "am_softmax.sampled_classes", sampled_classes, "at least 2")?;
        Error::require((0.0..=1.0).contains(&centre_rate), "am_softmax.centre_rate", centre_rate, "from 0 to 1")
    }

    /// Whether it has no weight; then a recipe does not show it.
    pub(crate) fn is_off(&self) -> bool {
        self.weight == 0.0
    }
}

training_settings! {
    /// A training with every sentence as its own class. The learning rate is the student's; the centres' rate is
    /// `centre_rate` and falls with it. A checkpoint copies all centres.
    pub struct AmSoftmaxSettings;
    shared: { epochs: 1, batch: 128, learning_rate: 5e-4, evaluate_every: 50, checkpoint_every: 200 }
    before: {
        /// At most so many sentences, the first.
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<usize> = None,
    }
    between: {
        /// Dropout rate on the pooled features.
        dropout: f64 = 0.1,
        /// Dropout rate on the embeddings; above 0 every view is pooled by itself, and pooling costs as many times as
        /// much.
        embedding_dropout: f64 = 0.0,
        /// As in [`AmSoftmaxLoss`].
        views: usize = 10,
        /// As in [`AmSoftmaxLoss`].
        scale: f64 = AmSoftmaxLoss::default().scale,
        /// As in [`AmSoftmaxLoss`].
        margin: f64 = AmSoftmaxLoss::default().margin,
        /// As in [`AmSoftmaxLoss`].
        sampled_classes: usize = 8192,
        /// As in [`AmSoftmaxLoss`]; `teacher` needs a cache.
        centres: CentreStart = CentreStart::Student,
        /// As in [`AmSoftmaxLoss`].
        centre_rate: f64 = AmSoftmaxLoss::default().centre_rate,
    }
    after: {
        /// Evaluations on the dev set without a new best score before a warning.
        patience: u64 = PATIENCE,
    }
}

impl AmSoftmaxSettings {
    /// Refuses values that are out of range.
    ///
    /// # Errors
    /// Names the first such key.
    pub fn check(&self) -> Result<()> {
        let section = "am_softmax";
        at_least_one(section, "epochs", self.epochs as u64)?;
        at_least_one(section, "patience", self.patience)?;
        at_least_one(section, "limit", self.limit.unwrap_or(1) as u64)?;
        Error::require(self.batch >= 2, "am_softmax.batch", self.batch, "at least 2")?;
        check_rate("am_softmax.dropout", self.dropout)?;
        check_rate("am_softmax.embedding_dropout", self.embedding_dropout)?;
        self.loss().check_keys(self.dropout > 0.0 || self.embedding_dropout > 0.0)?;
        Ok(self.training().check(section)?)
    }

    /// [`AmSoftmaxSettings::check`], and refuses dropout views that would be the same for a student of this shape.
    ///
    /// # Errors
    /// Names the first such key.
    pub fn check_for(&self, config: &StudentConfig) -> Result<()> {
        self.check()?;
        self.loss().check_keys(self.contrast().varies(config))
    }

    /// The settings of the loss.
    pub(crate) fn loss(&self) -> AmSoftmaxLoss {
        let &Self { views, scale, margin, sampled_classes, centres, centre_rate, .. } = self;
        AmSoftmaxLoss { weight: 1.0, views, scale, margin, sampled_classes, centres, centre_rate }
    }

    /// The settings of the student's dropout.
    pub(crate) fn contrast(&self) -> ContrastSettings {
        ContrastSettings { dropout: self.dropout, embedding_dropout: self.embedding_dropout }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_are_refused() {
        let fine = AmSoftmaxSettings::default();
        assert!(fine.check().is_ok());
        let broken = [
            AmSoftmaxSettings { batch: 1, ..fine.clone() },
            AmSoftmaxSettings { views: 0, ..fine.clone() },
            AmSoftmaxSettings { dropout: 0.0, ..fine.clone() },
            AmSoftmaxSettings { scale: 0.0, ..fine.clone() },
            AmSoftmaxSettings { margin: f64::NAN, ..fine.clone() },
            AmSoftmaxSettings { sampled_classes: 1, ..fine.clone() },
            AmSoftmaxSettings { centre_rate: 1.5, ..fine.clone() },
            AmSoftmaxSettings { learning_rate: 0.0, ..fine.clone() },
            AmSoftmaxSettings { limit: Some(0), ..fine.clone() },
        ];
        assert!(broken.iter().all(|settings| settings.check().is_err()));
        assert!(AmSoftmaxSettings { dropout: 0.0, views: 1, ..fine }.check().is_ok());
    }
}
