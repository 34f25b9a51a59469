//! [`Cache`]: reads a cache, ours or one made elsewhere.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::file::reader::ChunkReader;

use super::columns::{Columns, Decoder};
use super::error::CacheError;
use super::foreign::Foreign;
use super::index::{Fingerprint, Index, Precision, ShardEntry, indexes};
use super::parquet_in::{self, BATCH_ROWS, Part};
use super::parquet_out::PAGE_ROWS;
use super::tokens::{TOKENIZER_FILE, TOKENS_FILE, TokenVectors, read_token_vectors, student_tokens_file};
use crate::files;
use crate::{Error, Result};

/// Some rows of a cache that follow one another.
#[derive(Debug, Clone, PartialEq)]
pub struct Shard {
    /// The id of the first row; the others follow.
    pub first_id: u64,
    /// The texts.
    pub texts: Vec<String>,
    /// `texts.len() × dimension` numbers, as stored: unit vectors where limbeck wrote them, else as they came.
    pub embeddings: Vec<f32>,
}

impl Shard {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.texts.len()
    }
}

/// Rows of one shard that can be read without its others, see [`Cache::slices`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// The shard's number.
    pub shard: usize,
    /// Its rows.
    pub rows: Range<usize>,
}

/// A cache of texts and their vectors, read shard by shard; memory holds one shard at a time.
#[derive(Debug)]
pub struct Cache {
    path: PathBuf,
    dimension: usize,
    rows: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Ours(Box<Ours>),
    Foreign(Foreign),
}

#[derive(Debug)]
struct Ours {
    index: Index,
    shards: Vec<ShardEntry>,
    missing: Vec<usize>,
    complete: bool,
}

