//! The vocabulary of a student.

use limbeck_student::vocabulary::Vocabulary;
use serde::{Deserialize, Serialize};

use super::StudentSection;
use super::problem::{Check, problem};

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

impl VocabularySource {
    /// Whether it is the teacher's.
    pub fn is_teacher(&self) -> bool {
        *self == Self::Teacher
    }
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

impl StudentSection {
    /// The student's own vocabulary, if it has one.
    ///
    /// # Errors
    /// Keys that say nothing beside the others.
    pub fn own_vocabulary(&self) -> Check<Option<Vocabulary>> {
        let hint = "vocabulary is \"teacher\", \"corpus\", \"extended\" or \"trained\"";
        let trained = self.vocabulary == VocabularySource::Trained;
        if !trained && self.vocabulary_kind.is_some() {
            return problem("student.vocabulary_kind is for student.vocabulary = \"trained\"", hint);
        }
        if !trained && self.vocabulary != VocabularySource::Extended && self.vocabulary_size.is_some() {
            return problem("student.vocabulary_size is for student.vocabulary = \"trained\" or \"extended\"", hint);
        }
        if self.vocabulary != VocabularySource::Corpus && self.vocabulary_min_count.is_some() {
            return problem("student.vocabulary_min_count is for student.vocabulary = \"corpus\"", hint);
        }
        let size = self.vocabulary_size.unwrap_or(match trained {
            true => DEFAULT_SIZE,
            false => DEFAULT_EXTENDED_SIZE,
        });
        let vocabulary = match (self.vocabulary, self.vocabulary_kind.unwrap_or_default()) {
            (VocabularySource::Teacher, _) => None,
            (VocabularySource::Corpus, _) => {
                Some(Vocabulary::Corpus { min_count: self.vocabulary_min_count.unwrap_or(DEFAULT_MIN_COUNT) })
            }
            (VocabularySource::Extended, _) => Some(Vocabulary::Extended { size }),
            (VocabularySource::Trained, VocabularyKind::WordPiece) => Some(Vocabulary::WordPiece { size }),
            (VocabularySource::Trained, VocabularyKind::Unigram) => Some(Vocabulary::Unigram { size }),
        };
        vocabulary.iter().try_for_each(Vocabulary::check)?;
        Ok(vocabulary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> StudentSection {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn keys_without_an_effect_are_refused() {
        for text in [
            "vocabulary_size = 300",
            "vocabulary = \"corpus\"\nvocabulary_kind = \"unigram\"",
            "vocabulary_min_count = 3",
            "vocabulary = \"extended\"\nvocabulary_kind = \"wordpiece\"",
        ] {
            assert!(section(text).own_vocabulary().is_err(), "{text}");
        }
        let own = |text: &str| section(text).own_vocabulary().unwrap();
        assert_eq!(own(""), None);
        assert_eq!(own("vocabulary = \"corpus\""), Some(Vocabulary::Corpus { min_count: 2 }));
        assert_eq!(own("vocabulary = \"extended\""), Some(Vocabulary::Extended { size: 60_000 }));
        assert_eq!(own("vocabulary = \"trained\""), Some(Vocabulary::WordPiece { size: 16_000 }));
        let text = "vocabulary = \"trained\"\nvocabulary_kind = \"unigram\"\nvocabulary_size = 500";
        assert_eq!(own(text), Some(Vocabulary::Unigram { size: 500 }));
    }

    #[test]
    fn a_default_vocabulary_is_not_written() {
        let written = serde_json::to_string(&StudentSection::default()).unwrap();
        assert!(!written.contains("vocabulary"), "{written}");
    }
}
