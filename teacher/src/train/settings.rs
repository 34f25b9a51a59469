//! `[train_teacher.bert]`: the settings of a BERT in training.

use serde::{Deserialize, Serialize};

use crate::{Error, Pooler, Result};

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
        let refuse = |name, value: String, allowed: &str| Err(Error::Setting { name, value, allowed: allowed.into() });
        for (name, value) in [("bert.max_tokens", self.max_tokens), ("bert.micro_batch", self.micro_batch)] {
            if value == 0 {
                return refuse(name, "0".into(), "at least 1");
            }
        }
        for (name, value) in [("bert.dropout", self.dropout), ("bert.attention_dropout", self.attention_dropout)] {
            if !(0.0..1.0).contains(&value) {
                return refuse(name, value.to_string(), "from 0 to below 1");
            }
        }
        if !(self.clip >= 0.0 && self.clip.is_finite()) {
            return refuse("bert.clip", self.clip.to_string(), "0 or above");
        }
        if self.head == Head::Training && pooler == Pooler::Cls {
            return refuse("bert.head", "training".into(), "none for the pooler cls, which keeps its head");
        }
        Ok(())
    }
}
