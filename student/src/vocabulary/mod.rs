//! A vocabulary of the student's own, made from the training text: a teacher's may have far more tokens than a small
//! student needs.
//!
//! ```text
//! teacher's tokenizer ──► corpus      without the tokens that the text doesn't use
//!                     ──► extended    with the text's most frequent words as tokens
//! training text       ──► wordpiece   BERT's kind, trained on the text
//!                     ──► unigram     sentencepiece's kind, trained on the text
//! ```
//!
//! The result is a tokenizer.json, written by the `tokenizers` crate. The same text gives the same bytes with any
//! number of threads.

mod alphabet;
mod characters;
mod extend;
mod prune;
mod tokenizer_json;
mod unigram;
mod wordpiece;
mod words;

#[cfg(test)]
mod tests;

use limbeck_data::Monitor;
use limbeck_encoder::Tokenizer;

use crate::error::{Error, Result};

/// The smallest trained vocabulary: it has room for ASCII's letters, digits and signs, at the start of words and
/// inside.
pub const MIN_SIZE: usize = 256;
/// The largest trained vocabulary.
pub const MAX_SIZE: usize = 1_000_000;

/// How a student's own vocabulary is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vocabulary {
    /// The given tokenizer's, without the tokens that occur too seldom in the text.
    Corpus {
        /// The fewest occurrences of a token that stays.
        min_count: u64,
    },
    /// The given WordPiece tokenizer's, with the most frequent words of the text added.
    Extended {
        /// The tokens after the addition.
        size: usize,
    },
    /// BERT's WordPiece, trained on the text.
    WordPiece {
        /// The most tokens.
        size: usize,
    },
    /// A unigram language model (Kudo 2018), trained on the text.
    Unigram {
        /// The most pieces.
        size: usize,
    },
}

/// Texts in chunks of any size.
pub type TextChunks<'a> = &'a mut dyn Iterator<Item = limbeck_data::Result<Vec<String>>>;

impl Vocabulary {
    /// Refuses impossible sizes.
    pub fn check(&self) -> Result<()> {
        match *self {
            Self::Corpus { min_count } => {
                Error::require(min_count > 0, "student.vocabulary_min_count", min_count, "at least 1")
            }
            Self::Extended { size } | Self::WordPiece { size } | Self::Unigram { size } => {
                let allowed = format!("between {MIN_SIZE} and {MAX_SIZE}");
                Error::require((MIN_SIZE..=MAX_SIZE).contains(&size), "student.vocabulary_size", size, allowed)
            }
        }
    }
}

/// Makes a vocabulary from `texts` and returns its tokenizer.json. `base` is the tokenizer that is pruned or extended;
/// a trained vocabulary of the same kind takes its normaliser and special tokens, one of another kind only its
/// treatment of capitals.
///
/// # Errors
/// An impossible size, no text, a reader's error, a tokenizer that can't be pruned or extended.
pub fn build(vocabulary: Vocabulary, base: &Tokenizer, texts: TextChunks, monitor: Monitor) -> Result<Vec<u8>> {
    vocabulary.check()?;
    match vocabulary {
        Vocabulary::Corpus { min_count } => prune::prune(base, texts, min_count, monitor),
        Vocabulary::Extended { size } => extend::extend(base, texts, size, monitor),
        Vocabulary::WordPiece { size } => wordpiece::train(base, texts, size, monitor),
        Vocabulary::Unigram { size } => unigram::train(base, texts, size, monitor),
    }
}
