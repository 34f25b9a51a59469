//! A teacher's WordPiece vocabulary, and the most frequent words of a text beside it.
//!
//! What the teacher's tokenizer would cut into pieces is then one token with a row of its own. To the longest-match-first rule a whole word is
//! the longest match, so nothing else changes but words that begin with a new one.

use std::cmp::Reverse;
use std::collections::HashSet;

use limbeck_encoder::Tokenizer;

use super::characters::is_ideograph;
use super::json::{Base, cannot_extend};
use super::{Texts, Watch, during, words};
use crate::error::Result;

/// A word that stands less often is no token: it would have too little to learn from.
const MIN_FREQUENCY: u64 = 5;

/// The tokenizer.json of `base` with so many words added that it has `size` tokens; fewer where the text has no more, and all that were there at least.
pub(super) fn extend(base: &Tokenizer, texts: Texts, size: usize, watch: Watch) -> Result<Vec<u8>> {
    let json = Base::of(base)?;
    if json.kind() != "WordPiece" {
        return Err(cannot_extend(json.kind()));
    }
    let splitter = tokenizers::Tokenizer::from_bytes(base.json()).map_err(during("splitting text into words"))?;
    let longest = json.0["model"]["max_input_chars_per_word"].as_u64().unwrap_or(100) as usize;
    let mut tokens: Vec<String> = json.words().into_iter().map(|(_, token)| token).collect();
    tokens.extend(json.outside(&tokens));
    let there: HashSet<&str> = tokens.iter().map(String::as_str).collect();
    // An ideograph is a word of its own, and rare ones are better known as unknown.
    let fits = |word: &str| {
        !there.contains(word) && word.chars().count() <= longest && !word.chars().any(is_ideograph) && !word.is_empty()
    };
    let counts = words::count(&splitter, texts, watch)?;
    let mut new: Vec<(Reverse<u64>, String)> = counts
        .into_iter()
        .filter(|(word, count)| *count >= MIN_FREQUENCY && fits(word))
        .map(|(word, count)| (Reverse(count), word))
        .collect();
    new.sort_unstable();
    new.truncate(size.saturating_sub(tokens.len()));
    tokens.extend(new.into_iter().map(|(_, word)| word));
    json.with_words(&tokens)
}
