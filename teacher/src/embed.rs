//! The embed job: texts through a teacher into a cache.
//!
//! ```text
//! texts ──► cut into shards, tokenise ──►│ 1 │──► infer, batch by batch ──►│ 1 │──► write, list
//!              a thread            queue of one shard            queue of one shard      a thread
//! ```
//!
//! A batch depends on its shard and the settings alone, never on timing: a job that is killed at any moment and started
//! again ends in the same bytes. Memory holds a few shards, however long the text is.
//!
//! Where [`change_text`](limbeck_data::cache::change_text) has made the cache of another text this one's, only texts
//! that it lacks go through the teacher.

mod cut_texts;
mod input;
mod pipeline;
mod sources;
mod student_vocabulary;
mod teacher;
mod teacher_vocabulary;
mod vocabulary_texts;

use std::path::{Path, PathBuf};

use limbeck_data::cache::{CacheSpec, CacheWriter};
use limbeck_data::{Interrupted, Monitor, is_interrupted};
use limbeck_encoder::Tokenizer;

pub use self::cut_texts::CutTexts;
pub use self::sources::{EmbedSource, TextSources};
pub use self::teacher::{EmbedTeacher, Teacher, TextTeacher};
use crate::{Error, Result};

/// Texts in chunks of any size.
pub type TextChunks<'a> = Box<dyn Iterator<Item = limbeck_data::Result<Vec<String>>> + Send + 'a>;

/// The texts to embed, the teacher, and the cache to fill.
pub struct EmbedJob<'a> {
    /// Makes the vectors.
    pub teacher: EmbedTeacher<'a>,
    /// The texts.
    pub texts: TextChunks<'a>,
    /// Where the texts come from.
    pub sources: TextSources,
    /// How many texts there are, for the progress bar.
    pub total: Option<u64>,
    /// The cache's folder.
    pub folder: &'a Path,
    /// The cache's format and fingerprint; the dimension is always the teacher's.
    pub spec: CacheSpec,
    /// Whether the vector of each of the teacher's tokens is written beside the shards; of several parts, the first
    /// writes the vectors. A teacher of texts has no tokens of its own.
    pub tokens: bool,
    /// A student's own tokenizer: the vectors of its tokens are written too, of several parts by the first.
    pub student: Option<&'a Tokenizer>,
}

/// The outcome of an embed job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedSummary {
    /// The cache's folder.
    pub folder: PathBuf,
    /// Texts of the whole cache, all parts together.
    pub rows: u64,
    /// Shards that this job wrote.
    pub written: usize,
    /// Shards that an earlier job had finished.
    pub kept: usize,
    /// Texts that went through the teacher; the vectors of the others were there.
    pub embedded: u64,
    /// Damaged files of an earlier job, a line each; this job wrote them again.
    pub redone: Vec<String>,
    /// For each source how many of the texts that this job embedded the teacher cut; one count where the job names no
    /// sources.
    pub cut: Vec<CutTexts>,
}

/// Runs the job. Shards that an earlier run finished are checked and kept, and so are vectors of a former text.
///
/// # Errors
/// There is no text; reading, encoding or writing fails; the folder holds another cache;
/// [`Error::EmbedInterrupted`]. Finished shards stay in every case.
pub fn run(job: EmbedJob, monitor: Monitor) -> Result<EmbedSummary> {
    let folder = job.folder.to_owned();
    let spec = CacheSpec { dimension: job.teacher.dimension(), ..job.spec.clone() };
    let mut writer = CacheWriter::open(job.folder, spec)?;
    let redone = writer.rejected().to_vec();
    redone.iter().for_each(|line| monitor.note(line));
    let shards = fill(job, &mut writer, monitor).map_err(|error| match is_interrupted(&error) {
        true => {
            let (folder, shards) = (writer.folder().to_owned(), writer.done().len());
            Error::EmbedInterrupted { folder, shards, source: Interrupted }
        }
        false => error,
    })?;
    // Another part may have all the text.
    if shards.rows == 0 && !writer.has_own_text() {
        return Err(Error::NoText);
    }
    writer.finish(shards.rows)?;
    let pipeline::ShardCounts { rows, written, kept, embedded, cut } = shards;
    Ok(EmbedSummary { folder, rows, written, kept, embedded, redone, cut })
}

/// Writes the vectors of the vocabularies, then those of the texts.
fn fill(job: EmbedJob, writer: &mut CacheWriter, monitor: Monitor) -> Result<pipeline::ShardCounts> {
    let is_first = job.spec.part.is_none_or(|(part, _)| part == 0);
    let student = job.student.filter(|student| is_first && !writer.has_student_tokens(student.json()));
    match job.teacher {
        EmbedTeacher::Tokens(teacher) => {
            if job.tokens && is_first && !writer.has_tokens() {
                teacher_vocabulary::write(teacher, writer, monitor)?;
            }
            if let Some(student) = student {
                student_vocabulary::write(teacher, student, writer, monitor)?;
            }
        }
        EmbedTeacher::Texts(teacher) => {
            if let Some(student) = student {
                vocabulary_texts::write(teacher, student, writer, monitor)?;
            }
        }
    }
    pipeline::run(job, writer, monitor)
}

/// The texts whose vectors [`run`] would ask a teacher of texts for, for the tokens of `student`.
pub fn vocabulary_texts(student: &Tokenizer) -> Vec<String> {
    vocabulary_texts::distinct(student).texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_job_is_known_by_its_code() {
        let error = Error::EmbedInterrupted { folder: "cache".into(), shards: 3, source: Interrupted };
        assert!(is_interrupted(&error));
        assert!(!is_interrupted(&Error::NoText));
    }
}
