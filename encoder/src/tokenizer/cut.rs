//! The places where a long text can be cut, so that the pieces together have the ids of the whole.

use super::json::SurroundingsJson;

/// A text is cut at the first possible place after this many bytes.
const PIECE: usize = 16 * 1024;

/// A tokenizer's rules for cutting texts.
pub(super) struct Cuts {
    /// ASCII bytes before which a word ends: spaces and punctuation that no added token contains. (Not `_`, which an
    /// added token marked `single_word` takes for a letter.)
    ends_word: [bool; 128],
    /// Whether every CJK ideograph is a word of its own and no added token contains one.
    ideographs: bool,
}

impl Cuts {
    /// The rules, for a tokenizer whose words never reach over a space: BERT's normaliser and pre-tokenizer, and no
    /// added token that contains a space.
    pub(super) fn new(json: &[u8]) -> Option<Self> {
        let SurroundingsJson { added_tokens, normalizer, pre_tokenizer } = serde_json::from_slice(json).ok()?;
        let bert = normalizer["type"] == "BertNormalizer"
            && normalizer["clean_text"] == true
            && pre_tokenizer["type"] == "BertPreTokenizer";
        let mut ends_word = std::array::from_fn(|byte| {
            let byte = byte as u8;
            byte == b' ' || byte == b'\n' || byte == b'\t' || (byte.is_ascii_punctuation() && byte != b'_')
        });
        let ascii = added_tokens.iter().all(|token| token.content.is_ascii());
        for byte in added_tokens.iter().flat_map(|token| token.content.bytes()) {
            if byte.is_ascii_whitespace() {
                return None;
            }
            if let Some(ends) = ends_word.get_mut(usize::from(byte)) {
                *ends = false;
            }
        }
        // Normalisation may make ASCII of other characters.
        if !added_tokens.iter().all(|token| !token.normalized || token.content.is_ascii()) {
            return None;
        }
        let ideographs = normalizer["handle_chinese_chars"] == true && ascii;
        bert.then_some(Self { ends_word, ideographs })
    }

    /// The length of the first piece of `text`: the whole length where the text is short or has no place to be cut.
    pub(super) fn first(&self, text: &str) -> usize {
        let bytes = text.as_bytes();
        let is_cut = |&at: &usize| {
            // The character before must be a letter, a digit or beyond ASCII: a mark belongs to the character before.
            (bytes[at - 1].is_ascii_alphanumeric() || !bytes[at - 1].is_ascii())
                && self.ends_word.get(usize::from(bytes[at])) == Some(&true)
                || self.ideographs
                    && is_ideograph(bytes.get(at.wrapping_sub(3)..at))
                    && is_ideograph(bytes.get(at..at + 3))
        };
        (PIECE..bytes.len()).find(is_cut).unwrap_or(bytes.len())
    }
}

/// Whether these bytes are one of the common CJK ideographs, U+4E00 to U+9FFF.
fn is_ideograph(bytes: Option<&[u8]>) -> bool {
    let character = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|text| text.chars().next());
    character.is_some_and(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}
