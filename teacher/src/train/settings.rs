//! `[train_teacher.bert]`: the settings of a BERT in training.

use limbeck_training::Error;
use limbeck_training::settings::at_least_one;
use serde::{Deserialize, Serialize};

use crate::{Pooler, Result};

/// Where SimCSE's "MLP head", a dense layer with tanh after the pooling, is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// Only in the pooler `cls`, which is that layer and keeps it.
    #[default]
    None,
    /// Between pooling and loss in training, and removed afterwards: the paper's setting of the unsupervised method.
    Training,
}

/// The settings of a BERT in training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BertSettings {
    /// Where the head is used.
    pub head: Head,
    /// Dropout rate on hidden states. Without labelled examples it makes the positives: two passes, two masks.
    pub dropout: f64,
    /// Dropout rate on attention weights.
    pub attention_dropout: f64,
    /// Does not train the table of word embeddings: a multilingual one is most of a model.
    pub freeze_words: bool,
    /// The length that all gradients together are clipped to; 0 for no clipping.
    pub clip: f64,
    /// The longest input in tokens in training.
    pub max_tokens: usize,
    /// The most texts that are embedded at once. A larger batch is embedded in parts, the loss is computed over the
    /// whole batch, and the parts are embedded again for their gradients (GradCache, Gao et al. 2021): all negatives
    /// count, memory does not grow, and a step takes about a third longer.
    pub micro_batch: usize,
}

impl Default for BertSettings {
    fn default() -> Self {
        Self {
            head: Head::None,
            dropout: 0.1,
            attention_dropout: 0.1,
            freeze_words: false,
            clip: 1.0,
            max_tokens: 32,
            micro_batch: 256,
        }
    }
}

impl BertSettings {
    /// Whether the parameter `name` learns.
    pub(super) fn learns(&self, name: &str) -> bool {
        !(self.freeze_words && name == "embeddings.word_embeddings.weight")
    }

    /// Refuses values that are out of range, on their own or with `pooler`.
    ///
    /// # Errors
    /// Names the first such key.
    pub fn check(&self, pooler: Pooler) -> Result<()> {
        at_least_one("bert", "max_tokens", self.max_tokens as u64)?;
        at_least_one("bert", "micro_batch", self.micro_batch as u64)?;
        for (name, value) in [("bert.dropout", self.dropout), ("bert.attention_dropout", self.attention_dropout)] {
            Error::require((0.0..1.0).contains(&value), name, value, "from 0 to below 1")?;
        }
        Error::require(self.clip >= 0.0 && self.clip.is_finite(), "bert.clip", self.clip, "0 or above")?;
        let fits = self.head != Head::Training || pooler != Pooler::Cls;
        let allowed = "none for the pooler cls, which keeps its head";
        Ok(Error::require(fits, "bert.head", "training", allowed)?)
    }
}
