//! The three threads of the embed job: cut and tokenise, infer, write.

use std::thread::{self, ScopedJoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use limbeck_data::Monitor;
use limbeck_data::cache::{CacheWriter, DoneShards, FormerVectors, KnownVectors};
use limbeck_data::progress::Bar;
use limbeck_encoder::Embeddings;

use super::cut_texts::CutTexts;
use super::input::ShardInput;
use super::sources::TextSources;
use super::teacher::EmbedTeacher;
use super::{EmbedJob, TextChunks};
use crate::{Error, Result};

/// How many texts there were, and how many shards.
#[derive(Debug, Clone, Default)]
pub(super) struct ShardCounts {
    pub rows: u64,
    pub written: usize,
    pub kept: usize,
    /// Texts that went through the teacher.
    pub embedded: u64,
    /// Of the shards that were written, by source.
    pub cut: Vec<CutTexts>,
}

/// Writes the shards of `job` that `writer` doesn't have.
pub(super) fn run(job: EmbedJob, writer: &mut CacheWriter, monitor: Monitor) -> Result<ShardCounts> {
    let bar = monitor.stage("embed", job.total, "sentences");
    let shared = Shared { teacher: job.teacher, shard_rows: job.spec.shard_rows, monitor, bar: &*bar };
    let there = Present { done: writer.done(), former: writer.former() };
    thread::scope(|scope| {
        let (to_infer, tokenised) = bounded(1);
        let (to_write, inferred) = bounded(1);
        let sources = job.sources;
        let cutting = scope.spawn(move || cut((job.texts, &sources), there, &shared, to_infer));
        let writing = scope.spawn(|| write(writer, inferred));
        let inference = infer(&shared, tokenised, to_write);
        let (written, cut) = (joined(writing, "writing"), joined(cutting, "tokenizing"));
        // A thread that fails closes its channels, and the others end without an error of their own.
        let written = written?;
        inference?;
        Ok(ShardCounts { written, ..cut? })
    })
}

/// What the threads share.
#[derive(Clone, Copy)]
struct Shared<'a> {
    teacher: EmbedTeacher<'a>,
    shard_rows: usize,
    monitor: Monitor<'a>,
    bar: &'a dyn Bar,
}

/// What the cache has before the job.
struct Present {
    done: DoneShards,
    former: FormerVectors,
}

/// A shard on its way through the threads: its texts, the vectors that are known, and what the teacher makes the others
/// from, or those vectors; `None` where all are known.
struct ShardInWork<Payload> {
    shard: usize,
    /// The row of its first text among the texts of the job.
    first_row: usize,
    texts: Vec<String>,
    known: KnownVectors,
    payload: Option<Payload>,
}

/// The first thread: cuts the texts into shards, skips those that are done, looks up the vectors of the others' texts,
/// and tokenises the texts without one. Counts the texts and the shards that are done.
fn cut<'a>(
    (texts, sources): (TextChunks, &TextSources),
    mut there: Present,
    shared: &Shared<'a>,
    to: Sender<ShardInWork<ShardInput<'a>>>,
) -> Result<ShardCounts> {
    let mut texts = texts.flat_map(|chunk| {
        let (texts, error) = chunk.map_or_else(|error| (Vec::new(), Some(error)), |texts| (texts, None));
        texts.into_iter().map(Ok).chain(error.map(Err))
    });
    let mut counts = ShardCounts { cut: vec![CutTexts::default(); sources.count()], ..ShardCounts::default() };
    for place in 0.. {
        let shard = there.done.shard_number(place);
        let texts = texts.by_ref().take(shared.shard_rows).collect::<limbeck_data::Result<Vec<String>>>()?;
        if texts.is_empty() {
            break;
        }
        shared.monitor.check()?;
        counts.rows += texts.len() as u64;
        if !there.done.owns(shard) {
            continue;
        }
        if there.done.contains(shard, &texts) {
            counts.kept += 1;
            shared.bar.add(texts.len() as u64);
            continue;
        }
        let known = there.former.find(&texts)?;
        shared.bar.add(known.len() as u64);
        let first_row = place * shared.shard_rows;
        let new = NewTexts::of(&texts, &known, first_row);
        let mut payload = None;
        if !new.texts.is_empty() {
            let (input, cut) = ShardInput::new(shared.teacher, sources, &new.texts, &new.job_rows)?;
            counts.cut.iter_mut().zip(cut).for_each(|(all, cut)| all.add(cut));
            counts.embedded += new.texts.len() as u64;
            payload = Some(input);
        }
        // After an error the receiver is gone.
        if to.send(ShardInWork { shard, first_row, texts, known, payload }).is_err() {
            break;
        }
    }
    Ok(counts)
}

/// The texts of a shard whose vectors aren't known.
struct NewTexts<'a> {
    texts: Vec<&'a str>,
    /// Their rows among all texts of the job.
    job_rows: Vec<usize>,
}

impl<'a> NewTexts<'a> {
    /// Those of `texts`, whose first row in the job is `first_row`.
    fn of(texts: &'a [String], known: &KnownVectors, first_row: usize) -> Self {
        let rows = known.unknown_rows();
        let job_rows = rows.iter().map(|row| first_row + row).collect();
        Self { texts: rows.into_iter().map(|row| &*texts[row]).collect(), job_rows }
    }
}

/// The second thread, the caller's: tokens to vectors.
fn infer(shared: &Shared, from: Receiver<ShardInWork<ShardInput>>, to: Sender<ShardInWork<Embeddings>>) -> Result<()> {
    for ShardInWork { shard, first_row, texts, known, payload } in from {
        let encode = |input: ShardInput| {
            let new = NewTexts::of(&texts, &known, first_row);
            input.encode(&new.texts, &new.job_rows, shared.monitor, &mut |rows| {
                shared.bar.add(rows as u64);
                Ok(shared.monitor.check()?)
            })
        };
        let payload = payload.map(encode).transpose()?;
        if to.send(ShardInWork { shard, first_row, texts, known, payload }).is_err() {
            break;
        }
    }
    Ok(())
}

/// The third thread: vectors to disk. Returns how many shards it wrote.
fn write(writer: &mut CacheWriter, from: Receiver<ShardInWork<Embeddings>>) -> Result<usize> {
    from.into_iter().try_fold(0, |written, ShardInWork { shard, texts, known, payload, .. }| {
        let new = payload.as_ref().map(Embeddings::as_slice).unwrap_or_default();
        match known.is_empty() {
            true => writer.write(shard, &texts, new)?,
            false => writer.write(shard, &texts, &known.merged(new))?,
        }
        Ok(written + 1)
    })
}

fn joined<T>(thread: ScopedJoinHandle<Result<T>>, name: &'static str) -> Result<T> {
    thread.join().unwrap_or_else(|_| Err(Error::ThreadPanicked(name)))
}
