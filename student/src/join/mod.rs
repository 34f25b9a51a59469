//! Joins several teachers' caches of the same texts into one cache, so that a student learns from all of them.
//!
//! ```text
//! cache of one teacher     ──┐ vectors z side by side        ┌─ unit vectors Mz - o, rows as they were
//! cache of another teacher ──┴──► moments of a sample ──► JoinMap ──► the joined cache
//! ```

mod aligned;
mod join_file;
mod map;
#[cfg(test)]
mod tests;

use std::path::Path;

use limbeck_data::cache::{Cache, CacheSpec, CacheWriter, Fingerprint, SHARD_ROWS, TokenVectors};
use limbeck_data::{Monitor, VectorType};
use limbeck_encoder::Tokenizer;
use serde::{Deserialize, Serialize};

use self::aligned::{AlignedRows, side_by_side};
pub use self::join_file::{FILE, Join, JoinSource};
pub use self::map::JoinMap;
use crate::error::{Error, Result};

/// The weight of each teacher, and the width of the joined vectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The weight of each teacher's cosine, above 0, in the order of the caches. Only the ratios matter.
    pub weights: Vec<f64>,
    /// The share of a teacher's mean vector that is subtracted from its vectors, from 0 to 1.
    pub centre: f64,
    /// The width of the joined vectors: at most the sum of the teachers' widths.
    pub dimension: usize,
}

impl Settings {
    /// Refuses settings that don't fit these caches.
    pub fn check(&self, caches: &[Cache]) -> Result<()> {
        let widths: Vec<usize> = caches.iter().map(Cache::dimension).collect();
        let is_one_a_cache = widths.len() >= 2 && self.weights.len() == widths.len();
        let value = format!("{:?} of {} caches", self.weights, widths.len());
        Error::require(is_one_a_cache, "weights", value, "one a cache, of at least two caches")?;
        let sum: f64 = self.weights.iter().sum();
        let is_bad = |weight: f64| weight.is_nan() || weight <= 0.0;
        let shares = || self.weights.iter().filter(|&&weight| is_bad(weight / sum));
        if let Some(weight) = self.weights.iter().find(|&&weight| is_bad(weight)).or_else(|| shares().next()) {
            return Err(Error::setting("weights", format!("{weight:e}"), "above 0, and their sum a number"));
        }
        Error::require((0.0..=1.0).contains(&self.centre), "centre", self.centre, "from 0 to 1")?;
        let total: usize = widths.iter().sum();
        let allowed = format!("from 1 to {total}, all widths together");
        Error::require((1..=total).contains(&self.dimension), "dimension", self.dimension, allowed)
    }
}

/// The caches to join, and where to.
pub struct JoinJob<'a> {
    /// Caches of the same texts in the same order; a few texts may be missing in some. The joined cache gets the first
    /// cache's tokenizer.
    pub caches: &'a [Cache],
    /// How their vectors become one.
    pub join: &'a Join,
    /// How the vectors are stored.
    pub storage: VectorType,
    /// The folder of the joined cache.
    pub folder: &'a Path,
    /// Progress and interruption.
    pub monitor: Monitor<'a>,
}

/// The result of a [`JoinJob`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinSummary {
    /// The rows of the joined cache.
    pub rows: u64,
    /// Rows that some cache lacks, counted in all caches together.
    pub left_out: u64,
    /// Why the vectors of the first cache's tokens, from which a student can start, could not be joined; `None` if they
    /// were.
    pub no_tokens: Option<String>,
}

/// Writes the joined cache and its join. Shards that an earlier run of the same job wrote are kept if every cache has a
/// fingerprint.
///
/// # Errors
/// Caches of different texts, or of other teachers than the join was computed for; a cache that can't be read; a folder
/// that holds another cache or can't be written.
pub fn join(job: &JoinJob) -> Result<JoinSummary> {
    job.join.check(job.caches)?;
    let mut rows = AlignedRows::new(job.caches)?;
    let fingerprint = Fingerprint {
        teacher: job.join.hash(),
        tokenizer: job.caches[0].fingerprint().map(|first| first.tokenizer.clone()).unwrap_or_default(),
        text: join_file::hash_of_texts(job.caches)?,
        pooling: "joined".into(),
        ..Fingerprint::default()
    };
    let spec = CacheSpec::new(job.join.map.dimension(), job.storage, fingerprint);
    let mut writer = CacheWriter::open(job.folder, spec)?;
    writer.rejected().iter().for_each(|line| job.monitor.note(line));
    job.join.save(job.folder)?;
    let can_keep = job.caches.iter().all(|cache| cache.fingerprint().is_some());
    let no_tokens = if can_keep && writer.has_tokens() { None } else { join_tokens(job, &mut writer)? };
    let bar = job.monitor.stage("join", Some(rows.longest), "sentences");
    let mut shard = 0;
    while let Some(chunk) = rows.next(SHARD_ROWS)? {
        job.monitor.check()?;
        if !(can_keep && writer.is_done(shard, &chunk.texts)) {
            writer.write(shard, &chunk.texts, &job.join.map.apply(&chunk.vectors))?;
        }
        shard += 1;
        bar.add(chunk.texts.len() as u64);
    }
    writer.finish(rows.given)?;
    Ok(JoinSummary { rows: rows.given, left_out: rows.left_out, no_tokens })
}

/// Joins the vectors of the first cache's tokens; returns the reason where a cache lacks them.
fn join_tokens(job: &JoinJob, writer: &mut CacheWriter) -> Result<Option<String>> {
    let lacks = |cache: &Cache, what: &str| Ok(Some(format!("{} has no {what}", cache.path().display())));
    let Some(path) = job.caches[0].tokenizer() else { return lacks(&job.caches[0], "tokenizer.json") };
    let tokenizer = Tokenizer::from_file(&path)?;
    let json = tokenizer.json();
    let mut texts = Vec::new();
    let mut parts = Vec::new();
    for (index, cache) in job.caches.iter().enumerate() {
        let own = index == 0 || cache.tokenizer().is_some_and(|path| std::fs::read(path).is_ok_and(|own| own == json));
        let found = if own { cache.tokens()? } else { cache.student_tokens(json)? };
        let fits = |found: &TokenVectors| found.dimension == cache.dimension() && (index == 0 || found.texts == texts);
        let Some(found) = found.filter(fits) else {
            return lacks(cache, "vectors of the first cache's tokens (embed it with --student-tokenizer)");
        };
        texts = found.texts;
        parts.push((found.embeddings, cache.dimension()));
    }
    writer.write_tokens(json, &texts, &job.join.map.apply(&side_by_side(&parts)))?;
    Ok(None)
}
