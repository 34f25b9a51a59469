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
    /// Makes `texts`, whose rows among the texts of the job are `job_rows`, ready for `teacher`; counts those that it
    /// cuts, by source.
    pub(super) fn new(
        teacher: EmbedTeacher<'a>,
        sources: &TextSources,
        texts: &[&str],
        job_rows: &[usize],
    ) -> Result<(Self, Vec<CutTexts>)> {
        match teacher {
            EmbedTeacher::Tokens(teacher) => {
                let (tokens, cut) = sources.tokenise(teacher, texts, job_rows)?;
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

    /// The vectors of `texts`, whose rows among the texts of the job are `job_rows`.
    ///
    /// # Errors
    /// A vector that isn't finite is an error that names its text.
    pub(super) fn encode(
        &self,
        texts: &[&str],
        job_rows: &[usize],
        monitor: Monitor,
        done: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Embeddings> {
        match self {
            Self::Tokens(teacher, tokens) => {
                let with_text = |error| match error {
                    Error::NotFinite { path, row } => {
                        let text = texts.get(row).map(|text| text.chars().take(SHOWN).collect()).unwrap_or_default();
                        let row = job_rows.get(row).copied().unwrap_or_default() as u64 + 1;
                        Error::TextNotFinite { path, row, text }
                    }
                    error => error,
                };
                teacher.encode_tokens(tokens, done).map_err(with_text)
            }
            Self::Texts(teacher) => {
                let first_row = job_rows.first().copied().unwrap_or_default() as u64;
                teacher.encode_texts(texts, first_row, monitor, done)
            }
        }
    }
}
