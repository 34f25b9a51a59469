//! [`ShardInput`]: what a teacher makes the vectors of a shard from.

use limbeck_data::Monitor;
use limbeck_encoder::{Embeddings, TokenBatch};

use super::cut_texts::CutTexts;
use super::teacher::{EmbedTeacher, Teacher, TextTeacher};
use crate::{Error, Result};

/// Characters of a text that an error shows.
const SHOWN: usize = 80;

/// What a teacher makes the vectors of a shard from.
pub(super) enum ShardInput<'a> {
    /// The tokens of its texts.
    Tokens(&'a dyn Teacher, TokenBatch),
    /// The texts themselves.
    Texts(&'a dyn TextTeacher),
}

impl<'a> ShardInput<'a> {
    /// Makes `texts` ready for `teacher`; counts those that it cuts.
    pub(super) fn new(teacher: EmbedTeacher<'a>, texts: &[&str]) -> Result<(Self, CutTexts)> {
        match teacher {
            EmbedTeacher::Tokens(teacher) => {
                let tokens = teacher.tokenise(texts)?;
                let cut = CutTexts::count(teacher, texts, &tokens)?;
                Ok((Self::Tokens(teacher, tokens), cut))
            }
            EmbedTeacher::Texts(teacher) => Ok((Self::Texts(teacher), CutTexts::default())),
        }
    }

    /// The vectors of `texts`, of which the first is that of place `first_row` among all texts.
    ///
    /// # Errors
    /// A vector that isn't finite is an error that names its text.
    pub(super) fn encode(
        &self,
        texts: &[String],
        first_row: u64,
        monitor: Monitor,
        done: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Embeddings> {
        match self {
            Self::Tokens(teacher, tokens) => {
                let with_text = |error| match error {
                    Error::NotFinite { path, row } => {
                        let text = texts.get(row).map(|text| text.chars().take(SHOWN).collect()).unwrap_or_default();
                        Error::TextNotFinite { path, row: first_row + row as u64 + 1, text }
                    }
                    error => error,
                };
                teacher.encode_tokens(tokens, done).map_err(with_text)
            }
            Self::Texts(teacher) => {
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                teacher.encode_texts(&texts, first_row, monitor, done)
            }
        }
    }
}
