//! What students and teachers write into folders of sentence-transformers alike.

use serde_json::{Value, json};

/// The ways of pooling, as the configuration of a Pooling module names them.
const POOLING_MODES: [&str; 6] =
    ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"];

/// The configuration of a Pooling module over vectors of `width` numbers, with these of its modes.
pub fn pooling(width: usize, modes: &[&str]) -> Value {
    let mut config = json!({"word_embedding_dimension": width});
    for mode in POOLING_MODES {
        config[format!("pooling_mode_{mode}")] = modes.contains(&mode).into();
    }
    config["include_prompt"] = true.into();
    config
}

/// The configuration of a Dense module with a bias; `activation` is a class of PyTorch.
pub fn dense(inputs: usize, outputs: usize, activation: &str) -> Value {
    json!({"in_features": inputs, "out_features": outputs, "bias": true, "activation_function": activation})
}

/// `sentence_bert_config.json`: the longest text in tokens, special ones included.
pub fn limits(max_tokens: Option<usize>) -> Value {
    json!({"max_seq_length": max_tokens, "do_lower_case": false})
}
