//! A teacher's WordPiece vocabulary with the most frequent words of a text added.
//!
//! A word that the teacher's tokenizer would cut into pieces becomes one token with a row of its own. By the
//! longest-match-first rule, only words that begin with a new token are cut otherwise than before.

use std::cmp::Reverse;
use std::collections::HashSet;

use limbeck_data::Monitor;
use limbeck_encoder::Tokenizer;

use super::characters::is_ideograph;
use super::tokenizer_json::TokenizerJson;
use super::{TextChunks, words};
use crate::error::{Error, Result};

/// The fewest occurrences of a word that becomes a token: from fewer a student learns too little.
const MIN_FREQUENCY: u64 = 5;

/// The tokenizer.json of `base` with words added until it has `size` tokens, or the text has no more words. No token of
/// `base` is removed.
pub(super) fn extend(base: &Tokenizer, texts: TextChunks, size: usize, monitor: Monitor) -> Result<Vec<u8>> {
    let json = TokenizerJson::parse(base.json())?;
    let value = format!("\"extended\", the tokenizer's model {:?}", json.kind());
    let allowed = "\"teacher\" or \"trained\" there: WordPiece can be extended";
    Error::require(json.kind() == "WordPiece", "student.vocabulary", value, allowed)?;
    let longest = json.longest_word();
    let mut tokens: Vec<String> = json.words().into_iter().map(|(_, token)| token).collect();
    tokens.extend(json.outside(&tokens));
    let there: HashSet<&str> = tokens.iter().map(String::as_str).collect();
    // Each ideograph is a word; a frequent one has a token already, and a rare one is better left unknown.
    let fits = |word: &str| {
        !there.contains(word) && word.chars().count() <= longest && !word.chars().any(is_ideograph) && !word.is_empty()
    };
    let mut new: Vec<(String, u64)> = words::count(base.json(), texts, monitor)?.into_iter().collect();
    new.retain(|(word, count)| *count >= MIN_FREQUENCY && fits(word));
    new.sort_by_key(|&(_, count)| Reverse(count)); // stable: equally frequent words stay in their order
    new.truncate(size.saturating_sub(tokens.len()));
    tokens.extend(new.into_iter().map(|(word, _)| word));
    json.with_words(&tokens)
}
