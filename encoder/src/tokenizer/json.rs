//! The parts of a tokenizer.json that are read here; the library reads all of it.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

/// A tokenizer.json with a WordPiece model.
#[derive(Deserialize)]
pub struct Json<'a> {
    #[serde(default)]
    pub added_tokens: Vec<AddedToken>,
    pub normalizer: Value,
    pub pre_tokenizer: Value,
    #[serde(borrow)]
    pub model: Model<'a>,
}

/// What any tokenizer.json has around its model, which may be a large one and is passed over.
#[derive(Deserialize)]
pub struct Around {
    #[serde(default)]
    pub added_tokens: Vec<AddedToken>,
    #[serde(default)]
    pub normalizer: Value,
    #[serde(default)]
    pub pre_tokenizer: Value,
}

/// What stands for the unknown, in the model of any tokenizer.json.
#[derive(Deserialize)]
pub struct Unknown {
    pub model: UnknownModel,
}

/// A token or a number.
#[derive(Deserialize)]
pub struct UnknownModel {
    #[serde(default)]
    pub unk_token: Option<String>,
    #[serde(default)]
    pub unk_id: Option<u32>,
}

/// A token that is looked for in the text itself.
#[derive(Deserialize)]
pub struct AddedToken {
    pub id: u32,
    pub content: String,
    pub normalized: bool,
}

/// The model.
#[derive(Deserialize)]
pub struct Model<'a> {
    #[serde(rename = "type")]
    pub kind: String,
    pub unk_token: String,
    pub continuing_subword_prefix: String,
    pub max_input_chars_per_word: usize,
    #[serde(borrow)]
    pub vocab: Vocabulary<'a>,
}

/// Tokens and ids as they stand there; where a token stands twice, the later one counts.
pub struct Vocabulary<'a>(pub Vec<(Cow<'a, str>, u32)>);

impl<'de: 'a, 'a> Deserialize<'de> for Vocabulary<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tokens;

        impl<'de> Visitor<'de> for Tokens {
            type Value = Vocabulary<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from tokens to ids")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                // A list that grows would leave its smaller selves behind in the heap.
                let mut tokens = Vec::with_capacity(1 << 15);
                while let Some((Token(token), id)) = map.next_entry()? {
                    tokens.push((token, id));
                }
                Ok(Vocabulary(tokens))
            }
        }

        deserializer.deserialize_map(Tokens)
    }
}

/// Borrowed where the JSON escapes nothing.
#[derive(Deserialize)]
struct Token<'a>(#[serde(borrow)] Cow<'a, str>);

impl Json<'_> {
    /// The id of the unknown token, where the tokenizer is one that the fast path reads as the reference does.
    pub fn unknown(&self) -> Option<u32> {
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
            && model.continuing_subword_prefix == "##"
            && self.added_tokens.iter().all(|token| !token.normalized && !token.content.is_empty());
        let mut tokens = model.vocab.0.iter().rev();
        tokens.find(|(token, _)| right && *token == model.unk_token).map(|&(_, id)| id)
    }

    /// The highest id and one.
    pub fn rows(&self) -> usize {
        let ids = self.model.vocab.0.iter().map(|&(_, id)| id).chain(self.added_tokens.iter().map(|token| token.id));
        ids.max().map_or(0, |id| id as usize + 1)
    }
}
