//! The parts of a tokenizer.json that this crate reads itself; the `tokenizers` library reads all of the file.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

/// A tokenizer.json with a WordPiece model.
#[derive(Deserialize)]
pub(super) struct WordPieceJson<'a> {
    #[serde(default)]
    pub(super) added_tokens: Vec<AddedToken>,
    pub(super) normalizer: Value,
    pub(super) pre_tokenizer: Value,
    #[serde(borrow)]
    pub(super) model: WordPieceModelJson<'a>,
}

/// The parts of any tokenizer.json around the model, which may be large and is skipped.
#[derive(Deserialize)]
pub(super) struct SurroundingsJson {
    #[serde(default)]
    pub(super) added_tokens: Vec<AddedToken>,
    #[serde(default)]
    pub(super) normalizer: Value,
    #[serde(default)]
    pub(super) pre_tokenizer: Value,
}

/// Any tokenizer.json, read for the model's unknown token.
#[derive(Deserialize)]
pub(super) struct UnknownTokenJson {
    pub(super) model: UnknownTokenModel,
}

/// The unknown token, or its id.
#[derive(Deserialize)]
pub(super) struct UnknownTokenModel {
    #[serde(default)]
    pub(super) unk_token: Option<String>,
    #[serde(default)]
    pub(super) unk_id: Option<u32>,
}

/// A token that is searched for before the model splits the text.
#[derive(Deserialize)]
pub(super) struct AddedToken {
    pub(super) id: u32,
    pub(super) content: String,
    /// Whether the token is searched for in the normalised text.
    pub(super) normalized: bool,
    /// Whether the token counts only where no word character stands beside it.
    pub(super) single_word: bool,
    /// Whether the token takes the white space before it.
    pub(super) lstrip: bool,
    /// Whether the token takes the white space after it.
    pub(super) rstrip: bool,
}

/// The WordPiece model.
#[derive(Deserialize)]
pub(super) struct WordPieceModelJson<'a> {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) unk_token: String,
    pub(super) continuing_subword_prefix: String,
    pub(super) max_input_chars_per_word: usize,
    #[serde(borrow)]
    pub(super) vocab: VocabularyJson<'a>,
}

/// Tokens and ids in the order of the file; of a token that occurs twice, the later id counts.
pub(super) struct VocabularyJson<'a>(pub(super) Vec<(Cow<'a, str>, u32)>);

impl<'de: 'a, 'a> Deserialize<'de> for VocabularyJson<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct VocabularyVisitor;

        impl<'de> Visitor<'de> for VocabularyVisitor {
            type Value = VocabularyJson<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from tokens to ids")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                // Reserved at once: a growing list would leave its smaller copies in the heap.
                let mut tokens = Vec::with_capacity(1 << 15);
                while let Some((TokenJson(token), id)) = map.next_entry()? {
                    tokens.push((token, id));
                }
                Ok(VocabularyJson(tokens))
            }
        }

        deserializer.deserialize_map(VocabularyVisitor)
    }
}

/// A token, borrowed where the JSON escapes nothing.
#[derive(Deserialize)]
struct TokenJson<'a>(#[serde(borrow)] Cow<'a, str>);

impl WordPieceJson<'_> {
    /// The id of the unknown token; `None` for a kind of tokenizer that the fast path does not know.
    pub(super) fn unknown(&self) -> Option<u32> {
        let is = |value: &Value, expected: &str| value.as_str() == Some(expected);
        let (normaliser, model) = (&self.normalizer, &self.model);
        let lowercase = normaliser["lowercase"].as_bool()?;
        let strip = normaliser["strip_accents"].as_bool().unwrap_or(lowercase);
        let right = is(&normaliser["type"], "BertNormalizer")
            && normaliser["clean_text"].as_bool() == Some(true)
            && normaliser["handle_chinese_chars"].as_bool() == Some(true)
            && strip == lowercase
            && is(&self.pre_tokenizer["type"], "BertPreTokenizer")
            && model.kind == "WordPiece"
            && model.continuing_subword_prefix == "##";
        let mut tokens = model.vocab.0.iter().rev();
        tokens.find(|(token, _)| right && *token == model.unk_token).map(|&(_, id)| id)
    }

    /// The highest id plus one.
    pub(super) fn vocabulary_size(&self) -> usize {
        let ids = self.model.vocab.0.iter().map(|&(_, id)| id).chain(self.added_tokens.iter().map(|token| token.id));
        ids.max().map_or(0, |id| id as usize + 1)
    }
}
