//! The vocabulary of a student.

use serde::{Deserialize, Serialize};

/// Where a student's vocabulary comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VocabularySource {
    /// The teacher's own, or that of `student.tokenizer`.
    #[default]
    Teacher,
    /// The teacher's tokens that the training text uses.
    Corpus,
    /// The teacher's tokens (WordPiece) and the most frequent words of the training text.
    Extended,
    /// Trained on the training text.
    Trained,
}

/// The algorithm of a trained vocabulary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VocabularyKind {
    /// BERT's: each Chinese character is a token; the fastest to tokenise with.
    #[default]
    WordPiece,
    /// Sentencepiece's: pieces over several characters, in Chinese too.
    Unigram,
}

/// The most tokens of a trained vocabulary by default.
pub const DEFAULT_SIZE: usize = 16_000;
/// The most tokens of an extended vocabulary by default.
pub const DEFAULT_EXTENDED_SIZE: usize = 60_000;
/// How often a token must occur in the text to stay by default.
pub const DEFAULT_MIN_COUNT: u64 = 2;
