//! The embed job: texts through a teacher into a cache.
//!
//! ```text
//! texts ──► cut into shards, tokenise ──►│ 1 │──► infer, batch by batch ──►│ 1 │──► write, list
//!              a thread            queue of one shard            queue of one shard      a thread
//! ```
//!
//! A batch depends on its shard and the settings alone, never on timing: a job that is killed at any moment and started
//! again ends in the same bytes. Memory holds a few shards, however long the text is.

mod pipeline;
mod student_vocabulary;
mod teacher_vocabulary;

use std::path::{Path, PathBuf};

use limbeck_data::cache::{CacheSpec, CacheWriter};
use limbeck_data::{Interrupted, Monitor, is_interrupted};
use limbeck_encoder::{Embeddings, TokenBatch, Tokenizer};

use crate::{Error, Result};

/// An encoder that takes texts as tokens, so that tokenizing and inference can overlap.
pub trait Teacher: Sync {
    /// The width of its vectors.
    fn dimension(&self) -> usize;

    /// Its tokenizer.
    fn tokenizer(&self) -> &Tokenizer;

    /// Put before every text.
    fn prefix(&self) -> &str;

    /// The ids that the model gets for `texts`, with the prefix and the special tokens around them.
    fn tokenise(&self, texts: &[&str]) -> Result<TokenBatch>;

    /// The unit vectors of tokenised texts. `done` is called after each batch with its number of texts; its error ends
    /// the work.
    fn encode_tokens(&self, tokens: &TokenBatch, done: &mut dyn FnMut(usize) -> Result<()>) -> Result<Embeddings>;
}

/// Texts in chunks of any size.
pub type TextChunks<'a> = Box<dyn Iterator<Item = limbeck_data::Result<Vec<String>>> + Send + 'a>;

/// The texts to embed, the teacher, and the cache to fill.
pub struct EmbedJob<'a> {
    /// Makes the vectors.
    pub teacher: &'a dyn Teacher,
    /// The texts.
    pub texts: TextChunks<'a>,
    /// How many texts there are, for the progress bar.
    pub total: Option<u64>,
    /// The cache's folder.
    pub folder: &'a Path,
    /// The cache's format and fingerprint; the dimension is always the teacher's.
    pub spec: CacheSpec,
    /// Whether the vector of each of the teacher's tokens is written beside the shards; of several parts, the first
    /// writes the vectors.
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
    /// Damaged files of an earlier job, a line each; this job wrote them again.
    pub redone: Vec<String>,
}

/// Runs the job. Shards that an earlier run finished are checked and kept.
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
    if shards.rows == 0 {
        return Err(Error::NoText);
    }
    writer.finish(shards.rows)?;
    Ok(EmbedSummary { folder, rows: shards.rows, written: shards.written, kept: shards.kept, redone })
}

/// Writes the vectors of the vocabularies, then those of the texts.
fn fill(job: EmbedJob, writer: &mut CacheWriter, monitor: Monitor) -> Result<pipeline::ShardCounts> {
    let is_first = job.spec.part.is_none_or(|(part, _)| part == 0);
    if job.tokens && is_first && !writer.has_tokens() {
        teacher_vocabulary::write(job.teacher, writer, monitor)?;
    }
    if let Some(student) = job.student.filter(|student| is_first && !writer.has_student_tokens(student.json())) {
        student_vocabulary::write(job.teacher, student, writer, monitor)?;
    }
    pipeline::run(job, writer, monitor)
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
