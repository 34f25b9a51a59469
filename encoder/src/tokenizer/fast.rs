//! The fast path: BERT's normaliser, pre-tokenizer and WordPiece, where they are known to give the reference's ids.
//!
//! Pieces of words are found here (`pieces.rs`), ASCII text is normalised and cut into words there too, and other text by
//! `tokie`. What could differ is kept away:
//! - tokenizers that are not BERT's normaliser, pre-tokenizer and WordPiece;
//! - texts with a character that is not [plain](super::plain), or with the first byte of an added token.

use serde_json::Value;

use super::{pieces::Pieces, plain::is_plain, probe};

/// BERT's WordPiece.
pub struct Fast {
    /// Normalises and cuts what isn't ASCII.
    tokie: tokie::Tokenizer,
    pieces: Pieces,
    lowercase: bool,
    /// The ASCII bytes that are treated as by the reference, those that begin an added token left out.
    ascii: [bool; 256],
}

impl Fast {
    /// The fast path for this tokenizer, if there is one: `json` has the right structure, and `reference` gives the same ids on
    /// all probe texts.
    pub fn new(json: &[u8], reference: impl Fn(&str) -> Option<Vec<u32>>) -> Option<Self> {
        let text = std::str::from_utf8(json).ok()?;
        let value: Value = serde_json::from_str(text).ok()?;
        let unknown = structure(&value)?;
        let mut ascii = [true; 256];
        ascii[0x7f..].fill(false);
        for token in value["added_tokens"].as_array().into_iter().flatten() {
            ascii[usize::from(*token["content"].as_str()?.as_bytes().first()?)] = false;
        }
        let tokie = tokie::hf::from_json_str(text).ok()?;
        let pieces = Pieces::new(&value["model"], unknown)?;
        let lowercase = value["normalizer"]["lowercase"].as_bool()?;
        let fast = Self { tokie, pieces, lowercase, ascii };
        let same = |text: &str| {
            let mut ids = Vec::new();
            !fast.encode(text, usize::MAX, &mut ids) || reference(text).is_some_and(|reference| reference == ids)
        };
        probe::texts().iter().all(|text| same(text)).then_some(fast)
    }

    /// Appends the first `room` ids of `text`. False, and nothing appended, where the text is not for this path.
    pub fn encode(&self, text: &str, room: usize, out: &mut Vec<u32>) -> bool {
        let start = out.len();
        if text.bytes().all(|byte| self.ascii[usize::from(byte)]) {
            self.pieces.encode_ascii(text, self.lowercase, room, out);
        } else if text.chars().all(|c| if c.is_ascii() { self.ascii[c as usize] } else { is_plain(c) }) {
            let normalised = self.tokie.normalizer().normalize(text);
            let Some(words) = self.tokie.pretokenizer() else { return false };
            for word in words.split(&normalised) {
                if out.len() - start >= room {
                    break;
                }
                self.pieces.encode(word, out);
            }
        } else {
            return false;
        }
        out.truncate(start.saturating_add(room));
        true
    }
}

/// The id of the unknown token, where the tokenizer is one that is read here as the reference does.
fn structure(json: &Value) -> Option<u32> {
    let is = |value: &Value, expected: &str| value.as_str() == Some(expected);
    let (normaliser, model) = (&json["normalizer"], &json["model"]);
    let lowercase = normaliser["lowercase"].as_bool()?;
    let strip = normaliser["strip_accents"].as_bool().unwrap_or(lowercase);
    let added = json["added_tokens"].as_array().map_or(&[][..], Vec::as_slice);
    let right = is(&normaliser["type"], "BertNormalizer")
        && normaliser["clean_text"].as_bool() == Some(true)
        && normaliser["handle_chinese_chars"].as_bool() == Some(true)
        && strip == lowercase
        && is(&json["pre_tokenizer"]["type"], "BertPreTokenizer")
        && is(&model["type"], "WordPiece")
        && is(&model["continuing_subword_prefix"], "##")
        && added.iter().all(|token| {
            token["normalized"].as_bool() == Some(false) && token["content"].as_str().is_some_and(|c| !c.is_empty())
        });
    if !right {
        return None;
    }
    u32::try_from(model["vocab"].get(model["unk_token"].as_str()?)?.as_u64()?).ok()
}
