use limbeck_training::losses::Denominator;
use limbeck_training::schedule::Decay;
use serde::{Deserialize, Serialize};

use crate::{Error, Pooler, Result};

/// Where the dense layer with tanh after the pooling stands, SimCSE's "MLP head".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// Nowhere, but in the pooler `cls`, which is that layer and keeps it.
    #[default]
    None,
    /// Between pooling and loss while training, and dropped afterwards: the paper's setting of the unsupervised method.
    Training,
}

/// How a teacher is trained by SimCSE (Gao, Yao and Chen 2021).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainSettings {
    /// Passes over the examples.
    pub epochs: usize,
    /// Examples a step; each has the others of its batch as negatives.
    pub batch: usize,
    /// The most texts that go through the model at once. A batch with more views than this is embedded in parts, its loss
    /// taken over the whole, and the parts embedded again for their gradients (GradCache, Gao et al. 2021): the negatives stay
    /// all, memory doesn't grow, and a step takes about a third longer.
    pub micro_batch: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Share of the steps in which the learning rate rises.
    pub warm_up: f64,
    /// How the learning rate falls after that.
    pub decay: Decay,
    /// Decoupled weight decay of all but biases and LayerNorms.
    pub weight_decay: f64,
    /// The length that all gradients together are cut to; 0 cuts nothing.
    pub clip: f64,
    /// Dropout rate on hidden states. Without examples that are labelled it makes the positives: two passes, two masks.
    pub dropout: f64,
    /// Dropout rate on attention's shares.
    pub attention_dropout: f64,
    pub temperature: f64,
    /// The candidates in InfoNCE's denominator. With hard negatives it is `n`, and they stand beside it.
    pub denominator: Denominator,
    /// Added to the logit of an example's own hard negative.
    pub hard_negative_weight: f64,
    pub head: Head,
    /// Leaves the table of word embeddings as it is: a multilingual one is most of a model.
    pub freeze_words: bool,
    /// The longest input in tokens while training.
    pub max_tokens: usize,
    pub seed: u64,
    /// Steps between two looks at the dev set.
    pub evaluate_every: u64,
    /// Steps between two checkpoints.
    pub checkpoint_every: u64,
    /// After so many looks at the dev set without a new best a warning is given.
    pub patience: u64,
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self {
            epochs: 1,
            batch: 64,
            micro_batch: 256,
            learning_rate: 3e-5,
            warm_up: 0.0,
            decay: Decay::Linear,
            weight_decay: 0.01,
            clip: 1.0,
            dropout: 0.1,
            attention_dropout: 0.1,
            temperature: 0.05,
            denominator: Denominator::N,
            hard_negative_weight: 0.0,
            head: Head::None,
            freeze_words: false,
            max_tokens: 32,
            seed: 1,
            evaluate_every: 125,
            checkpoint_every: 250,
            patience: 5,
        }
    }
}

impl TrainSettings {
    /// Refuses settings that can't be, also together with `pooler` and with whether there are hard negatives.
    pub fn check(&self, pooler: Pooler, hard_negatives: bool) -> Result<()> {
        let refuse = |name, value: String, allowed: &str| Err(Error::Setting { name, value, allowed: allowed.into() });
        for (name, value) in [
            ("train_teacher.simcse.epochs", self.epochs as u64),
            ("train_teacher.simcse.micro_batch", self.micro_batch as u64),
            ("train_teacher.simcse.max_tokens", self.max_tokens as u64),
            ("train_teacher.simcse.evaluate_every", self.evaluate_every),
            ("train_teacher.simcse.checkpoint_every", self.checkpoint_every),
            ("train_teacher.simcse.patience", self.patience),
        ] {
            if value == 0 {
                return refuse(name, "0".into(), "at least 1");
            }
        }
        if self.batch < 2 {
            return refuse(
                "train_teacher.simcse.batch",
                self.batch.to_string(),
                "at least 2: the others are the negatives",
            );
        }
        for (name, value) in [
            ("train_teacher.simcse.learning_rate", self.learning_rate),
            ("train_teacher.simcse.temperature", self.temperature),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return refuse(name, value.to_string(), "above 0");
            }
        }
        for (name, value) in
            [("train_teacher.simcse.weight_decay", self.weight_decay), ("train_teacher.clip", self.clip)]
        {
            if !(value >= 0.0 && value.is_finite()) {
                return refuse(name, value.to_string(), "0 or above");
            }
        }
        for (name, value) in [
            ("train_teacher.simcse.dropout", self.dropout),
            ("train_teacher.simcse.attention_dropout", self.attention_dropout),
        ] {
            if !(0.0..1.0).contains(&value) {
                return refuse(name, value.to_string(), "from 0 to below 1");
            }
        }
        if !(0.0..=1.0).contains(&self.warm_up) {
            return refuse("train_teacher.simcse.warm_up", self.warm_up.to_string(), "from 0 to 1");
        }
        if !self.hard_negative_weight.is_finite() {
            return refuse(
                "train_teacher.simcse.hard_negative_weight",
                self.hard_negative_weight.to_string(),
                "a number",
            );
        }
        if hard_negatives && self.denominator == Denominator::TwoNMinusOne {
            return refuse("train_teacher.simcse.denominator", "2n-1".into(), "n where there are hard negatives");
        }
        if self.head == Head::Training && pooler == Pooler::Cls {
            return refuse(
                "train_teacher.simcse.head",
                "training".into(),
                "none for the pooler cls, which keeps its head",
            );
        }
        Ok(())
    }
}
