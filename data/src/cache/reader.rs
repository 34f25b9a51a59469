//! [`Cache`]: reads a cache of limbeck, or an external Parquet file or folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::adopted_index::{AdoptedCache, AdoptedIndex};
use super::columns::Columns;
use super::error::CacheError;
use super::external::ExternalParquet;
use super::format::{TOKENIZER_FILE, TOKENS_FILE};
use super::index::{Fingerprint, indexes};
use super::native::NativeCache;
use super::parquet_out::PAGE_ROWS;
use super::shard::{Shard, Slice};
use super::token_vectors::{TokenVectors, read_token_vectors};
use crate::{Error, Result, VectorType};

/// A cache of texts and their vectors, read shard by shard; memory holds one shard at a time.
#[derive(Debug)]
pub struct Cache {
    path: PathBuf,
    dimension: usize,
    /// The rows of each shard.
    shard_rows: Vec<usize>,
    files: CacheFiles,
}

#[derive(Debug)]
enum CacheFiles {
    Native(Box<NativeCache>),
    External(ExternalParquet),
    Adopted(Box<AdoptedCache>),
}

impl Cache {
    /// Opens a cache of limbeck, or an external Parquet file or folder, whose columns are found by type.
    ///
    /// # Errors
    /// The path is missing, a file is truncated, the indexes in a folder are of different caches, or the columns cannot
    /// be told. Missing shards are no error, see [`Cache::missing`].
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_columns(path, &Columns::default())
    }

    /// As [`Cache::open`], with names for the columns of an external Parquet file.
    pub fn open_columns(path: &Path, columns: &Columns) -> Result<Self> {
        let is_folder = fs::metadata(path).map_err(Error::io("open", path))?.is_dir();
        if let Some(index) = is_folder.then(|| AdoptedIndex::load(path)).transpose()?.flatten() {
            let adopted = AdoptedCache::open(path, index)?;
            let (dimension, shard_rows) = (adopted.files.dimension, adopted.shard_rows());
            return Ok(Self {
                path: path.to_owned(),
                dimension,
                shard_rows,
                files: CacheFiles::Adopted(adopted.into()),
            });
        }
        let indexes = if is_folder { indexes(path)? } else { BTreeMap::new() };
        let (dimension, shard_rows, files) = match NativeCache::merge(path, indexes)? {
            Some(native) => {
                let shard_rows = native.shards.iter().map(|entry| entry.rows).collect();
                (native.index.dimension, shard_rows, CacheFiles::Native(Box::new(native)))
            }
            None => {
                let external = ExternalParquet::open(path, columns)?;
                let shard_rows = external.shards.iter().map(|shard| shard.rows).collect();
                (external.dimension, shard_rows, CacheFiles::External(external))
            }
        };
        Ok(Self { path: path.to_owned(), dimension, shard_rows, files })
    }

    /// The cache, if limbeck wrote it.
    fn native(&self) -> Option<&NativeCache> {
        match &self.files {
            CacheFiles::Native(native) => Some(native),
            CacheFiles::External(_) | CacheFiles::Adopted(_) => None,
        }
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of rows that can be read.
    pub fn rows(&self) -> u64 {
        self.shard_rows.iter().map(|&rows| rows as u64).sum()
    }

    /// The width of the vectors.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The number of shards that can be read, each of at most 16,384 rows unless the writer was told otherwise.
    pub fn shards(&self) -> usize {
        self.shard_rows.len()
    }

    /// The number of rows of shard `shard`, without reading it; 0 past the last.
    pub fn shard_rows(&self, shard: usize) -> usize {
        self.shard_rows.get(shard).copied().unwrap_or_default()
    }

    /// What the vectors depend on; unknown for external Parquet.
    pub fn fingerprint(&self) -> Option<&Fingerprint> {
        match &self.files {
            CacheFiles::Native(native) => Some(&native.index.fingerprint),
            CacheFiles::Adopted(adopted) => adopted.index.fingerprint.as_ref(),
            CacheFiles::External(_) => None,
        }
    }

    /// The number type of the stored vectors; not looked up for external Parquet.
    pub fn storage(&self) -> Option<VectorType> {
        self.native().map(|native| native.index.storage)
    }

    /// Whether every row of the text is there.
    pub fn complete(&self) -> bool {
        self.native().is_none_or(|native| native.complete)
    }

    /// The numbers of the shards known to be missing. How many there should be is known once a part is finished; before
    /// that, [`Cache::complete`] is false and this lists the gaps.
    pub fn missing(&self) -> &[usize] {
        self.native().map_or(&[], |native| native.missing.as_slice())
    }

    /// Reads a shard. Reading shards in order is fastest.
    ///
    /// # Errors
    /// There is no such shard, or its file was changed or damaged. In external Parquet: a row without text or vector,
    /// or a vector of another width, zero or not finite; the error names file and row.
    pub fn read(&self, shard: usize) -> Result<Shard> {
        self.check_shard(shard)?;
        match &self.files {
            CacheFiles::Native(native) => native.read(shard),
            CacheFiles::External(external) => external.read(shard),
            CacheFiles::Adopted(adopted) => adopted.read(shard),
        }
    }

    /// All rows, in order, in slices that can be read one by one: of at most 256 rows in a cache of limbeck. In
    /// external Parquet a slice is a whole shard, because such a file may have to be read from its beginning.
    pub fn slices(&self) -> Vec<Slice> {
        let slice_rows = if self.native().is_some() { PAGE_ROWS } else { usize::MAX };
        let of_shard = |shard: usize| {
            let rows = self.shard_rows(shard);
            (0..rows)
                .step_by(slice_rows)
                .map(move |start| Slice { shard, rows: start..start.saturating_add(slice_rows).min(rows) })
        };
        (0..self.shards()).flat_map(of_shard).collect()
    }

    /// Reads a slice of [`Cache::slices`]. The hash of the file is not compared, because that takes the whole file:
    /// read all shards with [`Cache::read`] once before.
    ///
    /// # Errors
    /// There is no such shard, or its file is no Parquet or ends before the slice does; else as for [`Cache::read`].
    pub fn read_slice(&self, slice: &Slice) -> Result<Shard> {
        let Some(native) = self.native() else { return self.read(slice.shard) };
        self.check_shard(slice.shard)?;
        native.read_slice(slice)
    }

    /// Refuses a number past the last shard.
    fn check_shard(&self, shard: usize) -> Result<()> {
        let shards = self.shards();
        if shard < shards {
            Ok(())
        } else {
            Err(CacheError::NoSuchShard { path: self.path.clone(), shard, shards }.into())
        }
    }

    /// The teacher's token vectors, where the cache has them.
    pub fn tokens(&self) -> Result<Option<TokenVectors>> {
        let Some(path) = self.beside(TOKENS_FILE) else { return Ok(None) };
        self.native().map_or_else(|| read_token_vectors(&path), NativeCache::tokens).map(Some)
    }

    /// The teacher's vectors of a student's own tokens, where the cache has them; `tokenizer` is the student's JSON.
    pub fn student_tokens(&self, tokenizer: &[u8]) -> Result<Option<TokenVectors>> {
        self.native().map_or(Ok(None), |native| native.student_tokens(tokenizer))
    }

    /// The teacher's tokenizer, where the cache has it.
    pub fn tokenizer(&self) -> Option<PathBuf> {
        self.beside(TOKENIZER_FILE)
    }

    fn beside(&self, name: &str) -> Option<PathBuf> {
        let path = self.path.join(name);
        path.is_file().then_some(path)
    }
}
