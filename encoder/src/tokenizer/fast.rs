//! The fast path: BERT's normaliser, pre-tokenizer and WordPiece, where they are known to give the reference's ids.
//!
//! This crate has its own WordPiece because the `tokenizers` library allocates for every text and word, which would
//! take longer than a folded student takes for the vector. Here an ASCII text allocates nothing.
//!
//! `wordpiece.rs` looks up the tokens of a word, and normalises and splits ASCII text. `tokie` normalises and splits
//! other text of [plain](super::plain) characters. The `tokenizers` library's own normaliser and pre-tokenizer do so,
//! slowly, for text of any characters. The fast path refuses:
//! - tokenizers other than BERT's normaliser, pre-tokenizer and WordPiece;
//! - texts that contain an added token.

use tokenizers::{
    Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, normalizers::BertNormalizer,
    pre_tokenizers::bert::BertPreTokenizer,
};

use super::{json::WordPieceJson, plain::is_plain, wordpiece::WordPiece};

/// BERT's tokenizer.
pub(super) struct FastPath {
    /// Normalises and splits plain text beyond ASCII.
    tokie: tokie::Tokenizer,
    /// The reference's own normaliser, for text that isn't plain.
    normaliser: BertNormalizer,
    wordpiece: WordPiece,
    lowercase: bool,
    /// Tokens that are searched for in the raw text, such as `[MASK]`.
    added: Vec<Box<[u8]>>,
    /// Whether an added token begins with this byte.
    begins_added: [bool; 256],
    /// Whether every added token begins with ASCII punctuation.
    punctuation: bool,
    /// The highest id plus one.
    pub(super) vocabulary: usize,
}

impl FastPath {
    /// The fast path for this tokenizer, if its JSON has the right structure. Whether the ids are the reference's has
    /// to be checked, see [`tokenizer_check`](super::tokenizer_check).
    pub(super) fn new(json: &[u8]) -> Option<Self> {
        let json: WordPieceJson<'_> = serde_json::from_slice(json).ok()?;
        let wordpiece = WordPiece::new(&json.model.vocab.0, json.unknown()?, json.model.max_input_chars_per_word)?;
        let added: Vec<Box<[u8]>> = json.added_tokens.iter().map(|token| token.content.as_bytes().into()).collect();
        let mut begins_added = [false; 256];
        added.iter().for_each(|token| begins_added[usize::from(token[0])] = true);
        // Only `tokie`'s normaliser and pre-tokenizer are used: a vocabulary of one token is enough.
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
            wordpiece,
            lowercase: json.normalizer["lowercase"].as_bool()?,
            punctuation: added.iter().all(|token| token[0].is_ascii_punctuation()),
            added,
            begins_added,
            vocabulary: json.vocabulary_size(),
        })
    }

    /// Appends the first `room` ids of `text`. Returns `false` and appends nothing where the text needs the reference.
    pub(super) fn encode(&self, text: &str, room: usize, out: &mut Vec<u32>) -> bool {
        let start = out.len();
        let stops = |rest: &[u8]| rest[0] == 0x7f || self.begins_with_added(rest);
        let mut done = text.is_ascii()
            && (self.punctuation || !self.holds_added(text))
            && self.wordpiece.encode_ascii(text, self.lowercase, room, stops, out);
        if !done {
            out.truncate(start);
            done = !self.holds_added(text) && self.encode_any(text, room, out).is_some();
        }
        out.truncate(if done { start.saturating_add(room) } else { start });
        done
    }

    /// Appends at least the first `room` ids of a text without added tokens. Returns `None` where the text cannot be
    /// split into words.
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

    /// Appends the ids of `words`, word by word, until `out` has at least `most` ids.
    fn encode_words<'a>(&self, words: impl Iterator<Item = &'a str>, most: usize, out: &mut Vec<u32>) {
        for word in words {
            if out.len() >= most {
                break;
            }
            self.wordpiece.encode(word, out);
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
