//! [`BertConfig`]: the shape of a BERT or of a model like it, from a Hugging Face `config.json`.

mod keys;

use std::path::Path;

use limbeck_encoder::TokenBatch;

use self::keys::{BertKeys, DistilBertKeys, ModelKeys};
use crate::model_files::parse;
use crate::relative::BUCKETS;
use crate::{Architecture, Error, Result};

/// The activation function between the two dense layers of a feed-forward block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Activation {
    /// x·Φ(x) with the exact Φ (by erf), as in the original BERT.
    #[default]
    Gelu,
    /// The approximation of GELU by tanh: 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
    GeluNew,
    /// max(x, 0).
    Relu,
}

/// The shape of a BERT or of a model like it. The names are BERT's in Hugging Face's `config.json`, where there is such
/// a key. [`BertConfig::from_json`] reads and checks one.
#[derive(Debug, Clone, PartialEq)]
pub struct BertConfig {
    /// The kind of model.
    pub architecture: Architecture,
    /// How many token ids there are.
    pub vocab_size: usize,
    /// The width of a token's state, and of the text's vector.
    pub hidden_size: usize,
    /// How many layers there are.
    pub num_hidden_layers: usize,
    /// How many attention heads a layer has; together they are as wide as the state.
    pub num_attention_heads: usize,
    /// The width inside a feed-forward block.
    pub intermediate_size: usize,
    /// The activation function of a feed-forward block.
    pub hidden_act: Activation,
    /// The rows of the table of positions (`max_position_embeddings`). A text may have [`BertConfig::positions`]
    /// tokens, which are fewer where the table has rows for padding.
    pub position_rows: usize,
    /// The id of padding, where a text's positions begin at the one behind it (RoBERTa's family and MPNet); elsewhere
    /// they begin at 0.
    pub position_padding: Option<u32>,
    /// Whether the table of positions is a fixed formula, which doesn't learn.
    pub fixed_positions: bool,
    /// How many token types (BERT's segments) there are; 0 for a model without.
    pub type_vocab_size: usize,
    /// The rows of MPNet's table of attention biases; 0 for a model without.
    pub relative_rows: usize,
    /// Added to a variance before its root is taken.
    pub layer_norm_eps: f64,
}

impl BertConfig {
    /// The width of one attention head.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// The longest input in tokens.
    pub fn positions(&self) -> usize {
        positions(self.position_rows, self.position_padding)
    }

    /// The row of each token of a text in the table of positions. Where positions begin behind the padding, a token
    /// with the padding's id has its position and is not counted, as in transformers.
    pub fn position_ids<'a>(&self, tokens: &'a [u32]) -> impl Iterator<Item = u32> + use<'a> {
        let padding = self.position_padding;
        tokens.iter().scan(0, move |counted, &id| {
            let Some(padding) = padding else {
                *counted += 1;
                return Some(*counted - 1);
            };
            let is_padding = id == padding;
            *counted += u32::from(!is_padding);
            Some(if is_padding { padding } else { padding + *counted })
        })
    }

    /// Refuses an id outside the vocabulary and a row longer than the model has positions. The error names the row.
    pub fn check_tokens(&self, batch: &TokenBatch) -> Result<()> {
        let (vocabulary, positions) = (self.vocab_size, self.positions());
        for (row, tokens) in batch.iter().enumerate() {
            if tokens.len() > positions {
                return Err(Error::TooLong { row, tokens: tokens.len(), positions });
            }
            if let Some(&id) = tokens.iter().find(|&&id| id as usize >= vocabulary) {
                return Err(Error::TokenId { row, id, vocabulary });
            }
        }
        Ok(())
    }

    /// Refuses a model that is read but can't be trained here; the error names `path`.
    pub(crate) fn check_trainable(&self, path: &Path) -> Result<()> {
        let what = if self.relative_rows > 0 {
            "a model of the type `mpnet` can't be trained here (bert, distilbert, roberta, xlm-roberta and camembert \
             can)"
        } else if self.fixed_positions {
            "a model with sinusoidal_pos_embds can't be trained here"
        } else {
            return Ok(());
        };
        let hint = "start from another model, or take this one as the teacher as it is".to_owned();
        Err(Error::Unsupported { path: path.to_owned(), what: what.to_owned(), hint })
    }

    /// Reads the text of a `config.json`; errors name `path`.
    ///
    /// # Errors
    /// The model is of an unknown kind, or has a setting that this crate does not implement.
    pub fn from_json(json: &str, path: &Path) -> Result<Self> {
        let unsupported = |what: String| Error::Unsupported {
            path: path.to_owned(),
            what,
            hint: "give the model's ONNX file instead of its folder (most models on the hub have one in onnx/), or \
                   embed the texts with sentence-transformers and use the vectors as a cache"
                .to_owned(),
        };
        let architecture = parse::<ModelKeys>(json, path)?.architecture().map_err(unsupported)?;
        let config = match architecture {
            Architecture::DistilBert => parse::<DistilBertKeys>(json, path)?.into_config(),
            other => parse::<BertKeys>(json, path)?.into_config(other),
        };
        let config = config.map_err(unsupported)?;
        match config.problem() {
            Some(problem) => Err(unsupported(problem)),
            None => Ok(config),
        }
    }

    /// What is wrong with the sizes, if anything.
    fn problem(&self) -> Option<String> {
        let (width, heads) = (self.hidden_size, self.num_attention_heads);
        if heads == 0 || !width.is_multiple_of(heads) {
            return Some(format!("a hidden_size of {width} can't be shared by {heads} attention heads"));
        }
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", width),
            ("num_hidden_layers", self.num_hidden_layers),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.position_rows),
        ];
        if let Some((name, _)) = sizes.into_iter().find(|&(_, size)| size == 0) {
            return Some(format!("{name} is 0"));
        }
        if self.positions() == 0 {
            let (rows, padding) = (self.position_rows, self.position_padding.unwrap_or_default());
            return Some(format!(
                "max_position_embeddings is {rows}: no position is behind the pad_token_id {padding}"
            ));
        }
        let eps = self.layer_norm_eps;
        (!(eps.is_finite() && eps >= 0.0)).then(|| format!("layer_norm_eps is {eps}"))
    }
}

