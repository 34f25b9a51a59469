//! The fast path: BERT's normaliser, pre-tokenizer and WordPiece, where they are known to give the reference's ids.
//!
//! This crate has its own WordPiece because the `tokenizers` library allocates for every text and word, which would
//! take longer than a folded student takes for the vector. Here an ASCII text allocates nothing.
//!
//! `wordpiece.rs` looks up the tokens of a word, and normalises and splits ASCII text. `tokie` normalises and splits
//! other text of [plain](super::plain) characters. The `tokenizers` library's own normaliser and pre-tokenizer do so,
//! slowly, for text of any characters. The fast path refuses:
//! - tokenizers other than BERT's normaliser, pre-tokenizer and WordPiece;
//! - texts with a `single_word` added token beside a character beyond ASCII.
//!
//! Texts with added tokens are split at these tokens first (`added.rs`).

use std::collections::HashMap;

use tokenizers::{
    NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
    normalizers::BertNormalizer, pre_tokenizers::bert::BertPreTokenizer,
};

use super::{
    added::{self, AddedTokens, Piece},
    json::WordPieceJson,
    plain::is_plain,
    wordpiece::WordPiece,
};

/// BERT's tokenizer.
pub(super) struct FastPath {
    /// Normalises and splits plain text beyond ASCII.
    tokie: tokie::Tokenizer,
    /// The reference's own normaliser, for text that isn't plain.
    normaliser: BertNormalizer,
    wordpiece: WordPiece,
    lowercase: bool,
    /// Tokens that are searched for in the raw text, such as `[MASK]`.
    raw: AddedTokens,
    /// Tokens that are searched for in the normalised text.
    normalised: AddedTokens,
    /// Whether every raw token begins with ASCII punctuation.
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
        let normaliser: BertNormalizer = serde_json::from_value(json.normalizer.clone()).ok()?;
        let (raw, normalised) = added_tokens(&json, &normaliser)?;
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
            normaliser,
            wordpiece,
            lowercase: json.normalizer["lowercase"].as_bool()?,
            punctuation: raw.begin_with_punctuation(),
            raw,
            normalised,
            vocabulary: json.vocabulary_size(),
        })
    }

    /// Appends the first `room` ids of `text`. Returns `false` and appends nothing where the text needs the reference.
    pub(super) fn encode(&self, text: &str, room: usize, out: &mut Vec<u32>) -> bool {
        let start = out.len();
        let stops = |rest: &[u8]| rest[0] == 0x7f || self.raw.begins(rest);
        let mut done = text.is_ascii()
            && self.normalised.is_empty()
            && (self.punctuation || !self.raw.are_in(text))
            && self.wordpiece.encode_ascii(text, self.lowercase, room, stops, out);
        if !done {
            out.truncate(start);
            done = self.encode_pieces(text, start.saturating_add(room), out).is_some();
        }
        out.truncate(if done { start.saturating_add(room) } else { start });
        done
    }

    /// Appends ids of `text` until `out` has at least `most`. Returns `None` where the text needs the reference.
    fn encode_pieces(&self, text: &str, most: usize, out: &mut Vec<u32>) -> Option<()> {
        if !self.raw.are_in(text) {
            return self.encode_plain(text, most, out);
        }
        for piece in self.raw.split(text)? {
            match piece {
                _ if out.len() >= most => break,
                Piece::Token(id) => out.push(id),
                Piece::Text(text) => self.encode_plain(text, most, out)?,
            }
        }
        Some(())
    }

    /// [`FastPath::encode_pieces`] of a text without raw added tokens.
    fn encode_plain(&self, text: &str, most: usize, out: &mut Vec<u32>) -> Option<()> {
        if text.is_ascii() && !text.contains('\u{7f}') {
            if self.normalised.is_empty() {
                self.encode_ascii(text, most, out);
                return Some(());
            }
            let normalised = normalise_ascii(text, self.lowercase);
            return self.encode_normalised(&normalised, most, out, |text, out| {
                self.encode_ascii(text, most, out);
                Some(())
            });
        }
        // `tokie` gives the same words, but other spaces between them, in which a token might be found.
        if self.normalised.is_empty() && text.chars().all(|c| if c.is_ascii() { c != '\u{7f}' } else { is_plain(c) }) {
            let normalised = self.tokie.normalizer().normalize(text);
            self.encode_words(self.tokie.pretokenizer()?.split(&normalised), most, out);
            return Some(());
        }
        let mut normalised = NormalizedString::from(text);
        self.normaliser.normalize(&mut normalised).ok()?;
        self.encode_normalised(normalised.get(), most, out, |text, out| {
            let mut words = PreTokenizedString::from(text);
            BertPreTokenizer.pre_tokenize(&mut words).ok()?;
            let words = words.get_splits(OffsetReferential::Normalized, OffsetType::None);
            self.encode_words(words.into_iter().map(|(word, ..)| word), most, out);
            Some(())
        })
    }

    /// Appends ids of normalised text; `encode` does so for text without added tokens.
    fn encode_normalised(
        &self,
        text: &str,
        most: usize,
        out: &mut Vec<u32>,
        encode: impl Fn(&str, &mut Vec<u32>) -> Option<()>,
    ) -> Option<()> {
        if !self.normalised.are_in(text) {
            return encode(text, out);
        }
        for piece in self.normalised.split(text)? {
            match piece {
                _ if out.len() >= most => break,
                Piece::Token(id) => out.push(id),
                Piece::Text(text) => encode(text, out)?,
            }
        }
        Some(())
    }

    /// Appends the ids of ASCII text without added tokens and U+007F.
    fn encode_ascii(&self, text: &str, most: usize, out: &mut Vec<u32>) {
        let room = most.saturating_sub(out.len());
        self.wordpiece.encode_ascii(text, self.lowercase, room, |_| false, out);
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
}

/// The added tokens that are searched for in the raw text, and those for the normalised text.
fn added_tokens(json: &WordPieceJson<'_>, normaliser: &BertNormalizer) -> Option<(AddedTokens, AddedTokens)> {
    let model: HashMap<&str, u32> = match json.added_tokens.is_empty() {
        true => HashMap::new(),
        false => json.model.vocab.0.iter().map(|(token, id)| (&**token, *id)).collect(),
    };
    let tokens = added::by_id(&json.added_tokens, |token| model.get(token).copied(), model.len());
    let (normalised, raw): (Vec<_>, Vec<_>) = tokens.into_iter().partition(|(_, token)| token.normalized);
    let raw: Vec<_> = raw.into_iter().map(|(id, token)| (id, token, token.content.clone())).collect();
    let normalised = normalised.into_iter().map(|(id, token)| {
        let mut text = NormalizedString::from(token.content.as_str());
        normaliser.normalize(&mut text).ok()?;
        Some((id, token, text.get().to_owned()))
    });
    Some((AddedTokens::new(&raw)?, AddedTokens::new(&normalised.collect::<Option<Vec<_>>>()?)?))
}

/// BERT's normaliser for ASCII text without U+007F: controls vanish, other white space becomes a space.
fn normalise_ascii(text: &str, lowercase: bool) -> String {
    let kept = text.bytes().filter(|&byte| byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r'));
    let spaced = kept.map(|byte| if byte < b' ' { b' ' } else { byte });
    spaced.map(|byte| char::from(if lowercase { byte.to_ascii_lowercase() } else { byte })).collect()
}
