//! The tokenizer's files as other libraries read them: the ids that they give are those of [`tokenise`](crate::tokens).

use std::path::Path;

use limbeck_encoder::{Special, Tokenizer};
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// A longest input that no text reaches; libraries want a whole number.
const NO_LIMIT: usize = 1_000_000_000;

/// A tokenizer.json and what stands beside it.
pub struct TokenizerFiles {
    pub tokenizer: Value,
    pub config: Value,
}

impl TokenizerFiles {
    /// The student's tokenizer: no special tokens around a text, nothing padded, cut at `max_tokens` where that is given.
    ///
    /// # Errors
    /// A tokenizer whose JSON isn't what it was when it was opened.
    pub fn plain(tokenizer: &Tokenizer, max_tokens: Option<usize>) -> Result<Self> {
        let mut json: Value = serde_json::from_slice(tokenizer.json()).map_err(broken)?;
        json["post_processor"] = Value::Null;
        json["padding"] = Value::Null;
        json["truncation"] = max_tokens.map_or(
            Value::Null,
            |tokens| json!({"direction": "Right", "max_length": tokens, "strategy": "LongestFirst", "stride": 0}),
        );
        let padding = ["[PAD]", "<pad>"].into_iter().find(|token| tokenizer.id(token).is_some());
        let padding = padding.map(str::to_owned).or_else(|| tokenizer.token(0)).unwrap_or_default();
        let config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": max_tokens.unwrap_or(NO_LIMIT),
            "model_input_names": ["input_ids", "attention_mask"],
            "pad_token": padding,
            "unk_token": unknown(&json, tokenizer),
            "padding_side": "right",
            "truncation_side": "right",
            "clean_up_tokenization_spaces": false,
        });
        Ok(Self { tokenizer: json, config })
    }

    /// The same with `token` after every text, special and of the id that follows the tokenizer's last.
    ///
    /// # Errors
    /// A tokenizer in whose vocabulary `token` can't get that id.
    pub fn with_end(tokenizer: &Tokenizer, max_tokens: Option<usize>, token: &str) -> Result<Self> {
        let most = max_tokens.map(|tokens| tokens + 1);
        let Self { tokenizer: mut json, config } = Self::plain(tokenizer, most)?;
        let id = tokenizer.vocabulary();
        match &mut json["model"]["vocab"] {
            Value::Object(vocabulary) => drop(vocabulary.insert(token.to_owned(), id.into())),
            // Unigram's list: the place is the id.
            Value::Array(pieces) if pieces.len() == id => pieces.push(json!([token, -100.0])),
            _ => {}
        }
        if !json["added_tokens"].is_array() {
            json["added_tokens"] = json!([]);
        }
        if let Some(added) = json["added_tokens"].as_array_mut() {
            added.push(json!({
                "id": id, "content": token, "special": true, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false,
            }));
        }
        let end = json!({"SpecialToken": {"id": token, "type_id": 0}});
        let text = |name: &str| json!({"Sequence": {"id": name, "type_id": 0}});
        json["post_processor"] = json!({
            "type": "TemplateProcessing",
            "single": [text("A"), end],
            "pair": [text("A"), text("B"), end],
            "special_tokens": {token: {"id": token, "ids": [id], "tokens": [token]}},
        });
        let files = Self { tokenizer: json, config };
        let read = Tokenizer::from_bytes(files.tokenizer.to_string().as_bytes(), Path::new("tokenizer.json"))?;
        let mut ids = Vec::new();
        read.encode_into("", Special::With, None, &mut ids)?;
        if ids != [id as u32] || read.id(token) != Some(id as u32) {
            return Err(Error::Setting {
                name: "the tokenizer's next id",
                value: format!("{ids:?}"),
                allowed: format!("{id}, the first above its vocabulary"),
            });
        }
        Ok(files)
    }
}

/// The token of what the vocabulary doesn't know.
fn unknown(json: &Value, tokenizer: &Tokenizer) -> Value {
    let model = &json["model"];
    match (&model["unk_token"], model["unk_id"].as_u64()) {
        (Value::String(token), _) => Value::String(token.clone()),
        (_, Some(id)) => tokenizer.token(id as u32).map_or(Value::Null, Value::String),
        _ => Value::Null,
    }
}

fn broken(error: serde_json::Error) -> Error {
    Error::Folder { path: "tokenizer.json".into(), reason: error.to_string() }
}
