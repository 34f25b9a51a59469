//! [`ShardInput`]: what a teacher makes the vectors of a shard from.

use limbeck_data::Monitor;
use limbeck_encoder::{Embeddings, TokenBatch};

use super::cut_texts::CutTexts;
use super::sources::TextSources;
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
    /// Makes `texts`, of which the first is the text `first_row` of the job, ready for `teacher`; counts those that it
    /// cuts, by source.
    pub(super) fn new(
        teacher: EmbedTeacher<'a>,
        sources: &TextSources,
        texts: &[&str],
        first_row: usize,
    ) -> Result<(Self, Vec<CutTexts>)> {
        match teacher {
            EmbedTeacher::Tokens(teacher) => {
                let (tokens, cut) = sources.tokenise(teacher, texts, first_row)?;
                Ok((Self::Tokens(teacher, tokens), cut))
            }
            EmbedTeacher::Texts(teacher) => {
                if let Some(prefix) = sources.sources.iter().find_map(|source| source.prefix.as_ref()) {
                    let allowed = "none: a teacher of texts takes them as they are";
                    return Err(limbeck_training::Error::setting("the prefix of a source", prefix, allowed).into());
                }
                Ok((Self::Texts(teacher), vec![CutTexts::default(); sources.count()]))
            }
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
