//! The rows of several caches, side by side.

use limbeck_data::cache::Cache;

use crate::error::{Error, Result};
use crate::unit::to_unit;

/// So many rows one after another may be one cache's only: whoever made the caches left out other duplicates or blanks.
const GAP: usize = 1024;

/// Walks caches of the same texts in step, whatever their shards. Rows that not all of them have are left out.
pub(super) struct Rows<'a> {
    readers: Vec<Reader<'a>>,
    /// The rows of the longest cache.
    pub most: u64,
    /// Rows given so far.
    pub given: u64,
    /// Rows left out so far, of all caches together.
    pub left_out: u64,
    /// Rows that all have, so far.
    matched: u64,
    /// Of the first cache and each of the others, the rows left out where these two differed.
    apart: Vec<[u64; 2]>,
}

/// Some texts and their vectors.
pub(super) struct Chunk {
    pub texts: Vec<String>,
    /// `texts.len()` times all caches' unit vectors side by side.
    pub vectors: Vec<f32>,
}

impl<'a> Rows<'a> {
    /// # Errors
    /// Caches that are not complete, or without a row.
    pub fn new(caches: &'a [Cache]) -> Result<Self> {
        for cache in caches {
            let wrong = |reason: &str| Err(Error::Targets { path: cache.path().to_owned(), reason: reason.into() });
            if !cache.complete() {
                return wrong("is not complete");
            }
            if cache.rows() == 0 {
                return wrong("holds no text");
            }
        }
        let most = caches.iter().map(Cache::rows).max().unwrap_or(0);
        let apart = vec![[0; 2]; caches.len().saturating_sub(1)];
        Ok(Self { readers: caches.iter().map(Reader::new).collect(), most, given: 0, left_out: 0, matched: 0, apart })
    }

    /// The next rows, at most `most` of them; none after the last.
    ///
    /// # Errors
    /// More than [`GAP`] rows one after another that are others in another cache; no row that all have.
    pub fn next(&mut self, most: usize) -> Result<Option<Chunk>> {
        let mut chunk = Chunk { texts: Vec::new(), vectors: Vec::new() };
        while chunk.texts.len() < most {
            for reader in &mut self.readers {
                reader.fill()?;
            }
            if !self.align()? {
                break;
            }
            for reader in &mut self.readers {
                let start = chunk.vectors.len();
                chunk.vectors.extend_from_slice(reader.vector());
                to_unit(&mut chunk.vectors[start..]);
            }
            chunk.texts.push(self.readers[0].take());
            self.readers[1..].iter_mut().for_each(|reader| drop(reader.take()));
        }
        self.given += chunk.texts.len() as u64;
        if self.given == 0 {
            let path = self.readers.first().map(|reader| reader.cache.path().to_owned()).unwrap_or_default();
            return Err(Error::Targets { path, reason: "has no text that the other caches have".into() });
        }
        Ok((!chunk.texts.is_empty()).then_some(chunk))
    }

    /// Goes on, where need be, to the next text that all readers have; false at the end.
    fn align(&mut self) -> Result<bool> {
        let [first, others @ ..] = self.readers.as_mut_slice() else { return Ok(false) };
        // Rows left out one after another because of each of the others.
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
            // One that both have in the other's place, with the rows after it the same: no row is missing.
            let is_another = this.get(1).is_some() && this.get(1) == that.get(1);
            let (in_first, in_other) =
                if is_another { (None, None) } else { (of(that.first(), this), of(this.first(), that)) };
            // The fewer rows of the one that the other can go on after.
            let skipped = match (in_first, in_other) {
                (Some(skipped), other) if other.is_none_or(|other| skipped <= other) => [first.skip(skipped), 0],
                (_, Some(skipped)) => [0, other.skip(skipped)],
                // Neither has the other's: both leave one out.
                _ => [first.skip(1), other.skip(1)],
            };
            self.left_out += skipped.iter().sum::<usize>() as u64;
            lost[index] = if in_first.or(in_other).is_some() { 0 } else { lost[index] + 1 };
            let apart = &mut self.apart[index];
            (0..2).for_each(|side| apart[side] += skipped[side] as u64);
            let (path, name) = (|| other.cache.path().to_owned(), first.cache.path().display());
            if lost[index] > GAP as u64 {
                let row = first.at.max(other.at) - lost[index];
                let reason = format!("from about row {row} on its texts are others than those of {name}");
                return Err(Error::Targets { path: path(), reason });
            }
            // One cache may be a part of the other, or each a part of the same text. But of two in another order next to nothing is left:
            // the longest part that n shuffled rows have in order is of about 2√n.
            if apart[0].min(apart[1]) > GAP as u64 + 8 * self.matched {
                let reason = format!("its texts are others than those of {name}, or in another order");
                return Err(Error::Targets { path: path(), reason });
            }
            first.fill()?;
            other.fill()?;
            index = 0;
        }
        let found = !first.ahead().is_empty();
        self.matched += u64::from(found);
        Ok(found)
    }
}

/// Rows of several widths (`n × width` each) as one, each part of a row a unit vector.
pub(super) fn side_by_side(parts: &[(Vec<f32>, usize)]) -> Vec<f32> {
    let rows = parts.iter().map(|(numbers, width)| numbers.len() / width.max(&1)).min().unwrap_or(0);
    let mut all = Vec::with_capacity(parts.iter().map(|(numbers, _)| numbers.len()).sum());
    for row in 0..rows {
        for (numbers, width) in parts {
            let start = all.len();
            all.extend_from_slice(&numbers[row * width..(row + 1) * width]);
            to_unit(&mut all[start..]);
        }
    }
    all
}

/// Gives the rows of one cache one after another, and sees [`GAP`] ahead.
struct Reader<'a> {
    cache: &'a Cache,
    /// The next shard to read.
    shard: usize,
    texts: Vec<String>,
    vectors: Vec<f32>,
    /// Of those, how many were given.
    done: usize,
    /// The row that comes next, of all.
    at: u64,
}

impl<'a> Reader<'a> {
    fn new(cache: &'a Cache) -> Self {
        Self { cache, shard: 0, texts: Vec::new(), vectors: Vec::new(), done: 0, at: 0 }
    }

    /// Reads on until more than [`GAP`] rows lie ahead, or all there are.
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

    fn take(&mut self) -> String {
        let text = std::mem::take(&mut self.texts[self.done]);
        self.done += 1;
        self.at += 1;
        text
    }

    /// Leaves out the next `rows`, or as many as there are; says how many.
    fn skip(&mut self, rows: usize) -> usize {
        let rows = rows.min(self.texts.len() - self.done);
        self.done += rows;
        self.at += rows as u64;
        rows
    }
}