/// The positions that a table of `rows` has for tokens: those behind the padding's id, where they are counted from
/// there.
pub(crate) fn positions(rows: usize, padding: Option<u32>) -> usize {
    rows.saturating_sub(padding.map_or(0, |padding| padding as usize + 1))
}

/// The activation function of that name, which the key `key` gives.
fn activation(key: &str, name: Option<&str>) -> std::result::Result<Activation, String> {
    match name {
        None | Some("gelu") => Ok(Activation::Gelu),
        Some("gelu_new" | "gelu_pytorch_tanh") => Ok(Activation::GeluNew),
        Some("relu") => Ok(Activation::Relu),
        Some(other) => Err(format!("the {key} `{other}` is not supported (gelu, gelu_new and relu are)")),
    }
}

impl ModelKeys {
    /// The model's kind, or why the model is not supported.
    fn architecture(self) -> std::result::Result<Architecture, String> {
        let Some(name) = self.model_type else { return Err("it names no model_type".to_owned()) };
        let Some(architecture) = Architecture::named(&name) else {
            let known = Architecture::ALL.map(Architecture::model_type).join(", ");
            return Err(format!("the model_type `{name}` is not supported ({known} are)"));
        };
        if let Some(kind) = self.position_embedding_type.filter(|kind| kind != "absolute") {
            return Err(format!("the position_embedding_type `{kind}` is not supported (absolute is)"));
        }
        match self.is_decoder || self.add_cross_attention {
            true => Err("it describes a decoder".to_owned()),
            false => Ok(architecture),
        }
    }
}

impl BertKeys {
    fn into_config(self, architecture: Architecture) -> std::result::Result<BertConfig, String> {
        // MPNet takes 32 buckets, whatever its config.json says.
        let (type_vocab_size, relative_rows) = match architecture {
            Architecture::Mpnet => (0, self.relative_attention_num_buckets),
            _ => (self.type_vocab_size, 0),
        };
        if type_vocab_size == 0 && architecture != Architecture::Mpnet {
            return Err("type_vocab_size is 0".to_owned());
        }
        if architecture == Architecture::Mpnet && relative_rows < BUCKETS {
            return Err(format!("relative_attention_num_buckets is {relative_rows}, but MPNet needs {BUCKETS}"));
        }
        Ok(BertConfig {
            architecture,
            vocab_size: self.vocab_size,
            hidden_size: self.hidden_size,
            num_hidden_layers: self.num_hidden_layers,
            num_attention_heads: self.num_attention_heads,
            intermediate_size: self.intermediate_size,
            hidden_act: activation("hidden_act", self.hidden_act.as_deref())?,
            position_rows: self.max_position_embeddings,
            position_padding: architecture.position_padding(self.pad_token_id),
            fixed_positions: false,
            type_vocab_size,
            relative_rows,
            layer_norm_eps: self.layer_norm_eps,
        })
    }
}

impl DistilBertKeys {
    fn into_config(self) -> std::result::Result<BertConfig, String> {
        Ok(BertConfig {
            architecture: Architecture::DistilBert,
            vocab_size: self.vocab_size,
            hidden_size: self.dim,
            num_hidden_layers: self.n_layers,
            num_attention_heads: self.n_heads,
            intermediate_size: self.hidden_dim,
            hidden_act: activation("activation", self.activation.as_deref())?,
            position_rows: self.max_position_embeddings,
            position_padding: None,
            fixed_positions: self.sinusoidal_pos_embds,
            type_vocab_size: 0,
            relative_rows: 0,
            layer_norm_eps: keys::default_eps(),
        })
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
