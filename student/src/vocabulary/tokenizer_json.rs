//! A tokenizer.json whose tokens are replaced.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::error::{Error, Result};

/// A tokenizer.json as a JSON tree.
pub(super) struct TokenizerJson(pub Value);

impl TokenizerJson {
    /// Parses a tokenizer.json.
    pub(super) fn parse(json: &[u8]) -> Result<Self> {
        let parsed = serde_json::from_slice(json).map(Self);
        parsed.map_err(|error| Error::vocabulary("reading a tokenizer.json")(error.into()))
    }

    /// The model's type, such as `WordPiece`.
    pub(super) fn kind(&self) -> &str {
        self.0["model"]["type"].as_str().unwrap_or_default()
    }

    /// The tokens that no text spells: the added tokens by id, and the unknown token.
    pub(super) fn special(&self) -> Vec<String> {
        let added = self.0["added_tokens"].as_array().into_iter().flatten();
        let added = added.filter_map(|token| Some((token["id"].as_u64()?, token["content"].as_str()?)));
        let mut added: Vec<(u64, &str)> = added.collect();
        added.sort_unstable();
        let mut special: Vec<String> = added.into_iter().map(|(_, content)| content.to_string()).collect();
        let unknown = self.unknown().filter(|unknown| !special.contains(unknown));
        special.extend(unknown);
        special
    }

    /// The tokens of [`TokenizerJson::special`] that `tokens` lacks.
    pub(super) fn outside(&self, tokens: &[String]) -> Vec<String> {
        self.special().into_iter().filter(|token| !tokens.contains(token)).collect()
    }

    /// The first tokens of a trained vocabulary: [`TokenizerJson::special`]. If the unknown token would be the first,
    /// `[PAD]` comes before it, since a student's row 0 is padding.
    pub(super) fn reserved(&self) -> Vec<String> {
        let mut special = self.special();
        if special.first().cloned() == self.unknown() {
            special.retain(|token| token != "[PAD]");
            special.insert(0, "[PAD]".into());
        }
        special
    }

    /// The unknown token.
    pub(super) fn unknown(&self) -> Option<String> {
        let model = &self.0["model"];
        match (model["unk_token"].as_str(), model["unk_id"].as_u64()) {
            (Some(token), _) => Some(token.to_string()),
            (None, Some(id)) => model["vocab"][id as usize][0].as_str().map(str::to_string),
            (None, None) => None,
        }
    }

    /// The longest word, in characters, that a WordPiece model cuts into tokens.
    pub(super) fn longest_word(&self) -> usize {
        self.0["model"]["max_input_chars_per_word"].as_u64().unwrap_or(100) as usize
    }

    /// The tokens of a WordPiece model in the order of their ids.
    pub(super) fn words(&self) -> Vec<(u64, String)> {
        let vocab = self.0["model"]["vocab"].as_object().into_iter().flatten();
        let mut tokens: Vec<_> = vocab.map(|(token, id)| (id.as_u64().unwrap_or_default(), token.clone())).collect();
        tokens.sort_unstable();
        tokens
    }

    /// The tokenizer.json with a WordPiece vocabulary of these tokens, whose ids are their indices.
    pub(super) fn with_words(mut self, tokens: &[String]) -> Result<Vec<u8>> {
        let numbered = tokens.iter().cloned().zip((0u32..).map(Value::from));
        self.0["model"]["vocab"] = Value::Object(numbered.collect());
        self.renumbered(tokens.iter().map(String::as_str))
    }

    /// The tokenizer.json with a unigram model of these pieces and scores; a piece's id is its index.
    pub(super) fn with_pieces(mut self, pieces: &[(String, f64)]) -> Result<Vec<u8>> {
        let unknown = self.unknown();
        let id = unknown.and_then(|unknown| pieces.iter().position(|(piece, _)| *piece == unknown));
        self.0["model"]["unk_id"] = id.map_or(Value::Null, Value::from);
        self.0["model"]["vocab"] = pieces.iter().map(|(piece, score)| json!([piece, score])).collect();
        self.renumbered(pieces.iter().map(|(piece, _)| piece.as_str()))
    }

    /// Updates every id of a special token in the tree, and lets the `tokenizers` crate write the JSON.
    fn renumbered<'a>(mut self, tokens: impl Iterator<Item = &'a str>) -> Result<Vec<u8>> {
        let ids: HashMap<&str, u32> = tokens.zip(0..).collect();
        self.0["truncation"] = Value::Null;
        self.0["padding"] = Value::Null;
        if let Some(added) = self.0.get_mut("added_tokens").and_then(Value::as_array_mut) {
            for token in added.iter_mut() {
                let content = token["content"].as_str().unwrap_or_default();
                token["id"] = id(&ids, content)?.into();
            }
            added.sort_by_key(|token| token["id"].as_u64());
        }
        if let Some(processor) = self.0.get_mut("post_processor") {
            renumber_processor(processor, &ids)?;
        }
        let bytes = self.0.to_string();
        let written = tokenizers::Tokenizer::from_bytes(bytes).and_then(|tokenizer| tokenizer.to_string(false));
        written.map(String::into_bytes).map_err(Error::vocabulary("writing the tokenizer.json"))
    }
}

fn id(ids: &HashMap<&str, u32>, token: &str) -> Result<u32> {
    let missing = || Error::vocabulary("renumbering the special tokens")(format!("there is no token {token:?}").into());
    ids.get(token).copied().ok_or_else(missing)
}

fn renumber_processor(processor: &mut Value, ids: &HashMap<&str, u32>) -> Result<()> {
    for inner in processor.get_mut("processors").and_then(Value::as_array_mut).into_iter().flatten() {
        renumber_processor(inner, ids)?;
    }
    // BERT's and RoBERTa's: `"cls": ["[CLS]", 2]`.
    for name in ["cls", "sep"] {
        if let Some(pair) = processor.get_mut(name).and_then(Value::as_array_mut)
            && let [token, number] = pair.as_mut_slice()
        {
            *number = id(ids, token.as_str().unwrap_or_default())?.into();
        }
    }
    // Templates: `"special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}`.
    for (_, special) in processor.get_mut("special_tokens").and_then(Value::as_object_mut).into_iter().flatten() {
        let tokens = special["tokens"].as_array().cloned().unwrap_or_default();
        let new: Result<Vec<u32>> = tokens.iter().map(|token| id(ids, token.as_str().unwrap_or_default())).collect();
        special["ids"] = new?.into();
    }
    Ok(())
}
