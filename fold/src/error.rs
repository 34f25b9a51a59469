//! The one error type of this crate.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;

/// What can go wrong with a model's folder.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[expect(missing_docs, reason = "a variant's message shows the meaning of its fields")]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        source: io::Error,
        #[help]
        hint: Option<&'static str>,
    },
    /// A file of a model's folder has the wrong content.
    #[error("{}: {reason}", path.display())]
    Folder { path: PathBuf, reason: String },
    /// A setting of a student is outside its range.
    #[error("{name} is {value}, but must be {allowed}")]
    Setting { name: String, value: String, allowed: String },
    /// A student that could be trained, but not folded.
    #[error("a student of this shape can't be folded")]
    #[diagnostic(help("change the recipe's [student]"))]
    Unfoldable { source: limbeck_encoder::Error },
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] limbeck_encoder::files::FileError),
    /// An error of the encoder crate.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Encoder(#[from] limbeck_encoder::Error),
}

/// The result of everything fallible in this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What the user can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        self.help().map(|help| help.to_string())
    }

    /// Names the file that could not be read: `.map_err(Error::read(path))`.
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            let is_denied = source.kind() == io::ErrorKind::PermissionDenied;
            Self::Read {
                path: path.to_path_buf(),
                source,
                hint: is_denied.then_some("check who may read and write there"),
            }
        }
    }

    /// A setting that is out of range.
    pub(crate) fn setting(name: &str, value: impl ToString, allowed: impl Into<String>) -> Self {
        Self::Setting { name: name.into(), value: value.to_string(), allowed: allowed.into() }
    }

    /// Refuses a setting that is not `valid`.
    pub(crate) fn require(valid: bool, name: &str, value: impl ToString, allowed: impl Into<String>) -> Result<()> {
        if valid { Ok(()) } else { Err(Self::setting(name, value, allowed)) }
    }

    /// An error about the content of `path`.
    pub(crate) fn folder(path: &Path, reason: impl ToString) -> Self {
        Self::Folder { path: path.to_path_buf(), reason: reason.to_string() }
    }
}
