use limbeck_training::contrastive::ContrastiveSettings;
use limbeck_training::schedule::Decay;
use serde::{Deserialize, Serialize};

use crate::config::StudentConfig;
use crate::contrast::ContrastSettings;
use crate::error::{Error, Result};

/// Where the class centres begin.
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

/// What the loss needs to know, wherever it is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassSettings {
    /// Dropout views of a sentence: its class's samples in a step.
    pub views: usize,
    pub scale: f64,
    pub margin: f64,
    /// How many classes a step's softmax is over: those of the batch, and others by chance. More than there are: all.
    pub sampled_classes: usize,
    pub centres: CentreStart,
    /// How far a step moves a centre: the share of the way to its sentence's vector, where the softmax had it wholly wrong.
    pub centre_rate: f64,
}

impl ClassSettings {
    /// Refuses settings that can't be; `dropout` says whether anything is dropped.
    pub(crate) fn check(&self, dropout: bool) -> Result<()> {
        let refuse = |name, value: String, allowed: &str| Err(Error::Setting { name, value, allowed: allowed.into() });
        if self.views == 0 || (self.views > 1 && !dropout) {
            let allowed = "at least 1, and 1 where nothing is dropped: the views differ by their dropout";
            return refuse("am_softmax.views", self.views.to_string(), allowed);
        }
        if !(self.scale > 0.0 && self.scale.is_finite()) {
            return refuse("am_softmax.scale", self.scale.to_string(), "above 0");
        }
        if !(0.0..2.0).contains(&self.margin) {
            return refuse(
                "am_softmax.margin",
                self.margin.to_string(),
                "from 0 to below 2: it is taken from a cosine",
            );
        }
        if self.sampled_classes < 2 {
            return refuse("am_softmax.sampled_classes", self.sampled_classes.to_string(), "at least 2");
        }
        if !(0.0..=1.0).contains(&self.centre_rate) {
            return refuse("am_softmax.centre_rate", self.centre_rate.to_string(), "from 0 to 1");
        }
        Ok(())
    }
}

/// AM-softmax as one of distillation's losses: the texts of the cache are the classes. Its batches are larger than those of a
/// training by itself, and the teacher's vectors are at hand.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AmSoftmaxLoss {
    pub weight: f64,
    /// Dropout views of a text.
    pub views: usize,
    pub scale: f64,
    pub margin: f64,
    /// How many classes a step's softmax is over: those of the batch, and others by chance. More than there are: all.
    pub sampled_classes: usize,
    pub centres: CentreStart,
    /// The share of the way to its text's vector that a step moves a centre, where the softmax had it wholly wrong.
    pub centre_rate: f64,
}

impl Default for AmSoftmaxLoss {
    fn default() -> Self {
        let ClassSettings { scale, margin, centre_rate, .. } = AmSoftmaxSettings::default().classes();
        let centres = CentreStart::Teacher;
        Self { weight: 0.0, views: 2, scale, margin, sampled_classes: 4096, centres, centre_rate }
    }
}

impl AmSoftmaxLoss {
    /// Whether it is not computed.
    pub fn is_off(&self) -> bool {
        self.weight == 0.0
    }

    pub(crate) fn classes(&self) -> ClassSettings {
        let &Self { views, scale, margin, sampled_classes, centres, centre_rate, .. } = self;
        ClassSettings { views, scale, margin, sampled_classes, centres, centre_rate }
    }
}

