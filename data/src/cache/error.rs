//! What can go wrong with a cache in particular; files and folders that can't be read are [`crate::Error::Io`].

use std::path::{Path, PathBuf};

use arrow::error::ArrowError;
use parquet::errors::ParquetError;

use crate::error::{OTHER_CODEC, is_of_other_codec};

pub(super) type CacheResult<T> = Result<T, CacheError>;

/// What can be wrong with an embedding cache, ours or made elsewhere. Rows are counted from 0 within their file.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The library that reads and writes Parquet failed: the file is truncated, damaged or no Parquet file.
    #[error("cannot {operation} the Parquet file {}", path.display())]
    Parquet {
        /// `read` or `write`.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ParquetError,
    },
    /// Arrow arrays could not be made or converted.
    #[error("cannot convert the columns of {}", path.display())]
    Arrow {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ArrowError,
    },
    /// An index that is no JSON, or not that of a cache.
    #[error("{} is no index of an embedding cache", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// An index of another version of the format.
    #[error("{} is of version {found} of the format, this program reads version {expected}", path.display())]
    Version {
        /// The index.
        path: PathBuf,
        /// What it says.
        found: u32,
        /// What is understood.
        expected: u32,
    },
    /// The folder holds a cache made with other settings.
    #[error("{} is of another cache: its {field} is `{found}`, here it is `{expected}`", path.display())]
    Mismatch {
        /// The index found.
        path: PathBuf,
        /// The field that differs.
        field: &'static str,
        /// What the index says.
        found: String,
        /// What was asked for.
        expected: String,
    },
    /// Another process writes this cache, or this part of it.
    #[error("another process is writing the cache in {}", path.display())]
    Locked {
        /// The cache's folder.
        path: PathBuf,
    },
    /// Settings or rows that can't be written.
    #[error("cannot write to the cache in {}: {problem}", path.display())]
    Unwritable {
        /// The cache's folder.
        path: PathBuf,
        /// What is wrong with what was given.
        problem: String,
    },
    /// A cache finished before all its shards are there.
    #[error("the cache in {} lacks {} of its shards, the first is shard {first}", path.display(), missing)]
    Incomplete {
        /// The cache's folder.
        path: PathBuf,
        /// How many are missing.
        missing: usize,
        /// The number of the first.
        first: usize,
    },
    /// A file whose bytes are not those that were written.
    #[error("{} is damaged: its sha256 is not the one in the index", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Nothing there that could serve as a cache.
    #[error("{} holds neither a cache index nor a Parquet file", path.display())]
    Nothing {
        /// The folder.
        path: PathBuf,
    },
    /// No row at all.
    #[error("{} has no rows", path.display())]
    Empty {
        /// The file or folder.
        path: PathBuf,
    },
    /// A column asked for by name that isn't there or is of another type.
    #[error("{} has no {kind} column `{name}`; its columns are {columns}", path.display())]
    NoSuchColumn {
        /// The file.
        path: PathBuf,
        /// `text` or `vector`.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// The columns there are, with their types.
        columns: String,
    },
    /// No column, or more than one, that could be meant.
    #[error("cannot tell the {kind} column of {}: {found} would do; its columns are {columns}", path.display())]
    WhichColumn {
        /// The file.
        path: PathBuf,
        /// `text` or `vector`.
        kind: &'static str,
        /// How many columns would do.
        found: usize,
        /// The columns there are, with their types.
        columns: String,
    },
    /// A row that can't be used.
    #[error("{}, row {row}: {problem}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The row in it, from 0.
        row: u64,
        /// What is wrong with it.
        problem: RowProblem,
    },
    /// A shard asked for that isn't there.
    #[error("{} has {shards} shards, there is no shard {shard}", path.display())]
    NoSuchShard {
        /// The cache.
        path: PathBuf,
        /// The shard asked for.
        shard: usize,
        /// How many there are.
        shards: usize,
    },
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowProblem {
    /// There is no text.
    #[error("the text is null")]
    NullText,
    /// There is no vector, or a number of it is missing.
    #[error("the vector is null, or a number in it")]
    NullVector,
    /// Not a number, or infinite.
    #[error("number {position} of the vector is NaN or infinite")]
    NotFinite {
        /// Where in the vector, from 0.
        position: usize,
    },
    /// A vector without a direction.
    #[error("the vector is zero")]
    Zero,
    /// A vector of another width than the first one's.
    #[error("the vector has {found} numbers, not {expected}")]
    Width {
        /// How many numbers it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
}

impl CacheError {
    pub(super) fn parquet(operation: &'static str, path: &Path) -> impl FnOnce(ParquetError) -> Self {
        move |source| Self::Parquet { operation, path: path.to_owned(), source }
    }

    pub(super) fn arrow(path: &Path) -> impl FnOnce(ArrowError) -> Self {
        move |source| Self::Arrow { path: path.to_owned(), source }
    }

    /// What the user could do next, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Parquet { source, .. } if is_of_other_codec(source) => OTHER_CODEC.into(),
            Self::Parquet { operation: "read", .. } => {
                "the file is truncated, damaged or no Parquet file: make it anew".into()
            }
            Self::Parquet { source, .. } if is_full(source) => {
                "the disk is full: free some space and start again".into()
            }
            Self::Index { path, .. } => {
                format!("embed again into an empty folder, or delete {} and its shards", path.display())
            }
            Self::Mismatch { .. } => "embed into another folder, or delete this one".into(),
            Self::Locked { .. } => "wait for it to end; machines that share a cache each take a part, I of N".into(),
            Self::Damaged { .. } => "run the embed job again: it redoes damaged shards and keeps the others".into(),
            Self::Incomplete { .. } => "run the embed job again: it goes on where it stopped".into(),
            Self::NoSuchColumn { kind, .. } | Self::WhichColumn { kind, .. } => match *kind {
                "text" => "name the column that holds the texts".into(),
                _ => "name the column that holds the vectors: a list of floating-point numbers".into(),
            },
            Self::Row { problem: RowProblem::Width { .. }, .. } => "all vectors of a cache have one width".into(),
            Self::Row { .. } => "leave such rows out, or embed those texts again".into(),
            _ => return None,
        })
    }
}

fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let full = |error: &std::io::Error| error.kind() == std::io::ErrorKind::StorageFull;
    error.downcast_ref().is_some_and(full) || error.source().is_some_and(is_full)
}
