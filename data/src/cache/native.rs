//! A cache that limbeck wrote: an index, or one a part, and shards.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::file::reader::ChunkReader;

use super::columns::{Columns, Decoder};
use super::error::CacheError;
use super::format::{TOKENS_FILE, student_tokens_file};
use super::index::{FileEntry, Index, ShardEntry};
use super::parquet_in;
use super::shard::{Shard, Slice};
use super::token_vectors::{TokenVectors, read_token_vectors};
use crate::files;
use crate::{Error, Result};

#[derive(Debug)]
pub(super) struct NativeCache {
    folder: PathBuf,
    pub index: Index,
    /// The shards that are there, of all parts.
    pub shards: Vec<ShardEntry>,
    pub missing: Vec<usize>,
    pub complete: bool,
}

impl NativeCache {
    /// The cache in `folder` whose index, or whose parts' indexes, are given; `None` without an index.
    pub(super) fn merge(folder: &Path, indexes: BTreeMap<PathBuf, Index>) -> Result<Option<Self>> {
        let mut indexes = indexes.into_iter();
        let Some((_, first)) = indexes.next() else { return Ok(None) };
        let mut all: BTreeMap<usize, ShardEntry> = BTreeMap::new();
        let mut rows = first.rows;
        let mut own = first.own_text.then(|| vec![first.rows.map(|rows| first.shards_of(rows))]);
        all.extend(first.shards.iter().map(|entry| (entry.shard, entry.clone())));
        for (path, other) in indexes {
            other.check_against(&first, &path)?;
            rows = rows.max(other.rows);
            if let Some(own) = &mut own {
                own.push(other.rows.map(|rows| other.shards_of(rows)));
            }
            for entry in other.shards {
                all.entry(entry.shard).or_insert(entry);
            }
        }
        all.retain(|_, entry| folder.join(&entry.file).is_file());
        let (expected, is_known): (Vec<usize>, bool) = match (own, rows) {
            (Some(parts), _) => {
                let is_known =
                    parts.len() == first.part.map_or(1, |(_, n)| n as usize) && parts.iter().all(Option::is_some);
                (parts.into_iter().flatten().flatten().collect(), is_known)
            }
            (None, Some(rows)) => (first.shards_of(rows).collect(), true),
            (None, None) => ((0..all.keys().next_back().map_or(0, |last| last + 1)).collect(), false),
        };
        let mut missing: Vec<usize> = expected.into_iter().filter(|shard| !all.contains_key(shard)).collect();
        missing.sort_unstable();
        let complete = is_known && missing.is_empty();
        let shards = all.into_values().collect();
        Ok(Some(Self { folder: folder.to_owned(), index: first, shards, missing, complete }))
    }

    /// Reads a shard and compares its hash.
    pub(super) fn read(&self, shard: usize) -> Result<Shard> {
        let entry = &self.shards[shard];
        let path = self.folder.join(&entry.file);
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        if files::sha256_bytes(&bytes) != entry.sha256 {
            return Err(CacheError::Damaged { path }.into());
        }
        let bytes = bytes::Bytes::from(bytes);
        let metadata = parquet_in::footer(&bytes, &path)?;
        self.decode(entry, bytes, metadata, 0..entry.rows, &path)
    }

    /// Reads rows of a shard without its hash.
    pub(super) fn read_slice(&self, slice: &Slice) -> Result<Shard> {
        let entry = &self.shards[slice.shard];
        let path = self.folder.join(&entry.file);
        let (file, metadata) = parquet_in::open(&path)?;
        self.decode(entry, file, metadata, slice.rows.clone(), &path)
    }

    fn decode<R: ChunkReader + 'static>(
        &self,
        entry: &ShardEntry,
        input: R,
        metadata: ArrowReaderMetadata,
        rows: Range<usize>,
        path: &Path,
    ) -> Result<Shard> {
        let columns = Columns::default().find(metadata.schema(), path)?;
        let mut reader = parquet_in::reader(input, metadata, columns, path, |builder| {
            builder.with_offset(rows.start).with_limit(rows.len())
        })?;
        let decoder = Decoder { path, columns, dimension: self.index.dimension, row: rows.start as u64 };
        let first_id = entry.shard as u64 * self.index.shard_rows as u64 + rows.start as u64;
        let shard = parquet_in::read_shard(&mut reader, decoder, rows.len(), first_id)?;
        if shard.rows() != rows.len() {
            return Err(CacheError::Damaged { path: path.to_owned() }.into());
        }
        Ok(shard)
    }

    /// The teacher's token vectors, once it is known that the file is there.
    pub(super) fn tokens(&self) -> Result<TokenVectors> {
        for entry in [&self.index.tokens, &self.index.tokenizer].into_iter().flatten() {
            self.check(entry)?;
        }
        read_token_vectors(&self.folder.join(TOKENS_FILE))
    }

    pub(super) fn student_tokens(&self, tokenizer: &[u8]) -> Result<Option<TokenVectors>> {
        let file = student_tokens_file(tokenizer);
        let Some(entry) = self.index.student_tokens.iter().find(|entry| entry.file == file) else { return Ok(None) };
        read_token_vectors(&self.check(entry)?).map(Some)
    }

    /// The path of a file in the index, whose hash is compared.
    fn check(&self, entry: &FileEntry) -> Result<PathBuf> {
        let path = self.folder.join(&entry.file);
        match files::sha256_file(&path)? == entry.sha256 {
            true => Ok(path),
            false => Err(CacheError::Damaged { path }.into()),
        }
    }
}
