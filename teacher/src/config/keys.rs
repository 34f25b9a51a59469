//! The keys of `config.json` as the architectures name them, with the defaults of transformers.

use serde::Deserialize;

/// The keys that decide whether a model is supported at all.
#[derive(Deserialize)]
pub(super) struct ModelKeys {
    pub model_type: Option<String>,
    pub position_embedding_type: Option<String>,
    #[serde(default)]
    pub is_decoder: bool,
    #[serde(default)]
    pub add_cross_attention: bool,
}

/// The keys of BERT, the RoBERTa family and MPNet.
#[derive(Deserialize)]
pub(super) struct BertKeys {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    pub hidden_act: Option<String>,
    #[serde(default = "default_positions")]
    pub max_position_embeddings: usize,
    #[serde(default = "default_types")]
    pub type_vocab_size: usize,
    #[serde(default = "default_eps")]
    pub layer_norm_eps: f64,
    pub pad_token_id: Option<u32>,
    #[serde(default = "default_buckets")]
    pub relative_attention_num_buckets: usize,
}

/// The keys of DistilBERT.
#[derive(Deserialize)]
pub(super) struct DistilBertKeys {
    pub vocab_size: usize,
    pub dim: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    pub hidden_dim: usize,
    pub activation: Option<String>,
    #[serde(default = "default_positions")]
    pub max_position_embeddings: usize,
    #[serde(default)]
    pub sinusoidal_pos_embds: bool,
}

fn default_positions() -> usize {
    512
}

fn default_types() -> usize {
    2
}

pub(super) fn default_eps() -> f64 {
    1e-12
}

fn default_buckets() -> usize {
    32
}
