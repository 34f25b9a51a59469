//! A vocabulary of the student's own, made from the training text: a teacher's may have far more tokens than a small student
//! has use for.
//!
//! ```text
//! teacher's tokenizer ──► corpus      tokens that the text doesn't use are dropped
//!                     ──► extended    the text's most frequent words stand beside its tokens
//! training text       ──► wordpiece   BERT's, trained on the text
//!                     ──► unigram     sentencepiece's, trained on the text
//! ```
//!
//! What comes out is a tokenizer.json, written by the `tokenizers` crate. The same text gives the same bytes, whatever the
//! number of threads.

mod alphabet;
mod characters;
mod corpus;
mod extended;
mod json;
mod unigram;
mod wordpiece;
mod words;

#[cfg(test)]
mod tests;

use limbeck_data::Interrupt;
use limbeck_data::progress::Progress;
use limbeck_encoder::Tokenizer;

use crate::error::{Error, Result};

/// The fewest tokens that a trained vocabulary may have: room for the letters, digits and signs of ASCII and their parts.
pub const LEAST_SIZE: usize = 256;
/// The most tokens that a trained vocabulary may have.
pub const MOST_SIZE: usize = 1_000_000;

/// How a student's own vocabulary is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vocabulary {
    /// The given tokenizer's, less the tokens that stand fewer than `min_count` times in the text.
    Corpus { min_count: u64 },
    /// The given WordPiece tokenizer's, and as many frequent words of the text as make `size` tokens.
    Extended { size: usize },
    /// At most `size` tokens of BERT's WordPiece, trained on the text.
    WordPiece { size: usize },
    /// At most `size` pieces of a unigram language model (Kudo 2018), trained on the text.
    Unigram { size: usize },
}

/// Texts in chunks of any size.
pub type Texts<'a> = &'a mut dyn Iterator<Item = limbeck_data::Result<Vec<String>>>;

/// Who hears of the work, and who may stop it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    pub progress: &'a dyn Progress,
    pub interrupt: &'a Interrupt,
}

impl Vocabulary {
    /// Refuses sizes that can't be.
    pub fn check(&self) -> Result<()> {
        let setting = |name, value: String, allowed: String| Err(Error::Setting { name, value, allowed });
        match *self {
            Self::Corpus { min_count: 0 } => setting("student.vocabulary_min_count", "0".into(), "at least 1".into()),
            Self::Extended { size } | Self::WordPiece { size } | Self::Unigram { size }
                if !(LEAST_SIZE..=MOST_SIZE).contains(&size) =>
            {
                let allowed = format!("between {LEAST_SIZE} and {MOST_SIZE}");
                setting("student.vocabulary_size", size.to_string(), allowed)
            }
            _ => Ok(()),
        }
    }
}

/// The tokenizer.json of the vocabulary that `texts` make. `base` is the tokenizer that is pruned; a trained vocabulary takes
/// its normaliser and special tokens where it is of the same kind, and otherwise whether it tells capitals from small letters.
///
/// # Errors
/// A size that can't be, no text, a reader's error, a tokenizer that can't be pruned.
pub fn build(vocabulary: Vocabulary, base: &Tokenizer, texts: Texts, watch: Watch) -> Result<Vec<u8>> {
    vocabulary.check()?;
    match vocabulary {
        Vocabulary::Corpus { min_count } => corpus::prune(base, texts, min_count, watch),
        Vocabulary::Extended { size } => extended::extend(base, texts, size, watch),
        Vocabulary::WordPiece { size } => wordpiece::train(base, texts, size, watch),
        Vocabulary::Unigram { size } => unigram::train(base, texts, size, watch),
    }
}

/// An error of the `tokenizers` crate, with what was being done.
fn during(operation: &'static str) -> impl FnOnce(tokenizers::Error) -> Error {
    move |source| Error::Vocabulary { operation, source }
}
