//! [`BertConfig`]: the shape of a BERT, from a Hugging Face `config.json`.

use std::path::Path;

use limbeck_encoder::TokenBatch;
use serde::Deserialize;

use crate::{Error, Result};

/// The activation function between the two dense layers of a feed-forward block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Activation {
    /// x·Φ(x) with the exact Φ (by erf), as in the original BERT.
    #[default]
    #[serde(rename = "gelu")]
    Gelu,
    /// The approximation of GELU by tanh: 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
    #[serde(rename = "gelu_new", alias = "gelu_pytorch_tanh")]
    GeluNew,
    /// max(x, 0).
    #[serde(rename = "relu")]
    Relu,
}

/// The shape of a BERT. The names are those of Hugging Face's `config.json`, and so are the defaults: on saving it
/// leaves out such keys. [`BertConfig::from_json`] reads and checks one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct BertConfig {
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
    #[serde(default)]
    pub hidden_act: Activation,
    /// The longest input in tokens.
    #[serde(default = "default_positions")]
    pub max_position_embeddings: usize,
    /// How many token types (BERT's segments) there are.
    #[serde(default = "default_types")]
    pub type_vocab_size: usize,
    /// Added to a variance before its root is taken.
    #[serde(default = "default_eps")]
    pub layer_norm_eps: f64,
}

impl BertConfig {
    /// The width of one attention head.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Refuses an id outside the vocabulary and a row longer than the model has positions. The error names the row.
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

    /// Reads the text of a `config.json`; errors name `path`.
    ///
    /// # Errors
    /// The model isn't a BERT, or has a setting that this crate does not implement.
    pub fn from_json(json: &str, path: &Path) -> Result<Self> {
        let parse = |source| Error::Json { path: path.to_owned(), source };
        let unsupported = |what: String| Error::Unsupported {
            path: path.to_owned(),
            what,
            hint: "BERT models are supported (model_type `bert`: all-MiniLM, BGE, multilingual E5 small …); another \
                   model's embeddings can be used as a cache of vectors"
                .to_owned(),
        };
        let architecture: Architecture = serde_json::from_str(json).map_err(parse)?;
        if let Some(problem) = architecture.problem() {
            return Err(unsupported(problem));
        }
        let config: Self = serde_json::from_str(json).map_err(parse)?;
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
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ];
        if let Some((name, _)) = sizes.into_iter().find(|&(_, size)| size == 0) {
            return Some(format!("{name} is 0"));
        }
        let eps = self.layer_norm_eps;
        (!(eps.is_finite() && eps >= 0.0)).then(|| format!("layer_norm_eps is {eps}"))
    }
}

/// The keys that decide whether the model is supported at all.
#[derive(Deserialize)]
struct Architecture {
    model_type: Option<String>,
    hidden_act: Option<String>,
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
    #[serde(default)]
    add_cross_attention: bool,
}

impl Architecture {
    /// Why the model is not supported, if it isn't.
    fn problem(self) -> Option<String> {
        match self.model_type.as_deref() {
            Some("bert") => {}
            Some(other) => return Some(format!("the model_type `{other}` is not supported")),
            None => return Some("it names no model_type".to_owned()),
        }
        if !matches!(self.hidden_act.as_deref(), None | Some("gelu" | "gelu_new" | "gelu_pytorch_tanh" | "relu")) {
            let name = self.hidden_act.unwrap_or_default();
            return Some(format!("the hidden_act `{name}` is not supported (gelu, gelu_new and relu are)"));
        }
        if let Some(kind) = self.position_embedding_type.filter(|kind| kind != "absolute") {
            return Some(format!("the position_embedding_type `{kind}` is not supported (absolute is)"));
        }
        (self.is_decoder || self.add_cross_attention).then(|| "it describes a decoder".to_owned())
    }
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
    fn keys_that_are_left_out_have_huggingfaces_defaults() {
        let config = parse(BERT).unwrap();
        assert_eq!((config.max_position_embeddings, config.type_vocab_size), (512, 2));
        assert_eq!((config.layer_norm_eps, config.head_size()), (1e-12, 8));
    }

    #[test]
    fn an_unsupported_setting_is_named() {
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
