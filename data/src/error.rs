//! The error type of this crate.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use parquet::errors::ParquetError;

use crate::assets::AssetError;
use crate::cache::CacheError;
use crate::collection::CollectionError;
use crate::interrupt::Interrupted;
use crate::text::TextError;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with text, assets, caches and files. Every variant names the file and, where there is one, the
/// place in it.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum Error {
    /// The operating system refused an operation.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// The operation, as a verb: `read`, `write`, `rename`.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
        /// What the user could do next.
        #[help]
        hint: Option<&'static str>,
    },
    /// Another process has locked the folder.
    #[error("{}: another process is at work there", path.display())]
    #[diagnostic(help("wait for it, or give this run a name or folder of its own"))]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// A Parquet file cannot be read.
    #[error("cannot read the Parquet file {}", path.display())]
    #[diagnostic(help("the file is truncated, damaged or no Parquet file: make it anew"))]
    ReadParquet {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: ParquetError,
    },
    /// A Parquet file cannot be written.
    #[error("cannot write the Parquet file {}", path.display())]
    WriteParquet {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: ParquetError,
    },
    /// A column of a Parquet file has a compression that this program is built without.
    #[error("{}: the column `{column}` is compressed with {codec}, which cannot be read here", path.display())]
    #[diagnostic(help("write it compressed with snappy, zstd or gzip, or not at all"))]
    Codec {
        /// The file.
        path: PathBuf,
        /// The column's name.
        column: String,
        /// The compression.
        codec: String,
    },
    /// An embedding cache is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Cache(#[from] CacheError),
    /// An asset is missing or wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Asset(#[from] AssetError),
    /// A text, graded pairs or training examples are wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Text(#[from] TextError),
    /// A collection of documents, its queries or its judgements are wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Collection(#[from] CollectionError),
    /// The caller asked for a stop.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Interrupted(#[from] Interrupted),
}

impl From<limbeck_encoder::files::FileError> for Error {
    fn from(error: limbeck_encoder::files::FileError) -> Self {
        Self::io(error.operation, &error.path)(error.source)
    }
}

impl Error {
    /// Turns an [`io::Error`] into one that names operation and path: `.map_err(Error::io("read", path))`.
    pub fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            let hint = match source.kind() {
                io::ErrorKind::StorageFull => Some("the disk is full: free some space and start again"),
                io::ErrorKind::PermissionDenied => Some("check who may read and write there"),
                _ => None,
            };
            Self::Io { operation, path: path.to_owned(), source, hint }
        }
    }

    /// Turns an error of reading the Parquet file at `path` into one that names the file.
    pub(crate) fn read_parquet<E: Into<ParquetError>>(path: &Path) -> impl FnOnce(E) -> Self {
        move |source| Self::ReadParquet { path: path.to_owned(), source: source.into() }
    }

    /// As [`Error::read_parquet`] for writing. An error of the disk becomes [`Error::Io`].
    pub(crate) fn write_parquet<E: Into<ParquetError>>(path: &Path) -> impl FnOnce(E) -> Self {
        move |source| {
            let source = match source.into() {
                ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                    Ok(error) => return Self::io("write", path)(*error),
                    Err(inner) => ParquetError::External(inner),
                },
                other => other,
            };
            Self::WriteParquet { path: path.to_owned(), source }
        }
    }

    /// What the user could do next, where something helps.
    pub fn hint(&self) -> Option<String> {
        self.help().map(|help| help.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::is_interrupted;

    #[test]
    fn an_interruption_keeps_its_code_and_its_hint() {
        let error = Error::from(Interrupted);
        assert!(is_interrupted(&error));
        assert!(error.hint().unwrap().contains("the same command"));
    }

    #[test]
    fn a_full_disk_is_told_by_the_kind_of_the_error_inside_parquet_too() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let error = Error::write_parquet(Path::new("x"))(ParquetError::from(full));
        assert!(matches!(error, Error::Io { operation: "write", .. }));
        assert!(error.hint().unwrap().starts_with("the disk is full"));
        let other = Error::write_parquet(Path::new("x"))(ParquetError::General("odd".into()));
        assert_eq!((other.to_string().as_str(), other.hint()), ("cannot write the Parquet file x", None));
    }
}
