//! The embed job: texts through a teacher into a cache.
//!
//! ```text
//! texts ──► cut into shards, tokenise ──►│ 1 │──► infer, batch by batch ──►│ 1 │──► write, list
//!              a thread            queue of one shard            queue of one shard      a thread
//! ```
//!
//! A batch is a function of its shard and the settings, never of timing, so that a job killed at any moment and started
//! again ends in the same bytes. Memory holds a few shards, however long the text is.

mod student_tokens;
mod tokens;

use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use limbeck_data::Interrupt;
use limbeck_data::cache::{CacheSpec, CacheWriter, DoneShards};
use limbeck_data::progress::{Bar, Progress};
use limbeck_encoder::{Embeddings, TokenBatch, Tokenizer};

use crate::inference_error::InferenceError;
use crate::{Error, OnnxEncoder, Result};

/// An encoder that shows its tokens, so that tokenizing and inference can overlap.
pub trait Teacher: Sync {
    /// The width of its vectors.
    fn dimension(&self) -> usize;

    /// Its tokenizer.
    fn tokenizer(&self) -> &Tokenizer;

    /// What is put before every text.
    fn prefix(&self) -> &str;

    /// The ids that the model gets for `texts`, prefix and special tokens put around.
    fn tokenise(&self, texts: &[&str]) -> Result<TokenBatch>;

    /// The unit vectors of texts that are tokens already. `done` is called after each batch with its number of texts; its
    /// error ends the work.
    fn encode_tokens(&self, tokens: &TokenBatch, done: &mut dyn FnMut(usize) -> Result<()>) -> Result<Embeddings>;
}

impl Teacher for OnnxEncoder {
    fn dimension(&self) -> usize {
        self.dimension()
    }

    fn tokenizer(&self) -> &Tokenizer {
        self.tokenizer()
    }

    fn prefix(&self) -> &str {
        self.prefix()
    }

    fn tokenise(&self, texts: &[&str]) -> Result<TokenBatch> {
        self.tokenise(texts)
    }

    fn encode_tokens(&self, tokens: &TokenBatch, done: &mut dyn FnMut(usize) -> Result<()>) -> Result<Embeddings> {
        self.encode_tokens_with(tokens, done)
    }
}

/// Texts in chunks of any size.
pub type Texts<'a> = Box<dyn Iterator<Item = limbeck_data::Result<Vec<String>>> + Send + 'a>;

/// What to embed, with what, and where to.
pub struct EmbedJob<'a> {
    /// Whose vectors are wanted.
    pub teacher: &'a dyn Teacher,
    /// The texts.
    pub texts: Texts<'a>,
    /// How many texts there are, for the progress bar.
    pub total: Option<u64>,
    /// The cache's folder.
    pub folder: &'a Path,
    /// What the cache is to hold; its dimension is the teacher's.
    pub spec: CacheSpec,
    /// Whether to write each token's vector beside the shards too; with parts, the first one does it.
    pub tokens: bool,
    /// A student's own tokenizer, if it has one: the vectors of its tokens are written too, by the first of several parts.
    pub student: Option<&'a Tokenizer>,
    /// Who hears of the progress.
    pub progress: &'a dyn Progress,
    /// Who may stop the job.
    pub interrupt: &'a Interrupt,
}

/// What an embed job did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedSummary {
    /// The cache's folder.
    pub folder: PathBuf,
    /// Texts of the whole cache, all parts together.
    pub rows: u64,
    /// Shards written now.
    pub written: usize,
    /// Shards that were there already.
    pub kept: usize,
    /// Files that were there and damaged, a line each; they were made anew.
    pub redone: Vec<String>,
}

/// Runs the job. What an earlier run finished is checked and kept.
///
/// # Errors
/// No text; a reader's, the teacher's or the disk's error; a folder with another cache; [`InferenceError::Interrupted`].
/// Whatever the error, finished shards stay.
pub fn run(job: EmbedJob) -> Result<EmbedSummary> {
    let spec = CacheSpec { dimension: job.teacher.dimension(), ..job.spec };
    let shard_rows = spec.shard_rows;
    let is_first = spec.part.is_none_or(|(i, _)| i == 0);
    let mut writer = CacheWriter::open(job.folder, spec)?;
    let redone = writer.rejected().to_vec();
    redone.iter().for_each(|line| job.progress.note(line));

    if job.tokens && is_first && !writer.has_tokens() {
        let done = tokens::write(job.teacher, &mut writer, job.progress, job.interrupt);
        done.map_err(|error| stopped(error, &writer))?;
    }
    if let Some(student) = job.student.filter(|student| is_first && !writer.has_student_tokens(student.json())) {
        let done = student_tokens::write(job.teacher, student, &mut writer, job.progress, job.interrupt);
        done.map_err(|error| stopped(error, &writer))?;
    }
    let bar = job.progress.stage("embed", job.total, "sentences");
    let work = Work { teacher: job.teacher, interrupt: job.interrupt, bar: &*bar };
    let cutter = Cutter { shard_rows, done: writer.done(), work, kept: 0 };
    let outcome = thread::scope(|scope| {
        let (to_infer, tokenised) = bounded(1);
        let (to_write, inferred) = bounded(1);
        let cutting = scope.spawn(move || cutter.run(job.texts, &to_infer));
        let writing = scope.spawn(|| write(&mut writer, inferred));
        let inference = infer(&work, tokenised, to_write);
        let (written, cut) = (joined(writing, "writing"), joined(cutting, "tokenizing"));
        // A thread that fails hangs up, and the others end without an error of their own.
        let written = written?;
        inference?;
        cut.map(|(rows, kept)| (rows, kept, written))
    });
    let (rows, kept, written) = outcome.map_err(|error| stopped(error, &writer))?;
    if rows == 0 {
        return Err(InferenceError::NoText.into());
    }
    writer.finish(rows)?;
    Ok(EmbedSummary { folder: job.folder.to_owned(), rows, written, kept, redone })
}

