//! The fast path: BERT's normaliser, pre-tokenizer and WordPiece, where they are known to give the reference's ids.
//!
//! Pieces of words are found here (`pieces.rs`), ASCII text is normalised and cut into words there too, other text by `tokie`, and text with
//! a character that is not [plain](super::plain) by the normaliser and pre-tokenizer of `tokenizers`, slowly. What could differ is kept away:
//! - tokenizers that are not BERT's normaliser, pre-tokenizer and WordPiece;
//! - texts with an added token in them.

use tokenizers::{
    Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, normalizers::BertNormalizer,
    pre_tokenizers::bert::BertPreTokenizer,
};

use super::{json::Json, pieces::Pieces, plain::is_plain, probe};

/// BERT's WordPiece.
pub struct Fast {
    /// Normalises and cuts what isn't ASCII.
    tokie: tokie::Tokenizer,
    /// The reference's own, for what isn't plain.
    normaliser: BertNormalizer,
    pieces: Pieces,
    lowercase: bool,
    /// Tokens that are found in the text itself, `[MASK]` and the like.
    added: Vec<Box<[u8]>>,
    /// The bytes that one of them begins with.
    begins_added: [bool; 256],
    /// Whether each of them begins with punctuation of ASCII.
    punctuation: bool,
    /// The highest id and one.
    rows: usize,
}

impl Fast {
    /// The fast path for this tokenizer, if its JSON has the right structure. [`Fast::agrees`] tells whether it does as the
    /// reference does.
    pub fn new(json: &[u8]) -> Option<Self> {
        let json: Json<'_> = serde_json::from_slice(json).ok()?;
        let pieces = Pieces::new(&json.model.vocab.0, json.unknown()?, json.model.max_input_chars_per_word)?;
        let added: Vec<Box<[u8]>> = json.added_tokens.iter().map(|token| token.content.as_bytes().into()).collect();
        let mut begins_added = [false; 256];
        added.iter().for_each(|token| begins_added[usize::from(token[0])] = true);
        // All that is wanted of `tokie` are normaliser and pre-tokenizer: a vocabulary of one token will do.
        let bare = serde_json::json!({
            "normalizer": json.normalizer,
            "pre_tokenizer": json.pre_tokenizer,
            "added_tokens": [],
            "model": {
                "type": "WordPiece",
                "unk_token": "[UNK]",
                "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": { "[UNK]": 0 },
            },
        });
        Some(Self {
            tokie: tokie::hf::from_json_str(&bare.to_string()).ok()?,
            normaliser: serde_json::from_value(json.normalizer.clone()).ok()?,
            pieces,
            lowercase: json.normalizer["lowercase"].as_bool()?,
            punctuation: added.iter().all(|token| token[0].is_ascii_punctuation()),
            added,
            begins_added,
            rows: json.rows(),
        })
    }

    /// Whether all probe texts have the ids that `reference` gives them.
    pub fn agrees(&self, reference: impl Fn(&str) -> Option<Vec<u32>>) -> bool {
        probe::texts().iter().all(|text| {
            let mut ids = Vec::new();
            !self.encode(text, usize::MAX, &mut ids) || reference(text).is_some_and(|reference| reference == ids)
        })
    }

    /// The highest id and one.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Appends the first `room` ids of `text`. False, and nothing appended, where the text is not for this path.
    pub fn encode(&self, text: &str, room: usize, out: &mut Vec<u32>) -> bool {
        let start = out.len();
        let stops = |rest: &[u8]| rest[0] == 0x7f || self.begins_with_added(rest);
        let mut done = text.is_ascii()
            && (self.punctuation || !self.holds_added(text))
            && self.pieces.encode_ascii(text, self.lowercase, room, stops, out);
        if !done {
            out.truncate(start);
            done = !self.holds_added(text) && self.encode_any(text, room, out).is_some();
        }
        out.truncate(if done { start.saturating_add(room) } else { start });
        done
    }

    /// Appends at least the first `room` ids of a text without added tokens; none where its words can't be found.
    fn encode_any(&self, text: &str, room: usize, out: &mut Vec<u32>) -> Option<()> {
        let most = out.len().saturating_add(room);
        if text.chars().all(|c| if c.is_ascii() { c != '\u{7f}' } else { is_plain(c) }) {
            let normalised = self.tokie.normalizer().normalize(text);
            self.encode_words(self.tokie.pretokenizer()?.split(&normalised), most, out);
        } else {
            let mut words = PreTokenizedString::from(text);
            words.normalize(|text| self.normaliser.normalize(text)).ok()?;
            BertPreTokenizer.pre_tokenize(&mut words).ok()?;
            let words = words.get_splits(OffsetReferential::Normalized, OffsetType::None);
            self.encode_words(words.into_iter().map(|(word, ..)| word), most, out);
        }
        Some(())
    }

    /// Appends the ids of `words` until there are `most` in `out`, or more by the last word's.
    fn encode_words<'a>(&self, words: impl Iterator<Item = &'a str>, most: usize, out: &mut Vec<u32>) {
        for word in words {
            if out.len() >= most {
                break;
            }
            self.pieces.encode(word, out);
        }
    }

    fn holds_added(&self, text: &str) -> bool {
        let text = text.as_bytes();
        (0..text.len()).any(|at| self.begins_with_added(&text[at..]))
    }

    #[inline]
    fn begins_with_added(&self, text: &[u8]) -> bool {
        self.begins_added[usize::from(text[0])] && self.added.iter().any(|token| text.starts_with(token))
    }
}
