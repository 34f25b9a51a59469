//! The three threads of the embed job: cut and tokenise, infer, write.

use std::thread::{self, ScopedJoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use limbeck_data::Monitor;
use limbeck_data::cache::{CacheWriter, DoneShards};
use limbeck_data::progress::Bar;
use limbeck_encoder::{Embeddings, TokenBatch};

use super::{EmbedJob, Teacher, TextChunks};
use crate::Result;
use crate::inference_error::InferenceError;

/// How many texts there were, and how many shards.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ShardCounts {
    pub rows: u64,
    pub written: usize,
    pub kept: usize,
}

/// Writes the shards of `job` that `writer` doesn't have.
pub(super) fn run(job: EmbedJob, writer: &mut CacheWriter, monitor: Monitor) -> Result<ShardCounts> {
    let bar = monitor.stage("embed", job.total, "sentences");
    let shared = Shared { teacher: job.teacher, monitor, bar: &*bar };
    let cutter = Cutter { shard_rows: job.spec.shard_rows, done: writer.done(), shared };
    thread::scope(|scope| {
        let (to_infer, tokenised) = bounded(1);
        let (to_write, inferred) = bounded(1);
        let cutting = scope.spawn(move || cutter.run(job.texts, &to_infer));
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
    teacher: &'a dyn Teacher,
    monitor: Monitor<'a>,
    bar: &'a dyn Bar,
}

/// A shard on its way through the threads: its texts, and their tokens or vectors.
struct ShardInWork<Payload> {
    shard: usize,
    texts: Vec<String>,
    payload: Payload,
}

/// The first thread: cuts the texts into shards, skips those that are done, tokenises the others.
struct Cutter<'a> {
    shard_rows: usize,
    done: DoneShards,
    shared: Shared<'a>,
}

impl Cutter<'_> {
    /// Counts the texts and the shards that are done.
    fn run(self, texts: TextChunks, to: &Sender<ShardInWork<TokenBatch>>) -> Result<ShardCounts> {
        let (mut counts, mut shard, mut pending) = (ShardCounts::default(), 0, Vec::new());
        for chunk in texts {
            let chunk = chunk?;
            counts.rows += chunk.len() as u64;
            pending.extend(chunk);
            while pending.len() >= self.shard_rows {
                let rest = pending.split_off(self.shard_rows);
                let whole = std::mem::replace(&mut pending, rest);
                if !self.pass(shard, whole, to, &mut counts)? {
                    return Ok(counts);
                }
                shard += 1;
            }
        }
        if !pending.is_empty() {
            self.pass(shard, pending, to, &mut counts)?;
        }
        Ok(counts)
    }

    /// Sends a shard on. False when the receiver is gone.
    fn pass(
        &self,
        shard: usize,
        texts: Vec<String>,
        to: &Sender<ShardInWork<TokenBatch>>,
        counts: &mut ShardCounts,
    ) -> Result<bool> {
        self.shared.monitor.check()?;
        if !self.done.owns(shard) {
            return Ok(true);
        }
        if self.done.contains(shard, &texts) {
            counts.kept += 1;
            self.shared.bar.add(texts.len() as u64);
            return Ok(true);
        }
        let views: Vec<&str> = texts.iter().map(String::as_str).collect();
        let payload = self.shared.teacher.tokenise(&views)?;
        Ok(to.send(ShardInWork { shard, texts, payload }).is_ok())
    }
}

/// The second thread, the caller's: tokens to vectors.
fn infer(shared: &Shared, from: Receiver<ShardInWork<TokenBatch>>, to: Sender<ShardInWork<Embeddings>>) -> Result<()> {
    for ShardInWork { shard, texts, payload } in from {
        let payload = shared.teacher.encode_tokens(&payload, &mut |rows| {
            shared.bar.add(rows as u64);
            Ok(shared.monitor.check()?)
        })?;
        if to.send(ShardInWork { shard, texts, payload }).is_err() {
            break;
        }
    }
    Ok(())
}

/// The third thread: vectors to disk. Returns how many shards it wrote.
fn write(writer: &mut CacheWriter, from: Receiver<ShardInWork<Embeddings>>) -> Result<usize> {
    let mut written = 0;
    for ShardInWork { shard, texts, payload } in from {
        writer.write(shard, &texts, payload.as_slice())?;
        written += 1;
    }
    Ok(written)
}

fn joined<T>(thread: ScopedJoinHandle<Result<T>>, name: &'static str) -> Result<T> {
    thread.join().unwrap_or_else(|_| Err(InferenceError::Panicked(name).into()))
}
