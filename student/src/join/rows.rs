//! The rows of several caches, side by side.

use limbeck_data::cache::Cache;

use crate::error::{Error, Result};
use crate::unit::to_unit;

/// Walks caches of the same texts in step, whatever their shards.
pub(super) struct Rows<'a> {
    readers: Vec<Reader<'a>>,
    total: u64,
}

/// Some texts and their vectors.
pub(super) struct Chunk {
    pub texts: Vec<String>,
    /// `texts.len()` times all caches' unit vectors side by side.
    pub vectors: Vec<f32>,
}

impl<'a> Rows<'a> {
    /// # Errors
    /// Caches that are not complete, or of different numbers of rows.
    pub fn new(caches: &'a [Cache]) -> Result<Self> {
        let total = caches.first().map_or(0, Cache::rows);
        for cache in caches {
            let wrong = |reason| Err(Error::Targets { path: cache.path().to_owned(), reason });
            if !cache.complete() {
                return wrong("is not complete".into());
            }
            if cache.rows() != total {
                return wrong(format!("has {} rows, and {} has {total}", cache.rows(), caches[0].path().display()));
            }
        }
        Ok(Self { readers: caches.iter().map(Reader::new).collect(), total })
    }

    /// How many rows there are.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The next rows, at most `most` of them; none after the last.
    ///
    /// # Errors
    /// A text that is another one in another cache.
    pub fn next(&mut self, most: usize) -> Result<Option<Chunk>> {
        let mut texts = Vec::new();
        let mut parts = Vec::with_capacity(self.readers.len());
        for (index, reader) in self.readers.iter_mut().enumerate() {
            let begin = reader.given;
            let (found, vectors) = reader.take(most)?;
            if index == 0 {
                texts = found;
            } else if let Some(at) = (0..texts.len().max(found.len())).find(|&at| texts.get(at) != found.get(at)) {
                let short = |text: Option<&String>| text.map(|text| text.chars().take(60).collect::<String>());
                let (this, first) = (short(found.get(at)), short(texts.get(at)));
                let reason = format!("row {} has the text {this:?}, the first cache {first:?}", begin + at as u64);
                return Err(Error::Targets { path: reader.cache.path().to_owned(), reason });
            }
            parts.push((vectors, reader.cache.dimension()));
        }
        if texts.is_empty() {
            return Ok(None);
        }
        let vectors = side_by_side(&parts);
        Ok(Some(Chunk { texts, vectors }))
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

/// Gives the rows of one cache in pieces of any size.
struct Reader<'a> {
    cache: &'a Cache,
    shard: usize,
    texts: Vec<String>,
    vectors: Vec<f32>,
    given: u64,
}

impl<'a> Reader<'a> {
    fn new(cache: &'a Cache) -> Self {
        Self { cache, shard: 0, texts: Vec::new(), vectors: Vec::new(), given: 0 }
    }

    fn take(&mut self, most: usize) -> Result<(Vec<String>, Vec<f32>)> {
        while self.texts.len() < most && self.shard < self.cache.shards() {
            let shard = self.cache.read(self.shard)?;
            self.texts.extend(shard.texts);
            self.vectors.extend(shard.embeddings);
            self.shard += 1;
        }
        let rows = most.min(self.texts.len());
        let texts_left = self.texts.split_off(rows);
        let vectors_left = self.vectors.split_off(rows * self.cache.dimension());
        self.given += rows as u64;
        Ok((std::mem::replace(&mut self.texts, texts_left), std::mem::replace(&mut self.vectors, vectors_left)))
    }
}
