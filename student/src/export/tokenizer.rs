//! The tokenizer's files for other libraries, which get the same ids from them as [`tokenise`](crate::tokenise).

use std::path::Path;

use limbeck_encoder::{Special, Tokenizer};
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// The longest input where there is no limit: libraries want a whole number.
const NO_LIMIT: usize = 1_000_000_000;

/// The two files of a tokenizer.
pub(super) struct TokenizerFiles {
    /// `tokenizer.json`
    pub tokenizer: Value,
    /// `tokenizer_config.json`
    pub config: Value,
}

impl TokenizerFiles {
    /// The student's tokenizer without special tokens around a text and without padding; it truncates at `max_tokens`,
    /// if given.
    ///
    /// # Errors
    /// A tokenizer whose JSON can't be parsed.
    pub(super) fn plain(tokenizer: &Tokenizer, max_tokens: Option<usize>) -> Result<Self> {
        let parsed = serde_json::from_slice(tokenizer.json());
        let mut json: Value = parsed.map_err(|error| Error::folder(Path::new("tokenizer.json"), error))?;
        json["post_processor"] = Value::Null;
        json["padding"] = Value::Null;
        json["truncation"] = Value::Null;
        if let Some(tokens) = max_tokens {
            json["truncation"] =
                json!({"direction": "Right", "max_length": tokens, "strategy": "LongestFirst", "stride": 0});
        }
        // A token that the config names becomes special where the file is loaded, so only tokens that are special
        // already may be named.
        let added = json["added_tokens"].as_array().into_iter().flatten();
        let added: Vec<&str> = added.filter_map(|token| token["content"].as_str()).collect();
        let unknown = tokenizer.unknown().and_then(|id| tokenizer.token(id));
        let unknown = unknown.filter(|token| added.contains(&token.as_str()));
        let padding = ["[PAD]", "<pad>"].into_iter().find(|token| added.contains(token)).map(str::to_owned);
        let padding = padding.or_else(|| unknown.clone()).or_else(|| added.first().map(|token| token.to_string()));
        let config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": max_tokens.unwrap_or(NO_LIMIT),
            "model_input_names": ["input_ids", "attention_mask"],
            "pad_token": padding,
            "unk_token": unknown,
            "padding_side": "right",
            "truncation_side": "right",
            "clean_up_tokenization_spaces": false,
        });
        Ok(Self { tokenizer: json, config })
    }

    /// The same with the special token `token` after every text and as padding; its id follows the tokenizer's last.
    ///
    /// # Errors
    /// A tokenizer in whose vocabulary `token` can't have that id.
    pub(super) fn with_end(tokenizer: &Tokenizer, max_tokens: Option<usize>, token: &str) -> Result<Self> {
        let most = max_tokens.map(|tokens| tokens + 1);
        let Self { tokenizer: mut json, mut config } = Self::plain(tokenizer, most)?;
        config["pad_token"] = token.into();
        let id = tokenizer.vocabulary();
        match &mut json["model"]["vocab"] {
            Value::Object(vocabulary) => drop(vocabulary.insert(token.to_owned(), id.into())),
            // Unigram has a list whose indices are the ids.
            Value::Array(pieces) if pieces.len() == id => pieces.push(json!([token, -100.0])),
            _ => {}
        }
        let mut added = json["added_tokens"].as_array().cloned().unwrap_or_default();
        added.push(json!({
            "id": id, "content": token, "special": true, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false,
        }));
        json["added_tokens"] = added.into();
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
        let is_next = ids == [id as u32] && read.id(token) == Some(id as u32);
        let allowed = format!("{id}, the first above its vocabulary");
        Error::require(is_next, "the tokenizer's next id", format!("{ids:?}"), allowed)?;
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokenizer(model: Value, added: Value) -> Tokenizer {
        let json = json!({
            "version": "1.0", "truncation": {"max_length": 2, "strategy": "LongestFirst", "stride": 0},
            "padding": null, "added_tokens": added, "normalizer": null, "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": null, "decoder": null, "model": model,
        });
        Tokenizer::from_bytes(json.to_string().as_bytes(), Path::new("test")).unwrap()
    }

    fn models() -> [Value; 2] {
        [
            json!({"type": "WordLevel", "vocab": {"<unk>": 0, "gin": 1, "tonic": 2}, "unk_token": "<unk>"}),
            json!({"type": "Unigram", "unk_id": 0, "byte_fallback": false,
                   "vocab": [["<unk>", 0.0], ["gin", -1.0], ["tonic", -2.0]]}),
        ]
    }

    fn ids(files: &TokenizerFiles, text: &str) -> Vec<u32> {
        let tokenizer = tokenizers::Tokenizer::from_bytes(files.tokenizer.to_string().as_bytes()).unwrap();
        tokenizer.encode_fast(text, true).unwrap().get_ids().to_vec()
    }

    #[test]
    fn other_libraries_get_the_students_ids_and_the_end_token() {
        for model in models() {
            let tokenizer = tokenizer(model, json!([]));
            let plain = TokenizerFiles::plain(&tokenizer, None).unwrap();
            assert_eq!(ids(&plain, "gin gin tonic"), [1, 1, 2]);
            assert_eq!(ids(&plain, ""), [0; 0]);
            let end = TokenizerFiles::with_end(&tokenizer, None, "<end>").unwrap();
            assert_eq!(ids(&end, "gin gin tonic"), [1, 1, 2, 3]);
            assert_eq!(ids(&end, ""), [3]);
            let cut = TokenizerFiles::with_end(&tokenizer, Some(2), "<end>").unwrap();
            assert_eq!(ids(&cut, "gin gin tonic"), [1, 1, 3]);
            assert_eq!((&cut.config["model_max_length"], &cut.config["pad_token"]), (&json!(3), &json!("<end>")));
        }
    }

    #[test]
    fn only_special_tokens_are_named_in_the_config() {
        let [model, _] = models();
        let plain = TokenizerFiles::plain(&tokenizer(model.clone(), json!([])), None).unwrap();
        assert_eq!((&plain.config["pad_token"], &plain.config["unk_token"]), (&Value::Null, &Value::Null));
        let added = json!([{"id": 0, "content": "<unk>", "special": true, "single_word": false, "lstrip": false,
                            "rstrip": false, "normalized": false}]);
        let plain = TokenizerFiles::plain(&tokenizer(model, added), Some(7)).unwrap();
        assert_eq!((&plain.config["pad_token"], &plain.config["unk_token"]), (&json!("<unk>"), &json!("<unk>")));
        assert_eq!(plain.config["model_max_length"], 7);
    }
}
