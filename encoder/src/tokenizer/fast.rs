//! The fast path: BERT's WordPiece by `tokie`, where it is known to give the reference's ids.
//!
//! What could differ is kept away from it:
//! - tokenizers that are not BERT's normaliser, pre-tokenizer and WordPiece as `tokie` knows them;
//! - texts with a character that is not [plain](super::plain), or with the first byte of an added token;
//! - words of which it leaves out the end. (Where a word's rest only begins a token, the reference gives the unknown token and `tokie`
//!   0.1.4 the tokens before it.) The bytes of a word's tokens are counted for that.

use serde_json::Value;

use super::{plain::is_plain, probe};

/// BERT's WordPiece by `tokie`.
pub struct Fast {
    tokie: tokie::Tokenizer,
    /// The ASCII bytes that both treat alike, those that begin an added token left out.
    ascii: [bool; 256],
    /// How many bytes of a word a token stands for.
    lengths: Vec<u32>,
    unknown: u32,
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
        let vocab = value["model"]["vocab"].as_object()?;
        let mut lengths = vec![0; vocab.values().filter_map(Value::as_u64).max()? as usize + 1];
        for (token, id) in vocab {
            let length = token.strip_prefix("##").filter(|rest| !rest.is_empty()).unwrap_or(token).len();
            *lengths.get_mut(id.as_u64()? as usize)? = length as u32;
        }
        let fast = Self { tokie, ascii, lengths, unknown };
        let same = |text: &str| {
            let mut ids = Vec::new();
            !fast.encode(text, usize::MAX, &mut ids) || reference(text).is_some_and(|reference| reference == ids)
        };
        probe::texts().iter().all(|text| same(text)).then_some(fast)
    }

    /// Appends the first `room` ids of `text`. False, and nothing appended, where the text is not for this path.
    pub fn encode(&self, text: &str, room: usize, out: &mut Vec<u32>) -> bool {
        if !self.is_plain(text) {
            return false;
        }
        let start = out.len();
        let normalised = self.tokie.normalizer().normalize(text);
        let Some(words) = self.tokie.pretokenizer() else { return false };
        for word in words.split(&normalised) {
            let first = out.len();
            if first - start >= room {
                break;
            }
            self.tokie.encoder().encode_piece_into(normalised.as_bytes(), word.as_bytes(), None, out);
            let length: usize =
                out[first..].iter().map(|&id| self.lengths.get(id as usize).map_or(0, |&n| n as usize)).sum();
            if length != word.len() && out[first..] != [self.unknown] {
                out.truncate(first);
                out.push(self.unknown);
            }
        }
        out.truncate(start.saturating_add(room));
        true
    }

    fn is_plain(&self, text: &str) -> bool {
        if text.bytes().all(|byte| self.ascii[usize::from(byte)]) {
            return true;
        }
        text.chars().all(|c| if c.is_ascii() { self.ascii[c as usize] } else { is_plain(c) })
    }
}

/// The id of the unknown token, where the tokenizer is one that `tokie` reads as the reference does.
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
