//! What can be wrong with a cache in particular. Files that cannot be read or written are [`crate::Error::Io`] and its
//! like.

use std::path::{Path, PathBuf};

use arrow::error::ArrowError;
use miette::Diagnostic;

pub(super) type CacheResult<T> = Result<T, CacheError>;

/// What can be wrong with an embedding cache, one of limbeck or an external Parquet file. Rows are counted from 0
/// within their file.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum CacheError {
    /// Arrow arrays could not be made or converted.
    #[error("cannot convert the columns of {}", path.display())]
    Arrow {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: ArrowError,
    },
    /// An index that is not JSON, or not the index of a cache.
    #[error("{} is no index of an embedding cache", path.display())]
    #[diagnostic(help("embed again into an empty folder, or delete {} and its shards", path.display()))]
    Index {
        /// The index.
        path: PathBuf,
        /// The reason.
        #[source]
        source: serde_json::Error,
    },
    /// An index of another version of the format.
    #[error("{} is of version {found} of the format, this program reads version {expected}", path.display())]
    Version {
        /// The index.
        path: PathBuf,
        /// The version in the index.
        found: u32,
        /// The version that this program reads.
        expected: u32,
    },
    /// The index of a cache that another program wrote, where one of limbeck is needed.
    #[error("{} is of a cache that another program wrote", path.display())]
    #[diagnostic(help("embed into another folder; `limbeck cache adopt` takes up what that program has written"))]
    Adopted {
        /// The index.
        path: PathBuf,
    },
    /// A folder to adopt that holds a cache of limbeck.
    #[error("{} is the index of a cache that limbeck wrote", path.display())]
    #[diagnostic(help("there is nothing to adopt: `limbeck inspect` checks the cache"))]
    NotForeign {
        /// The index.
        path: PathBuf,
    },
    /// A file that an adopted cache's index lists is gone.
    #[error("{} is gone, which the cache's index lists", path.display())]
    #[diagnostic(help("run `limbeck cache adopt` again to go on without the file, or put it back"))]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// A file of an adopted cache whose bytes have changed.
    #[error("{} has changed: its sha256 is not the one in the cache's index", path.display())]
    #[diagnostic(help("run `limbeck cache adopt` again if the file was written again on purpose"))]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The folder holds a cache that was made with other settings.
    #[error("{} is of another cache: its {field} is `{found}`, here it is `{expected}`", path.display())]
    #[diagnostic(help("embed into another folder, or delete this one"))]
    Mismatch {
        /// The index found.
        path: PathBuf,
        /// The field that differs.
        field: &'static str,
        /// Its value in the index.
        found: String,
        /// The value asked for.
        expected: String,
    },
    /// Another process writes this cache, or this part of it.
    #[error("another process is writing the cache in {}", path.display())]
    #[diagnostic(help("wait for it to end; machines that share a cache each take a part, I of N"))]
    Locked {
        /// The cache's folder.
        path: PathBuf,
    },
    /// Settings or rows that cannot be written.
    #[error("cannot write to the cache in {}: {problem}", path.display())]
    Unwritable {
        /// The cache's folder.
        path: PathBuf,
        /// What is wrong with the settings or rows.
        problem: String,
    },
    /// A cache was finished before all its shards were written.
    #[error("the cache in {} lacks {missing} of its shards, the first is shard {first}", path.display())]
    #[diagnostic(help("run the embed job again: it goes on where it stopped"))]
    Incomplete {
        /// The cache's folder.
        path: PathBuf,
        /// How many shards are missing.
        missing: usize,
        /// The number of the first missing shard.
        first: usize,
    },
    /// A file whose bytes have changed since they were written.
    #[error("{} is damaged: its sha256 is not the one in the index", path.display())]
    #[diagnostic(help("run the embed job again: it redoes damaged shards and keeps the others"))]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A folder without a cache.
    #[error("{} holds neither a cache index nor a Parquet file", path.display())]
    Nothing {
        /// The folder.
        path: PathBuf,
    },
    /// A cache or file without rows.
    #[error("{} has no rows", path.display())]
    Empty {
        /// The file or folder.
        path: PathBuf,
    },
    /// A column was named that is missing or of another type.
    #[error("{} has no {role} column `{name}`; its columns are {columns}", path.display())]
    #[diagnostic(help("{}", column_help(role)))]
    NoSuchColumn {
        /// The file.
        path: PathBuf,
        /// `text` or `vector`.
        role: &'static str,
        /// The name asked for.
        name: String,
        /// The columns of the file, with their types.
        columns: String,
    },
    /// No column was named, and none or several fit.
    #[error("cannot tell the {role} column of {}: {found} would do; its columns are {columns}", path.display())]
    #[diagnostic(help("{}", column_help(role)))]
    WhichColumn {
        /// The file.
        path: PathBuf,
        /// `text` or `vector`.
        role: &'static str,
        /// How many columns fit.
        found: usize,
        /// The columns of the file, with their types.
        columns: String,
    },
    /// A row that cannot be used.
    #[error("{}, row {row}: {problem}", path.display())]
    #[diagnostic(forward(problem))]
    Row {
        /// The file.
        path: PathBuf,
        /// The row in it, from 0.
        row: u64,
        /// What is wrong with the row.
        problem: RowProblem,
    },
    /// A shard was asked for that the cache does not have.
    #[error("{} has {shards} shards, there is no shard {shard}", path.display())]
    NoSuchShard {
        /// The cache.
        path: PathBuf,
        /// The shard asked for.
        shard: usize,
        /// How many shards there are.
        shards: usize,
    },
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Diagnostic)]
pub enum RowProblem {
    /// There is no text.
    #[error("the text is null")]
    #[diagnostic(help("{}", LEAVE_OUT))]
    NullText,
    /// There is no vector, or a number of it is missing.
    #[error("the vector is null, or a number in it")]
    #[diagnostic(help("{}", LEAVE_OUT))]
    NullVector,
    /// A number that is NaN or infinite.
    #[error("number {position} of the vector is NaN or infinite")]
    #[diagnostic(help("{}", LEAVE_OUT))]
    NotFinite {
        /// Its place in the vector, from 0.
        position: usize,
    },
    /// A vector without a direction.
    #[error("the vector is zero")]
    #[diagnostic(help("{}", LEAVE_OUT))]
    Zero,
    /// A vector of another width than the first one.
    #[error("the vector has {found} numbers, not {expected}")]
    #[diagnostic(help("all vectors of a cache have one width"))]
    Width {
        /// How many numbers it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
}

const LEAVE_OUT: &str = "leave such rows out, or embed those texts again";

fn column_help(role: &str) -> &'static str {
    match role {
        "text" => "name the column that holds the texts",
        _ => "name the column that holds the vectors: a list of floating-point numbers",
    }
}

impl CacheError {
    pub(super) fn arrow(path: &Path) -> impl FnOnce(ArrowError) -> Self {
        move |source| Self::Arrow { path: path.to_owned(), source }
    }
}
