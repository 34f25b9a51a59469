//! The rows of several caches of the same texts, side by side.

use limbeck_data::cache::Cache;
use limbeck_encoder::normalise;

use crate::error::{Error, Result};

/// The most consecutive rows that only one cache may have: the programs that made the caches may have left out
/// different duplicates or blank texts.
const GAP: usize = 1024;

/// Walks several caches of the same texts in step, even if their shards differ in size. Rows that some of them lack are
/// left out.
pub(super) struct AlignedRows<'a> {
    readers: Vec<RowReader<'a>>,
    /// The rows of the longest cache.
    pub longest: u64,
    /// Rows returned so far.
    pub given: u64,
    /// Rows left out so far, in all caches together.
    pub left_out: u64,
    /// For each cache after the first: the rows that the first cache and this one left out because these two differed.
    apart: Vec<[u64; 2]>,
}

/// Some texts and their vectors.
pub(super) struct AlignedChunk {
    pub texts: Vec<String>,
    /// For each text the unit vectors of all caches, side by side.
    pub vectors: Vec<f32>,
}

impl<'a> AlignedRows<'a> {
    /// Starts at the first row of each cache.
    ///
    /// # Errors
    /// Caches that are not complete, or without a row.
    pub(super) fn new(caches: &'a [Cache]) -> Result<Self> {
        for cache in caches {
            if !cache.complete() {
                return Err(Error::targets(cache.path(), "is not complete"));
            }
            if cache.rows() == 0 {
                return Err(Error::targets(cache.path(), "holds no text"));
            }
        }
        let longest = caches.iter().map(Cache::rows).max().unwrap_or(0);
        let apart = vec![[0; 2]; caches.len().saturating_sub(1)];
        Ok(Self { readers: caches.iter().map(RowReader::new).collect(), longest, given: 0, left_out: 0, apart })
    }

    /// The next rows, at most `most`; `None` after the last.
    ///
    /// # Errors
    /// More than [`GAP`] consecutive rows that differ between two caches; no row that all caches have.
    pub(super) fn next(&mut self, most: usize) -> Result<Option<AlignedChunk>> {
        let mut chunk = AlignedChunk { texts: Vec::new(), vectors: Vec::new() };
        while chunk.texts.len() < most {
            self.readers.iter_mut().try_for_each(RowReader::fill)?;
            if !self.align()? {
                break;
            }
            for reader in &mut self.readers {
                let start = chunk.vectors.len();
                chunk.vectors.extend_from_slice(reader.vector());
                normalise(&mut chunk.vectors[start..]);
            }
            let first = &mut self.readers[0];
            chunk.texts.push(std::mem::take(&mut first.texts[first.done]));
            for reader in &mut self.readers {
                reader.skip(1);
            }
            self.given += 1;
        }
        if self.given == 0 {
            let path = self.readers.first().map(|reader| reader.cache.path().to_owned()).unwrap_or_default();
            return Err(Error::targets(&path, "has no text that the other caches have"));
        }
        Ok((!chunk.texts.is_empty()).then_some(chunk))
    }