/// How a student goes through a training with every sentence its own class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AmSoftmaxSettings {
    /// So many sentences at most, the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Passes over the sentences.
    pub epochs: usize,
    /// Sentences a step; each comes in all its views.
    pub batch: usize,
    /// Peak learning rate of the student.
    pub learning_rate: f64,
    /// Share of the steps in which the learning rate rises.
    pub warm_up: f64,
    /// How the learning rate falls after that; the centres' rate goes with it.
    pub decay: Decay,
    /// Decoupled weight decay of the dense parameters.
    pub weight_decay: f64,
    /// Dropout rate on the pooled features.
    pub dropout: f64,
    /// Dropout rate on the embeddings; above 0 every view is pooled by itself, which costs as many times as much.
    pub embedding_dropout: f64,
    /// Dropout views of a sentence.
    pub views: usize,
    pub scale: f64,
    pub margin: f64,
    /// How many classes a step's softmax is over: those of the batch, and others by chance. More than there are: all.
    pub sampled_classes: usize,
    /// `student`, `teacher` (needs a cache) or `random`.
    pub centres: CentreStart,
    /// The share of the way to its sentence's vector that a step moves a centre, where the softmax had it wholly wrong.
    pub centre_rate: f64,
    pub seed: u64,
    /// Steps between two looks at the dev set.
    pub evaluate_every: u64,
    /// Steps between two checkpoints; each copies all centres.
    pub checkpoint_every: u64,
    /// After so many looks at the dev set without a new best a warning is given.
    pub patience: u64,
}

impl Default for AmSoftmaxSettings {
    fn default() -> Self {
        Self {
            limit: None,
            epochs: 1,
            batch: 128,
            learning_rate: 5e-4,
            warm_up: 0.0,
            decay: Decay::Linear,
            weight_decay: 0.01,
            dropout: 0.1,
            embedding_dropout: 0.0,
            views: 10,
            scale: 30.0,
            margin: 0.35,
            sampled_classes: 8192,
            centres: CentreStart::Student,
            centre_rate: 0.1,
            seed: 1,
            evaluate_every: 50,
            checkpoint_every: 200,
            patience: 5,
        }
    }
}

impl AmSoftmaxSettings {
    /// Refuses settings that can't be.
    pub fn check(&self) -> Result<()> {
        let refuse = |name, value: String, allowed: &str| Err(Error::Setting { name, value, allowed: allowed.into() });
        for (name, value) in [
            ("am_softmax.epochs", self.epochs as u64),
            ("am_softmax.evaluate_every", self.evaluate_every),
            ("am_softmax.checkpoint_every", self.checkpoint_every),
            ("am_softmax.patience", self.patience),
            ("am_softmax.limit", self.limit.unwrap_or(1) as u64),
        ] {
            if value == 0 {
                return refuse(name, "0".into(), "at least 1");
            }
        }
        if self.batch < 2 {
            return refuse("am_softmax.batch", self.batch.to_string(), "at least 2");
        }
        for (name, value) in
            [("am_softmax.dropout", self.dropout), ("am_softmax.embedding_dropout", self.embedding_dropout)]
        {
            if !(0.0..1.0).contains(&value) {
                return refuse(name, value.to_string(), "from 0 to below 1");
            }
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return refuse("am_softmax.weight_decay", self.weight_decay.to_string(), "0 or above");
        }
        self.classes().check(self.dropout > 0.0 || self.embedding_dropout > 0.0)?;
        Ok(self.schedule().schedule(1).map(|_| ())?)
    }

    /// What concerns the loss.
    pub(crate) fn classes(&self) -> ClassSettings {
        let &Self { views, scale, margin, sampled_classes, centres, centre_rate, .. } = self;
        ClassSettings { views, scale, margin, sampled_classes, centres, centre_rate }
    }

    /// [`AmSoftmaxSettings::check`], and refuses views of a student of this shape that would be the same.
    pub fn check_for(&self, config: &StudentConfig) -> Result<()> {
        self.check()?;
        self.classes().check(self.contrast().varies(config))
    }

    /// What concerns the student's dropout.
    pub(crate) fn contrast(&self) -> ContrastSettings {
        ContrastSettings { dropout: self.dropout, embedding_dropout: self.embedding_dropout }
    }

    /// What concerns the steps, as the training loop reads it.
    pub(crate) fn schedule(&self) -> ContrastiveSettings {
        ContrastiveSettings {
            epochs: self.epochs,
            batch: self.batch,
            learning_rate: self.learning_rate,
            warm_up: self.warm_up,
            decay: self.decay,
            weight_decay: self.weight_decay,
            seed: self.seed,
            evaluate_every: self.evaluate_every,
            checkpoint_every: self.checkpoint_every,
            patience: self.patience,
            ..ContrastiveSettings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_are_refused() {
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