impl Cache {
    /// Opens a cache of ours, or a Parquet file or folder made elsewhere whose columns are found by type.
    ///
    /// # Errors
    /// Nothing there, a truncated file, indexes of different caches in one folder, columns that can't be told. Shards that
    /// are missing are no error, see [`Cache::missing`].
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_columns(path, &Columns::default())
    }

    /// As [`Cache::open`], with the columns of a Parquet file made elsewhere named.
    pub fn open_columns(path: &Path, columns: &Columns) -> Result<Self> {
        let folder = fs::metadata(path).map_err(Error::io("open", path))?.is_dir();
        let indexes = if folder { indexes(path)? } else { BTreeMap::new() };
        if indexes.is_empty() {
            let foreign = Foreign::open(path, columns)?;
            let (dimension, rows) = (foreign.dimension(), foreign.rows());
            return Ok(Self { path: path.to_owned(), dimension, rows, kind: Kind::Foreign(foreign) });
        }
        let ours = Ours::merge(path, indexes)?;
        let rows = ours.shards.iter().map(|entry| entry.rows as u64).sum();
        Ok(Self { path: path.to_owned(), dimension: ours.index.dimension, rows, kind: Kind::Ours(Box::new(ours)) })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many rows are there.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The width of the vectors.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// How many shards can be read; at most 16,384 rows each, unless the writer was told otherwise.
    pub fn shards(&self) -> usize {
        match &self.kind {
            Kind::Ours(ours) => ours.shards.len(),
            Kind::Foreign(foreign) => foreign.shards(),
        }
    }

    /// How many rows shard `shard` has, without reading it; 0 past the last.
    pub fn shard_rows(&self, shard: usize) -> usize {
        match &self.kind {
            Kind::Ours(ours) => ours.shards.get(shard).map_or(0, |entry| entry.rows),
            Kind::Foreign(foreign) => foreign.shard_rows(shard),
        }
    }

    /// What the vectors depend on; none for one made elsewhere.
    pub fn fingerprint(&self) -> Option<&Fingerprint> {
        match &self.kind {
            Kind::Ours(ours) => Some(&ours.index.fingerprint),
            Kind::Foreign(_) => None,
        }
    }

    /// How the vectors are stored; none for one made elsewhere.
    pub fn precision(&self) -> Option<Precision> {
        match &self.kind {
            Kind::Ours(ours) => Some(ours.index.storage),
            Kind::Foreign(_) => None,
        }
    }

    /// Whether every row of the text is there.
    pub fn complete(&self) -> bool {
        match &self.kind {
            Kind::Ours(ours) => ours.complete,
            Kind::Foreign(_) => true,
        }
    }

    /// The numbers of the shards known to be missing. Until some part is finished nobody knows how many there are to be:
    /// then [`Cache::complete`] is false and this lists the gaps.
    pub fn missing(&self) -> &[usize] {
        match &self.kind {
            Kind::Ours(ours) => &ours.missing,
            Kind::Foreign(_) => &[],
        }
    }

    /// Reads a shard. Shards in order are quickest.
    ///
    /// # Errors
    /// No such shard; a file that was changed or damaged; in one made elsewhere a row without text or vector, of another
    /// width, not finite, or zero: the error names file and row.
    pub fn read(&self, shard: usize) -> Result<Shard> {
        match &self.kind {
            Kind::Ours(ours) => match ours.shards.get(shard) {
                Some(entry) => self.read_ours(ours, entry),
                None => Err(self.no_such_shard(shard)),
            },
            Kind::Foreign(foreign) => foreign.read(shard)?.ok_or_else(|| self.no_such_shard(shard)),
        }
    }

    /// All rows, in order, in slices that can be read alone: of at most 256 rows, or shards as a whole in a cache made elsewhere,
    /// whose files may have to be read from their beginning.
    pub fn slices(&self) -> Vec<Slice> {
        let slice_rows = match &self.kind {
            Kind::Ours(_) => PAGE_ROWS,
            Kind::Foreign(_) => usize::MAX,
        };
        let of_shard = |shard: usize| {
            let rows = self.shard_rows(shard);
            (0..rows)
                .step_by(slice_rows)
                .map(move |start| Slice { shard, rows: start..start.saturating_add(slice_rows).min(rows) })
        };
        (0..self.shards()).flat_map(of_shard).collect()
    }

    /// Reads a slice of [`Cache::slices`]. The file's hash is not compared, as in [`Cache::read`], since that takes the whole file: read
    /// all shards once before.
    ///
    /// # Errors
    /// No such shard; a file that is no Parquet or ends before the slice does; else as for [`Cache::read`].
    pub fn read_slice(&self, slice: &Slice) -> Result<Shard> {
        let Kind::Ours(ours) = &self.kind else { return self.read(slice.shard) };
        let entry = ours.shards.get(slice.shard).ok_or_else(|| self.no_such_shard(slice.shard))?;
        let path = self.path.join(&entry.file);
        let (file, metadata) = parquet_in::open(&path)?;
        self.decode(ours, entry, (file, metadata), slice.rows.clone(), &path)
    }

    fn no_such_shard(&self, shard: usize) -> Error {
        CacheError::NoSuchShard { path: self.path.clone(), shard, shards: self.shards() }.into()
    }

    fn read_ours(&self, ours: &Ours, entry: &ShardEntry) -> Result<Shard> {
        let path = self.path.join(&entry.file);
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        if files::sha256_bytes(&bytes) != entry.sha256 {
            return Err(CacheError::Damaged { path }.into());
        }
        let bytes = bytes::Bytes::from(bytes);
        let metadata = parquet_in::footer(&bytes, &path)?;
        self.decode(ours, entry, (bytes, metadata), 0..entry.rows, &path)
    }

    fn decode<R: ChunkReader + 'static>(
        &self,
        ours: &Ours,
        entry: &ShardEntry,
        (input, metadata): (R, ArrowReaderMetadata),
        rows: Range<usize>,
        path: &Path,
    ) -> Result<Shard> {
        let found = Columns::default().find(metadata.schema(), path)?;
        let row_groups = (0..metadata.metadata().num_row_groups()).collect();
        let part = Part { row_groups, skip: rows.start, rows: Some(rows.len()), batch_rows: BATCH_ROWS };
        let mut reader = parquet_in::reader(input, metadata, found, part, path)?;
        let mut decoder = Decoder { path, found, dimension: self.dimension, row: rows.start as u64 };
        let mut texts = parquet_in::reserve(rows.len());
        let mut embeddings = parquet_in::reserve(rows.len().saturating_mul(self.dimension));
        parquet_in::take(&mut reader, &mut decoder, rows.len(), &mut texts, &mut embeddings)?;
        if texts.len() != rows.len() {
            return Err(CacheError::Damaged { path: path.to_owned() }.into());
        }
        let first_id = entry.shard as u64 * ours.index.shard_rows as u64 + rows.start as u64;
        Ok(Shard { first_id, texts, embeddings })
    }

    /// The teacher's vectors of the tokens, where the cache has them.
    pub fn tokens(&self) -> Result<Option<TokenVectors>> {
        let Some(path) = self.beside(TOKENS_FILE) else { return Ok(None) };
        if let Kind::Ours(ours) = &self.kind {
            for entry in [&ours.index.tokens, &ours.index.tokenizer].into_iter().flatten() {
                let path = self.path.join(&entry.file);
                if files::sha256_file(&path)? != entry.sha256 {
                    return Err(CacheError::Damaged { path }.into());
                }
            }
        }
        read_token_vectors(&path).map(Some)
    }

    /// The teacher's vectors of a student's own tokens, where the cache has them; `tokenizer` is the student's JSON.
    pub fn student_tokens(&self, tokenizer: &[u8]) -> Result<Option<TokenVectors>> {
        let Kind::Ours(ours) = &self.kind else { return Ok(None) };
        let file = student_tokens_file(tokenizer);
        let Some(entry) = ours.index.student_tokens.iter().find(|entry| entry.file == file) else { return Ok(None) };
        let path = self.path.join(&file);
        if files::sha256_file(&path)? != entry.sha256 {
            return Err(CacheError::Damaged { path }.into());
        }
        read_token_vectors(&path).map(Some)
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

impl Ours {
    fn merge(folder: &Path, indexes: BTreeMap<PathBuf, Index>) -> Result<Self> {
        let mut indexes = indexes.into_iter();
        let Some((_, first)) = indexes.next() else {
            return Err(CacheError::Nothing { path: folder.to_owned() }.into());
        };
        let mut all: BTreeMap<usize, ShardEntry> = BTreeMap::new();
        let mut rows = first.rows;
        all.extend(first.shards.iter().map(|entry| (entry.shard, entry.clone())));
        for (path, other) in indexes {
            other.check_against(&first, &path)?;
            rows = rows.max(other.rows);
            for entry in other.shards {
                all.entry(entry.shard).or_insert(entry);
            }
        }
        all.retain(|_, entry| folder.join(&entry.file).is_file());
        let expected = match rows {
            Some(rows) => rows.div_ceil(first.shard_rows.max(1) as u64) as usize,
            None => all.keys().next_back().map_or(0, |last| last + 1),
        };
        let missing: Vec<usize> = (0..expected).filter(|shard| !all.contains_key(shard)).collect();
        let complete = rows.is_some() && missing.is_empty();
        Ok(Self { index: first, shards: all.into_values().collect(), missing, complete })
    }
}