    /// Moves all readers to the next text that all of them have; `false` at the end.
    fn align(&mut self) -> Result<bool> {
        let [first, others @ ..] = self.readers.as_mut_slice() else { return Ok(false) };
        // For each other cache, the consecutive rows left out in which it and the first cache have no text in common.
        let mut lost = vec![0; others.len()];
        let mut index = 0;
        while let Some(other) = others.get_mut(index) {
            let (this, that) = (first.ahead(), other.ahead());
            if this.first() == that.first() {
                index += 1;
                continue;
            }
            let of = |text: Option<&String>, ahead: &[String]| {
                text.and_then(|text| ahead.iter().position(|other| other == text))
            };
            // The next rows are equal: this row has another text in each cache, and no row is missing.
            let is_changed = this.get(1).is_some() && this.get(1) == that.get(1);
            let (in_first, in_other) =
                if is_changed { (None, None) } else { (of(that.first(), this), of(this.first(), that)) };
            // Skip as few rows as possible until the two texts agree.
            let skipped = match (in_first, in_other) {
                (Some(skipped), other) if other.is_none_or(|other| skipped <= other) => [first.skip(skipped), 0],
                (_, Some(skipped)) => [0, other.skip(skipped)],
                // Neither has the other's text: both leave out one row.
                _ => [first.skip(1), other.skip(1)],
            };
            self.left_out += skipped.iter().sum::<usize>() as u64;
            lost[index] = if in_first.or(in_other).is_some() { 0 } else { lost[index] + 1 };
            let apart = &mut self.apart[index];
            (0..2).for_each(|side| apart[side] += skipped[side] as u64);
            let (path, name) = (other.cache.path(), first.cache.path().display());
            if lost[index] > GAP as u64 {
                let row = first.at.max(other.at) - lost[index];
                let reason = format!("from about row {row} on its texts are others than those of {name}");
                return Err(Error::targets(path, reason));
            }
            // One cache may be a part of the other, or both may be parts of the same text. But two caches in different
            // orders share next to nothing: the longest increasing subsequence of n shuffled rows has about 2√n rows.
            if apart[0].min(apart[1]) > GAP as u64 + 8 * self.given {
                let reason = format!("its texts are others than those of {name}, or in another order");
                return Err(Error::targets(path, reason));
            }
            first.fill()?;
            other.fill()?;
            index = 0;
        }
        Ok(!first.ahead().is_empty())
    }
}

/// Matrices `(values, width)` with the same number of rows, side by side; each part of a row becomes a unit vector.
pub(super) fn side_by_side(parts: &[(Vec<f32>, usize)]) -> Vec<f32> {
    let rows = parts.iter().map(|(values, width)| values.len() / width.max(&1)).min().unwrap_or(0);
    let mut all = Vec::with_capacity(parts.iter().map(|(values, _)| values.len()).sum());
    for row in 0..rows {
        for (values, width) in parts {
            let start = all.len();
            all.extend_from_slice(&values[row * width..(row + 1) * width]);
            normalise(&mut all[start..]);
        }
    }
    all
}

/// Reads the rows of one cache one after another and looks [`GAP`] rows ahead.
struct RowReader<'a> {
    cache: &'a Cache,
    /// The next shard to read.
    shard: usize,
    texts: Vec<String>,
    vectors: Vec<f32>,
    /// The rows of `texts` that are done.
    done: usize,
    /// The index of the next row in the whole cache.
    at: u64,
}

impl<'a> RowReader<'a> {
    fn new(cache: &'a Cache) -> Self {
        Self { cache, shard: 0, texts: Vec::new(), vectors: Vec::new(), done: 0, at: 0 }
    }

    /// Reads shards until more than [`GAP`] rows lie ahead, or the cache ends.
    fn fill(&mut self) -> Result<()> {
        while self.texts.len() - self.done <= GAP && self.shard < self.cache.shards() {
            self.texts.drain(..self.done);
            self.vectors.drain(..self.done * self.cache.dimension());
            self.done = 0;
            let shard = self.cache.read(self.shard)?;
            self.texts.extend(shard.texts);
            self.vectors.extend(shard.embeddings);
            self.shard += 1;
        }
        Ok(())
    }

    fn ahead(&self) -> &[String] {
        let ahead = &self.texts[self.done..];
        &ahead[..ahead.len().min(GAP + 1)]
    }

    fn vector(&self) -> &[f32] {
        let width = self.cache.dimension();
        &self.vectors[self.done * width..][..width]
    }

    /// Leaves out the next `rows` rows, or as many as there are, and returns their number.
    fn skip(&mut self, rows: usize) -> usize {
        let rows = rows.min(self.texts.len() - self.done);
        self.done += rows;
        self.at += rows as u64;
        rows
    }
}
