//! [`BertConfig`]: the shape of a BERT, from a Hugging Face `config.json`.

use std::path::Path;

use limbeck_encoder::TokenBatch;
use serde::Deserialize;

use crate::{Error, Result};

/// The function between the two halves of a feed-forward block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Activation {
    /// x·Φ(x) with the exact Φ (by erf), BERT's own.
    #[serde(rename = "gelu")]
    Gelu,
    /// The approximation of it by tanh: 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
    #[serde(rename = "gelu_new", alias = "gelu_pytorch_tanh")]
    GeluNew,
    /// max(x, 0).
    #[serde(rename = "relu")]
    Relu,
}

/// The shape of a BERT. The names are those of Hugging Face's `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct BertConfig {
    /// How many token ids there are.
    pub vocab_size: usize,
    /// The width of a token's state, and of the embedding that comes out.
    pub hidden_size: usize,
    /// How many layers.
    pub num_hidden_layers: usize,
    /// How many attention heads a layer has; they share the width.
    pub num_attention_heads: usize,
    /// The width inside a feed-forward block.
    pub intermediate_size: usize,
    /// What stands in a feed-forward block.
    pub hidden_act: Activation,
    /// The longest input in tokens.
    pub max_position_embeddings: usize,
    /// How many token types (BERT's segments) there are.
    pub type_vocab_size: usize,
    /// What is added to a variance before its root.
    pub layer_norm_eps: f64,
}

impl BertConfig {
    /// The width of one attention head.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Refuses an id outside the vocabulary and a row longer than the model has positions, naming the row.
    pub fn check_tokens(&self, batch: &TokenBatch) -> Result<()> {
        let (vocabulary, positions) = (self.vocab_size, self.max_position_embeddings);
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

    /// Reads the text of a `config.json`; `path` is for errors. A model that isn't a BERT, or is one with a setting
    /// that is not implemented here, is an error.
    pub fn from_json(json: &str, path: &Path) -> Result<Self> {
        let parse = |source| Error::Json { path: path.to_owned(), source };
        let unsupported = |what: String| Error::Unsupported {
            path: path.to_owned(),
            what,
            hint: "BERT models are supported (model_type `bert`: all-MiniLM, BGE, multilingual E5 small …); another \
                   model's embeddings can be used as a cache of vectors"
                .to_owned(),
        };
        let kind: Kind = serde_json::from_str(json).map_err(parse)?;
        match kind.model_type.as_deref() {
            Some("bert") => {}
            Some(other) => return Err(unsupported(format!("the model_type `{other}` is not supported"))),
            None => return Err(unsupported("it names no model_type".to_owned())),
        }
        if !matches!(kind.hidden_act.as_deref(), None | Some("gelu" | "gelu_new" | "gelu_pytorch_tanh" | "relu")) {
            let name = kind.hidden_act.unwrap_or_default();
            return Err(unsupported(format!("the hidden_act `{name}` is not supported (gelu, gelu_new and relu are)")));
        }
        if let Some(positions) = kind.position_embedding_type.filter(|kind| kind != "absolute") {
            return Err(unsupported(format!(
                "the position_embedding_type `{positions}` is not supported (absolute is)"
            )));
        }
        if kind.is_decoder || kind.add_cross_attention {
            return Err(unsupported("it describes a decoder".to_owned()));
        }
        let raw: Raw = serde_json::from_str(json).map_err(parse)?;
        if raw.num_attention_heads == 0 || !raw.hidden_size.is_multiple_of(raw.num_attention_heads) {
            return Err(unsupported(format!(
                "a hidden_size of {} can't be shared by {} attention heads",
                raw.hidden_size, raw.num_attention_heads
            )));
        }
        let sizes = [
            ("vocab_size", raw.vocab_size),
            ("hidden_size", raw.hidden_size),
            ("num_hidden_layers", raw.num_hidden_layers),
            ("intermediate_size", raw.intermediate_size),
            ("max_position_embeddings", raw.max_position_embeddings),
            ("type_vocab_size", raw.type_vocab_size),
        ];
        if let Some((name, _)) = sizes.into_iter().find(|&(_, size)| size == 0) {
            return Err(unsupported(format!("{name} is 0")));
        }
        if !(raw.layer_norm_eps.is_finite() && raw.layer_norm_eps >= 0.0) {
            return Err(unsupported(format!("layer_norm_eps is {}", raw.layer_norm_eps)));
        }
        Ok(Self {
            vocab_size: raw.vocab_size,
            hidden_size: raw.hidden_size,
            num_hidden_layers: raw.num_hidden_layers,
            num_attention_heads: raw.num_attention_heads,
            intermediate_size: raw.intermediate_size,
            hidden_act: raw.hidden_act,
            max_position_embeddings: raw.max_position_embeddings,
            type_vocab_size: raw.type_vocab_size,
            layer_norm_eps: raw.layer_norm_eps,
        })
    }
}

/// What decides whether the file is understood at all.
#[derive(Deserialize)]
struct Kind {
    model_type: Option<String>,
    hidden_act: Option<String>,
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
    #[serde(default)]
    add_cross_attention: bool,
}

/// The sizes. What has a default has it in Hugging Face's `BertConfig`, which leaves such keys out on saving.
#[derive(Deserialize)]
struct Raw {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    #[serde(default = "default_act")]
    hidden_act: Activation,
    #[serde(default = "default_positions")]
    max_position_embeddings: usize,
    #[serde(default = "default_types")]
    type_vocab_size: usize,
    #[serde(default = "default_eps")]
    layer_norm_eps: f64,
}

fn default_act() -> Activation {
    Activation::Gelu
}

fn default_positions() -> usize {
    512
}

fn default_types() -> usize {
    2
}

fn default_eps() -> f64 {
    1e-12
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERT: &str = r#"{"model_type": "bert", "vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 4, "intermediate_size": 64, "hidden_act": "gelu"}"#;

    fn parse(json: &str) -> Result<BertConfig> {
        BertConfig::from_json(json, Path::new("m/config.json"))
    }

    #[test]
    fn what_a_config_leaves_out_has_huggingfaces_default() {
        let config = parse(BERT).unwrap();
        assert_eq!((config.max_position_embeddings, config.type_vocab_size), (512, 2));
        assert_eq!((config.layer_norm_eps, config.head_size()), (1e-12, 8));
    }

    #[test]
    fn what_is_not_a_bert_is_named() {
        for (from, to, what) in [
            (r#""bert""#, r#""xlm-roberta""#, "model_type `xlm-roberta`"),
            (r#""gelu""#, r#""silu""#, "hidden_act `silu`"),
            (r#""hidden_act""#, r#""position_embedding_type": "relative_key", "hidden_act""#, "`relative_key`"),
            (r#""num_attention_heads": 4"#, r#""num_attention_heads": 5"#, "5 attention heads"),
            (r#""num_attention_heads": 4"#, r#""num_attention_heads": 0"#, "0 attention heads"),
            (r#""vocab_size": 100"#, r#""vocab_size": 0"#, "vocab_size is 0"),
            (r#""hidden_act""#, r#""layer_norm_eps": -1000, "hidden_act""#, "layer_norm_eps is -1000"),
        ] {
            let error = parse(&BERT.replace(from, to)).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
            assert!(error.to_string().starts_with("m/config.json: "), "{error}");
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn a_missing_size_is_an_error_of_the_json() {
        let error = parse(&BERT.replace(r#""hidden_size": 32,"#, "")).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("hidden_size"), "{source}");
    }
}
