//! Added tokens, searched for in a text as the `tokenizers` library searches for them.
//!
//! At each place the longest token counts, from the left to the right, and matches do not overlap. Tokens that are not
//! `normalized` are searched for in the text, the others in the normalised text between them. One pass of an automaton
//! finds all tokens, however many there are.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, Input, MatchKind, StartKind};

use super::json::AddedToken;

/// A text's part: an added token, or text between added tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// The id of an added token.
    Token(u32),
    /// Text without added tokens.
    Text(&'a str),
}

/// A set of added tokens.
pub(super) struct AddedTokens {
    automaton: AhoCorasick,
    /// In the order of the automaton's patterns.
    tokens: Vec<FoundToken>,
    /// Whether a token begins with this byte.
    begins: [bool; 256],
}

/// What is done where a token is found.
#[derive(Clone, Copy)]
struct FoundToken {
    /// `None` where the JSON gives another id than the library.
    id: Option<u32>,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
}

/// The ids that the library gives to added tokens: the model's id, or the next one after the model's tokens. The
/// library keeps one token for each id, the last.
pub(super) fn by_id(
    tokens: &[AddedToken],
    model: impl Fn(&str) -> Option<u32>,
    model_size: usize,
) -> Vec<(u32, &AddedToken)> {
    let (mut ids, mut kept) = (HashMap::new(), HashMap::new());
    let mut next = model_size as u32;
    for token in tokens.iter().filter(|token| !token.content.is_empty()) {
        let id = *ids.entry(token.content.as_str()).or_insert_with(|| {
            model(&token.content).unwrap_or_else(|| {
                next += 1;
                next - 1
            })
        });
        kept.insert(id, token);
    }
    let mut kept: Vec<_> = kept.into_iter().collect();
    kept.sort_unstable_by_key(|&(id, _)| id);
    kept
}

impl AddedTokens {
    /// The set of these tokens, given by id and the text that is searched for. `None` where two tokens are searched for
    /// by the same text, or one by an empty text.
    pub(super) fn new(tokens: &[(u32, &AddedToken, String)]) -> Option<Self> {
        let mut texts: Vec<&[u8]> = tokens.iter().map(|(_, _, text)| text.as_bytes()).collect();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .start_kind(StartKind::Both)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&texts)
            .ok()?;
        texts.sort_unstable();
        let distinct = texts.windows(2).all(|pair| pair[0] != pair[1]);
        if !distinct || texts.first().is_some_and(|text| text.is_empty()) {
            return None;
        }
        let mut begins = [false; 256];
        texts.iter().for_each(|text| begins[usize::from(text[0])] = true);
        let found = |&(id, token, _): &(u32, &AddedToken, String)| FoundToken {
            id: (token.id == id).then_some(id),
            single_word: token.single_word,
            lstrip: token.lstrip,
            rstrip: token.rstrip,
        };
        Some(Self { automaton, tokens: tokens.iter().map(found).collect(), begins })
    }

    /// Whether there are no tokens.
    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Whether every token begins with ASCII punctuation.
    pub(super) fn begin_with_punctuation(&self) -> bool {
        (0..=u8::MAX).all(|byte| !self.begins[usize::from(byte)] || byte.is_ascii_punctuation())
    }

    /// Whether `text`, which is not empty, begins with a token.
    #[inline]
    pub(super) fn begins(&self, text: &[u8]) -> bool {
        self.begins[usize::from(text[0])]
            && self.automaton.is_match(Input::new(text).anchored(Anchored::Yes).earliest(true))
    }

    /// Whether a token lies in `text`.
    pub(super) fn are_in(&self, text: &str) -> bool {
        !self.is_empty() && self.automaton.is_match(text)
    }

    /// The parts of `text`, in order. `None` where only the library can tell: whether a character beyond ASCII beside a
    /// token belongs to a word, and which id a token has that the JSON numbers otherwise.
    pub(super) fn split<'a>(&self, text: &'a str) -> Option<Vec<Piece<'a>>> {
        let mut pieces = Vec::new();
        let mut done = 0;
        for found in self.automaton.find_iter(text) {
            let (mut start, mut end) = (found.start(), found.end());
            let token = self.tokens[found.pattern().as_usize()];
            if token.single_word
                && (is_word(text[..start].chars().next_back())? || is_word(text[end..].chars().next())?)
            {
                continue;
            }
            if token.lstrip {
                // The token before may have taken the spaces.
                start = text[..start].trim_end().len().max(done);
            }
            if token.rstrip {
                end = text.len() - text[end..].trim_start().len();
            }
            if done < start {
                pieces.push(Piece::Text(&text[done..start]));
            }
            pieces.push(Piece::Token(token.id?));
            done = end;
        }
        if done < text.len() {
            pieces.push(Piece::Text(&text[done..]));
        }
        Some(pieces)
    }
}

/// Whether a character beside a token belongs to a word; `None` for characters beyond ASCII, of which only the library
/// knows.
fn is_word(character: Option<char>) -> Option<bool> {
    match character {
        Some(c) if c.is_ascii() => Some(c.is_ascii_alphanumeric() || c == '_'),
        Some(_) => None,
        None => Some(false),
    }
}
