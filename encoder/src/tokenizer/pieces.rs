//! WordPiece over a word's bytes, and BERT's words in ASCII text; neither allocates.

use std::{borrow::Cow, collections::HashMap};

use foldhash::fast::FixedState;

use super::short::{self, ShortWords};

/// The longest word that the ASCII path takes, in bytes; BERT's limit is 100 characters.
const LONGEST_WORD: usize = 256;

/// Words and their ids: short ones by their keys, others by their bytes.
struct Words {
    short: ShortWords,
    long: HashMap<Box<[u8]>, u32, FixedState>,
}

impl Words {
    fn new<'a>(words: impl Iterator<Item = (&'a [u8], u32)> + Clone) -> Self {
        let long = words.clone().filter(|(word, _)| short::key_of(word).is_none());
        Self { short: ShortWords::new(words), long: long.map(|(word, id)| (word.into(), id)).collect() }
    }

    fn get(&self, word: &[u8]) -> Option<u32> {
        match short::key_of(word) {
            Some(key) => self.short.get(key),
            None => self.long.get(word).copied(),
        }
    }
}

/// The tokens of a WordPiece model: those that begin a word, and those that go on with one.
pub struct Pieces {
    first: Words,
    further: Words,
    /// The longest token in bytes.
    longest: usize,
    unknown: u32,
    /// A word of more characters is unknown.
    most_characters: usize,
}

impl Pieces {
    /// From a WordPiece model's vocabulary, whose continuing prefix is `##`; `unknown` is the id of its unknown token, and a word of
    /// more than `most_characters` becomes that. None where that is 0, or more than [`LONGEST_WORD`].
    pub fn new(vocabulary: &[(Cow<'_, str>, u32)], unknown: u32, most_characters: usize) -> Option<Self> {
        let tokens = vocabulary.iter().map(|(token, id)| (token.as_bytes(), *id));
        let further = tokens.clone().filter_map(|(token, id)| Some((token.strip_prefix(b"##")?, id)));
        // No word begins with `##`: each of them is a word of its own, as punctuation is.
        let first = tokens.clone().filter(|(token, _)| !token.starts_with(b"##"));
        let longest = tokens.map(|(token, _)| token.len()).max().unwrap_or(0).max(1);
        let all = Self { first: Words::new(first), further: Words::new(further), longest, unknown, most_characters };
        (1..=LONGEST_WORD).contains(&most_characters).then_some(all)
    }

    /// Appends the ids of one word: the longest token it begins with, then of the rest; the unknown token where some rest
    /// begins with none.
    pub fn encode(&self, word: &str, out: &mut Vec<u32>) {
        let bytes = word.as_bytes();
        if bytes.len() > self.most_characters && word.chars().count() > self.most_characters {
            return out.push(self.unknown);
        }
        if let Some(key) = short::key_of(bytes) {
            return self.encode_short(key, bytes.len(), out);
        }
        let start = out.len();
        let mut at = 0;
        while at < bytes.len() {
            let words = if at == 0 { &self.first } else { &self.further };
            let mut ends = (at + 1..=bytes.len().min(at + self.longest)).rev();
            let Some((end, id)) = ends.find_map(|end| Some((end, words.get(&bytes[at..end])?))) else {
                out.truncate(start);
                return out.push(self.unknown);
            };
            out.push(id);
            at = end;
        }
    }

    /// The same for a word of `length` bytes that has this key, and not too many characters.
    ///
    /// No token ends or begins within a character, so bytes are as good as characters.
    #[inline]
    fn encode_short(&self, key: u128, length: usize, out: &mut Vec<u32>) {
        match self.first.short.get(key) {
            Some(id) => out.push(id),
            None => self.encode_parts(key, length, out),
        }
    }

    /// The same for a word that is no token itself.
    fn encode_parts(&self, key: u128, length: usize, out: &mut Vec<u32>) {
        let start = out.len();
        let mut at = 0;
        while at < length {
            let words = if at == 0 { &self.first.short } else { &self.further.short };
            let mut parts = (1..=length - at).rev();
            let Some((part, id)) = parts.find_map(|part| Some((part, words.get(short::part(key, at, part))?))) else {
                out.truncate(start);
                return out.push(self.unknown);
            };
            out.push(id);
            at += part;
        }
    }

    /// Appends at least the first `room` ids, if there are as many, of a text of ASCII. BERT's normaliser and pre-tokenizer:
    /// tab, line feed, carriage return and space end a word, other controls vanish, punctuation is a word a character.
    ///
    /// False where `stops` says so of the rest of the text from some punctuation or U+007F on; ids may have been appended then.
    pub fn encode_ascii(
        &self,
        text: &str,
        lowercase: bool,
        room: usize,
        stops: impl Fn(&[u8]) -> bool,
        out: &mut Vec<u32>,
    ) -> bool {
        let bytes = text.as_bytes();
        let most = out.len().saturating_add(room);
        let mut at = 0;
        while at < bytes.len() && out.len() < most {
            let window = short::window(bytes, at);
            let length = short::letters(window);
            let next = bytes.get(at + length).map_or(Kind::Space, |&byte| KINDS[usize::from(byte)]);
            if matches!(next, Kind::Letter | Kind::Removed) || length > short::LONGEST {
                // A long word, or one with controls in it.
                at = self.encode_slowly(bytes, at, lowercase, out);
                continue;
            }
            if length > self.most_characters {
                out.push(self.unknown);
            } else if length > 0 {
                let key = short::part(window, 0, length);
                self.encode_short(if lowercase { short::lowercase(key) } else { key }, length, out);
            }
            at += length;
            if next == Kind::Space {
                at += 1;
                continue;
            }
            if stops(&bytes[at..]) {
                return false;
            }
            self.encode_short(u128::from(bytes[at]), 1, out);
            at += 1;
        }
        true
    }

    /// Appends the ids of the word that begins at byte `at`, controls in it left out, and says where it ends.
    #[cold]
    fn encode_slowly(&self, text: &[u8], at: usize, lowercase: bool, out: &mut Vec<u32>) -> usize {
        let mut word = [0u8; LONGEST_WORD + 1];
        let mut length = 0;
        let kind = |byte: u8| KINDS[usize::from(byte)];
        let end = text[at..].iter().position(|&byte| !matches!(kind(byte), Kind::Letter | Kind::Removed));
        let end = end.map_or(text.len(), |end| at + end);
        for &byte in text[at..end].iter().filter(|&&byte| kind(byte) == Kind::Letter) {
            // A word past the limit keeps being so.
            word[length.min(LONGEST_WORD)] = if lowercase { byte.to_ascii_lowercase() } else { byte };
            length = (length + 1).min(LONGEST_WORD + 1);
        }
        match std::str::from_utf8(&word[..length]) {
            Ok(word) => self.encode(word, out),
            // Not ASCII after all; the caller promised that it is.
            Err(_) => out.push(self.unknown),
        }
        end
    }
}

/// What BERT makes of an ASCII character. U+007F counts as punctuation, for the caller of [`Pieces::encode_ascii`] to stop there.
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
            0..0x20 => Kind::Removed,
            0x7f => Kind::Punctuation,
            other if other.is_ascii_punctuation() => Kind::Punctuation,
            _ => Kind::Letter,
        };
        byte += 1;
    }
    kinds
};
