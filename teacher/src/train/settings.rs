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

/// How a BERT goes through a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BertSettings {
    pub head: Head,
    /// Dropout rate on hidden states. Without labelled examples it makes the positives: two passes, two masks.
    pub dropout: f64,
    /// Dropout rate on attention's shares.
    pub attention_dropout: f64,
    /// Leaves the table of word embeddings as it is: a multilingual one is most of a model.
    pub freeze_words: bool,
    /// The length that all gradients together are cut to; 0 cuts nothing.
    pub clip: f64,
    /// The longest input in tokens while training.
    pub max_tokens: usize,
    /// The most texts that go through the model at once. A batch with more views than this is embedded in parts, its loss
    /// taken over the whole, and the parts embedded again for their gradients (GradCache, Gao et al. 2021): the negatives stay
    /// all, memory doesn't grow, and a step takes about a third longer.
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

    /// Refuses settings that can't be, also together with `pooler`.
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
