//! The one error type of this crate.

use std::io;
use std::path::{Path, PathBuf};

use crate::assets::AssetError;
use crate::cache::CacheError;
use crate::interrupt::Interrupted;
use crate::text::TextError;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with text, assets and files; every variant names its file, and its place in it where there is one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was tried, as a verb: `read`, `write`, `rename`.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something about an embedding cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Something about an asset.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// Something about text or graded pairs.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The caller asked for a stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Error {
    /// Turns an [`io::Error`] into one that names what was tried on which path: `.map_err(Error::io("read", path))`.
    pub fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { operation, path: path.to_owned(), source }
    }

    /// What the user could do next, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull => Some("the disk is full: free some space and start again".into()),
                io::ErrorKind::PermissionDenied => Some("check who may read and write there".into()),
                _ => None,
            },
            Self::Cache(error) => error.hint(),
            Self::Asset(error) => error.hint(),
            Self::Text(error) => error.hint(),
            Self::Interrupted(_) => None,
        }
    }
}

/// What helps where [`is_of_other_codec`].
pub(crate) const OTHER_CODEC: &str = "write it compressed with snappy, zstd or gzip, or not at all";

/// Whether a Parquet file is compressed by what the library was built without: brotli or LZ4.
pub(crate) fn is_of_other_codec(error: &parquet::errors::ParquetError) -> bool {
    error.to_string().contains("Disabled feature")
}

impl miette::Diagnostic for Error {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        match self {
            Self::Interrupted(error) => miette::Diagnostic::code(error),
            _ => None,
        }
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.hint().map(|hint| Box::new(hint) as Box<dyn std::fmt::Display>)
    }
}
