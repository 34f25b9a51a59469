//! WordPiece over a word's bytes, and BERT's normaliser and pre-tokenizer for ASCII text. Neither allocates.

use std::{borrow::Cow, collections::HashMap};

use foldhash::fast::FixedState;

use super::short::{self, ShortWords};

/// The longest word that the ASCII path takes, in bytes; BERT's limit is 100 characters.
const LONGEST_WORD: usize = 256;

/// Ids of tokens: short tokens by their keys, longer ones by their bytes.
struct TokenIds {
    short: ShortWords,
    long: HashMap<Box<[u8]>, u32, FixedState>,
}

impl TokenIds {
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

/// A WordPiece model: tokens that begin a word, and tokens that continue a word.
pub(super) struct WordPiece {
    first: TokenIds,
    further: TokenIds,
    /// The longest token in bytes.
    longest: usize,
    unknown: u32,
    /// A word of more characters becomes the unknown token.
    most_characters: usize,
}

impl WordPiece {
    /// The model of a vocabulary whose continuing prefix is `##`. `unknown` is the id of the unknown token, which a
    /// word of more than `most_characters` becomes. `None` where `most_characters` is 0 or more than [`LONGEST_WORD`].
    pub(super) fn new(vocabulary: &[(Cow<'_, str>, u32)], unknown: u32, most_characters: usize) -> Option<Self> {
        let tokens = vocabulary.iter().map(|(token, id)| (token.as_bytes(), *id));
        let further = tokens.clone().filter_map(|(token, id)| Some((token.strip_prefix(b"##")?, id)));
        // A word never begins with `##`, because each `#` is punctuation and a word of its own.
        let first = tokens.clone().filter(|(token, _)| !token.starts_with(b"##"));
        let longest = tokens.map(|(token, _)| token.len()).max().unwrap_or(0).max(1);
        let all =
            Self { first: TokenIds::new(first), further: TokenIds::new(further), longest, unknown, most_characters };
        (1..=LONGEST_WORD).contains(&most_characters).then_some(all)
    }

    /// Appends the ids of one word.
    pub(super) fn encode(&self, word: &str, out: &mut Vec<u32>) {
        let bytes = word.as_bytes();
        if bytes.len() > self.most_characters && word.chars().count() > self.most_characters {
            return out.push(self.unknown);
        }
        if let Some(key) = short::key_of(bytes) {
            return self.encode_short(key, bytes.len(), out);
        }
        self.encode_parts(bytes.len(), |tokens, at, length| tokens.get(&bytes[at..at + length]), out);
    }

    /// [`WordPiece::encode`] for a word of `length` bytes that has this key, and not too many characters.
    #[inline]
    fn encode_short(&self, key: u128, length: usize, out: &mut Vec<u32>) {
        match self.first.short.get(key) {
            Some(id) => out.push(id),
            None => self.encode_parts(length, |tokens, at, length| tokens.short.get(short::part(key, at, length)), out),
        }
    }

    /// Appends the ids of a word of `length` bytes: the longest token that the word begins with, then the longest
    /// tokens that continue it. Where no token continues the word, it becomes the unknown token. `find` looks up a part
    /// of the word by its place and length.
    ///
    /// No token ends or begins within a character, so bytes serve as well as characters.
    fn encode_parts(&self, length: usize, find: impl Fn(&TokenIds, usize, usize) -> Option<u32>, out: &mut Vec<u32>) {
        let start = out.len();
        let mut at = 0;
        while at < length {
            let tokens = if at == 0 { &self.first } else { &self.further };
            let mut parts = (1..=self.longest.min(length - at)).rev();
            let Some((part, id)) = parts.find_map(|part| Some((part, find(tokens, at, part)?))) else {
                out.truncate(start);
                return out.push(self.unknown);
            };
            out.push(id);
            at += part;
        }
    }

    /// Appends the ids of a text of ASCII, at least the first `room` of them. As in BERT's normaliser and
    /// pre-tokenizer, tab, line feed, carriage return and space end a word, other controls vanish, and each punctuation
    /// character is a word.
    ///
    /// Returns `false` where `stops` is true for the rest of the text from a punctuation character or U+007F on; some
    /// ids may be appended then.
    pub(super) fn encode_ascii(
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
            let next = bytes.get(at + length).map_or(AsciiClass::Space, |&byte| CLASSES[usize::from(byte)]);
            if matches!(next, AsciiClass::Letter | AsciiClass::Removed) || length > short::LONGEST {
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
            if next == AsciiClass::Space {
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

    /// Appends the ids of the word that begins at byte `at`, without the controls inside the word. Returns the word's
    /// end.
    #[cold]
    fn encode_slowly(&self, text: &[u8], at: usize, lowercase: bool, out: &mut Vec<u32>) -> usize {
        let mut word = [0u8; LONGEST_WORD + 1];
        let mut length = 0;
        let kind = |byte: u8| CLASSES[usize::from(byte)];
        let end = text[at..].iter().position(|&byte| !matches!(kind(byte), AsciiClass::Letter | AsciiClass::Removed));
        let end = end.map_or(text.len(), |end| at + end);
        for &byte in text[at..end].iter().filter(|&&byte| kind(byte) == AsciiClass::Letter) {
            // A word beyond the limit stays beyond it.
            word[length.min(LONGEST_WORD)] = if lowercase { byte.to_ascii_lowercase() } else { byte };
            length = (length + 1).min(LONGEST_WORD + 1);
        }
        match std::str::from_utf8(&word[..length]) {
            Ok(word) => self.encode(word, out),
            // Not ASCII, against the caller's promise.
            Err(_) => out.push(self.unknown),
        }
        end
    }
}

/// BERT's class of an ASCII character. U+007F counts as punctuation, so that the caller of [`WordPiece::encode_ascii`]
/// can stop there.
#[derive(Clone, Copy, PartialEq)]
enum AsciiClass {
    Letter,
    Space,
    Punctuation,
    Removed,
}

const CLASSES: [AsciiClass; 256] = {
    let mut classes = [AsciiClass::Letter; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b' ' | b'\t' | b'\n' | b'\r' => AsciiClass::Space,
            0..0x20 => AsciiClass::Removed,
            0x7f => AsciiClass::Punctuation,
            other if other.is_ascii_punctuation() => AsciiClass::Punctuation,
            _ => AsciiClass::Letter,
        };
        byte += 1;
    }
    classes
};
