//! WordPiece over a word's bytes, and BERT's words in ASCII text; neither allocates.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use serde_json::Value;

use super::short::{self, ShortWords};

type Vocabulary = HashMap<Box<[u8]>, u32, FixedState>;

/// The longest word that the ASCII path takes, in bytes; BERT's limit is 100 characters.
const LONGEST_WORD: usize = 256;

/// The tokens of a WordPiece model: those that begin a word, and those that go on with one; short ones also by their keys.
pub struct Pieces {
    first: Vocabulary,
    further: Vocabulary,
    short_first: ShortWords,
    short_further: ShortWords,
    /// The longest token in bytes.
    longest: usize,
    unknown: u32,
    /// A word of more characters is unknown.
    most_characters: usize,
}

impl Pieces {
    /// From a tokenizer.json's `model`, whose continuing prefix is `##`; `unknown` is the id of its unknown token. None
    /// where a word may be longer than [`LONGEST_WORD`].
    pub fn new(model: &Value, unknown: u32) -> Option<Self> {
        let most_characters = model["max_input_chars_per_word"].as_u64().unwrap_or(100) as usize;
        let (mut first, mut further) = (Vocabulary::default(), Vocabulary::default());
        let mut longest = 1;
        for (token, id) in model["vocab"].as_object()? {
            let id = u32::try_from(id.as_u64()?).ok()?;
            longest = longest.max(token.len());
            if let Some(rest) = token.strip_prefix("##") {
                further.insert(rest.as_bytes().into(), id);
            }
            // A word may be `##`, or begin so, where the pre-tokenizer leaves it whole.
            first.insert(token.as_bytes().into(), id);
        }
        let short = |words: &Vocabulary| ShortWords::new(words.iter().map(|(word, &id)| (&**word, id)));
        let (short_first, short_further) = (short(&first), short(&further));
        let all = Self { first, further, short_first, short_further, longest, unknown, most_characters };
        (most_characters <= LONGEST_WORD).then_some(all)
    }

    /// Appends the ids of one word: the longest token it begins with, then of the rest; the unknown token where some rest
    /// begins with none.
    pub fn encode(&self, word: &str, out: &mut Vec<u32>) {
        let bytes = word.as_bytes();
        if let Some(&id) = self.first.get(bytes).filter(|_| bytes.len() <= self.most_characters) {
            return out.push(id);
        }
        if bytes.len() > self.most_characters && word.chars().count() > self.most_characters {
            return out.push(self.unknown);
        }
        let start = out.len();
        let mut at = 0;
        while at < bytes.len() {
            let vocabulary = if at == 0 { &self.first } else { &self.further };
            let ends = (at + 1..=bytes.len().min(at + self.longest)).rev().filter(|&end| word.is_char_boundary(end));
            let found = ends.map(|end| (end, vocabulary.get(&bytes[at..end]))).find(|(_, id)| id.is_some());
            let Some((end, Some(&id))) = found else {
                out.truncate(start);
                return out.push(self.unknown);
            };
            out.push(id);
            at = end;
        }
    }

    /// The same for a word of `length` bytes of ASCII that has this key.
    fn encode_short(&self, key: u128, length: usize, out: &mut Vec<u32>) {
        if length > self.most_characters {
            return out.push(self.unknown);
        }
        if let Some(id) = self.short_first.get(key) {
            return out.push(id);
        }
        let start = out.len();
        let mut at = 0;
        while at < length {
            let words = if at == 0 { &self.short_first } else { &self.short_further };
            let mut parts = (1..=length - at).rev().map(|part| (part, words.get(short::part(key, at, part))));
            let Some((part, Some(id))) = parts.find(|(_, id)| id.is_some()) else {
                out.truncate(start);
                return out.push(self.unknown);
            };
            out.push(id);
            at += part;
        }
    }

    /// Appends at least the first `room` ids, if there are as many, of a text of ASCII without U+007F. BERT's normaliser
    /// and pre-tokenizer: tab, line feed, carriage return and space end a word, other controls vanish, punctuation is a
    /// word a character.
    pub fn encode_ascii(&self, text: &str, lowercase: bool, room: usize, out: &mut Vec<u32>) {
        let most = out.len().saturating_add(room);
        let mut word = [0u8; LONGEST_WORD + 1];
        let mut length = 0;
        for &byte in text.as_bytes() {
            let kind = KINDS[usize::from(byte)];
            if kind == Kind::Letter {
                // A word past the limit keeps being so.
                word[length.min(LONGEST_WORD)] = if lowercase { byte.to_ascii_lowercase() } else { byte };
                length = (length + 1).min(LONGEST_WORD + 1);
                continue;
            }
            if kind == Kind::Removed {
                continue;
            }
            self.encode_bytes(&word, length, out);
            length = 0;
            if out.len() >= most {
                return;
            }
            if kind == Kind::Punctuation {
                self.encode_short(u128::from(byte), 1, out);
            }
        }
        self.encode_bytes(&word, length, out);
    }

    /// Appends the ids of the first `length` bytes, which are ASCII without controls.
    fn encode_bytes(&self, word: &[u8; LONGEST_WORD + 1], length: usize, out: &mut Vec<u32>) {
        if length == 0 {
            return;
        }
        if length <= short::LONGEST
            && let Some(bytes) = word.first_chunk()
        {
            let key = short::part(u128::from_le_bytes(*bytes), 0, length);
            return self.encode_short(key, length, out);
        }
        match std::str::from_utf8(&word[..length]) {
            Ok(word) => self.encode(word, out),
            // Not ASCII after all; the caller promised that it is.
            Err(_) => out.push(self.unknown),
        }
    }
}

/// What BERT makes of an ASCII character.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Letter,
    Space,
    Punctuation,
    Removed,
}

const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Letter; 256];
    let mut byte = 0;
    while byte < 128 {
        kinds[byte] = match byte as u8 {
            b' ' | b'\t' | b'\n' | b'\r' => Kind::Space,
            0..0x20 | 0x7f => Kind::Removed,
            other if other.is_ascii_punctuation() => Kind::Punctuation,
            _ => Kind::Letter,
        };
        byte += 1;
    }
    kinds
};