/// What the threads share.
#[derive(Clone, Copy)]
struct Work<'a> {
    teacher: &'a dyn Teacher,
    interrupt: &'a Interrupt,
    bar: &'a dyn Bar,
}

impl Work<'_> {
    fn check(&self) -> Result<()> {
        Ok(self.interrupt.check().map_err(limbeck_data::Error::from)?)
    }
}

/// A shard on its way through the threads; `Payload` is what is known of it so far.
struct Item<Payload> {
    shard: usize,
    texts: Vec<String>,
    payload: Payload,
}

/// The first thread: cuts the texts into shards, passes over what is done, tokenises the others.
struct Cutter<'a> {
    shard_rows: usize,
    done: DoneShards,
    work: Work<'a>,
    kept: usize,
}

impl Cutter<'_> {
    /// Returns how many texts there were, and how many shards were done already.
    fn run(mut self, texts: Texts, to: &Sender<Item<TokenBatch>>) -> Result<(u64, usize)> {
        let (mut rows, mut shard, mut pending) = (0, 0, Vec::new());
        for chunk in texts {
            let chunk = chunk?;
            rows += chunk.len() as u64;
            pending.extend(chunk);
            while pending.len() >= self.shard_rows {
                let rest = pending.split_off(self.shard_rows);
                let whole = std::mem::replace(&mut pending, rest);
                if !self.pass(shard, whole, to)? {
                    return Ok((rows, self.kept));
                }
                shard += 1;
            }
        }
        if !pending.is_empty() {
            self.pass(shard, pending, to)?;
        }
        Ok((rows, self.kept))
    }

    /// False when nobody listens any more.
    fn pass(&mut self, shard: usize, texts: Vec<String>, to: &Sender<Item<TokenBatch>>) -> Result<bool> {
        self.work.check()?;
        if !self.done.owns(shard) {
            return Ok(true);
        }
        if self.done.contains(shard, &texts) {
            self.kept += 1;
            self.work.bar.add(texts.len() as u64);
            return Ok(true);
        }
        let views: Vec<&str> = texts.iter().map(String::as_str).collect();
        let payload = self.work.teacher.tokenise(&views)?;
        Ok(to.send(Item { shard, texts, payload }).is_ok())
    }
}

/// The second thread, the caller's: tokens to vectors.
fn infer(work: &Work, from: Receiver<Item<TokenBatch>>, to: Sender<Item<Embeddings>>) -> Result<()> {
    for Item { shard, texts, payload } in from {
        let payload = work.teacher.encode_tokens(&payload, &mut |rows| {
            work.bar.add(rows as u64);
            work.check()
        })?;
        if to.send(Item { shard, texts, payload }).is_err() {
            break;
        }
    }
    Ok(())
}

/// The third thread: vectors to disk. Returns how many shards it wrote.
fn write(writer: &mut CacheWriter, from: Receiver<Item<Embeddings>>) -> Result<usize> {
    let mut written = 0;
    for Item { shard, texts, payload } in from {
        writer.write(shard, &texts, payload.as_slice())?;
        written += 1;
    }
    Ok(written)
}

fn joined<T>(thread: ScopedJoinHandle<Result<T>>, name: &'static str) -> Result<T> {
    thread.join().unwrap_or_else(|_| Err(InferenceError::Panicked(name).into()))
}

/// An interruption says what is kept and how to go on.
fn stopped(error: Error, writer: &CacheWriter) -> Error {
    match error {
        Error::Data(limbeck_data::Error::Interrupted(source)) => {
            let (folder, shards) = (writer.folder().to_owned(), writer.done().len());
            InferenceError::Interrupted { folder, shards, source }.into()
        }
        other => other,
    }
}
