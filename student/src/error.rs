//! The one error type of this crate.

use std::path::{Path, PathBuf};

/// What can go wrong with a student.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    /// A tensor operation failed.
    #[error("{operation}: the tensor operation failed")]
    Tensor {
        /// The work that the tensor operation was a part of.
        operation: &'static str,
        /// candle's own error.
        #[source]
        source: candle_core::Error,
    },
    /// A setting of the student or of its training is out of range.
    #[error("{name} is {value}, but must be {allowed}")]
    Setting {
        /// The setting, as the recipe or the command names it.
        name: &'static str,
        /// The given value.
        value: String,
        /// The values that are allowed.
        allowed: String,
    },
    /// A student that could be trained, but not folded.
    #[error("a student of this shape can't be folded")]
    #[diagnostic(help("change the recipe's [student]"))]
    Unfoldable {
        /// The size that the folded format has no room for.
        #[source]
        source: limbeck_encoder::Error,
    },
    /// A file of a student's folder could not be read or written.
    #[error("{path}: {operation} failed", path = path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, such as `reading`.
        operation: &'static str,
        /// The operating system's error.
        #[source]
        source: std::io::Error,
    },
    /// A file of a student's folder has the wrong content, or the folder must not be written to.
    #[error("{path}: {reason}", path = path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong; the sentence's subject is the path.
        reason: String,
    },
    /// A cache can't serve as targets.
    #[error("{path}: {reason}", path = path.display())]
    Targets {
        /// The cache.
        path: PathBuf,
        /// What is wrong; the sentence's subject is the path.
        reason: String,
    },
    /// A vocabulary could not be made.
    #[error("{operation} failed")]
    Vocabulary {
        /// The step of the work, such as `counting words`.
        operation: &'static str,
        /// The error of the `tokenizers` crate.
        #[source]
        source: tokenizers::Error,
    },
    /// The loss or a parameter became NaN or infinite.
    #[error("{what} is not finite at step {step}; a checkpoint from before stays")]
    #[diagnostic(help(
        "look for strange targets with `limbeck inspect CACHE`, or lower learning_rate, in another folder or without \
         the checkpoint"
    ))]
    NotFinite {
        /// The value, such as `the loss`.
        what: &'static str,
        /// The step at which it was found.
        step: u64,
    },
    /// The training was interrupted after it wrote a checkpoint.
    #[error("interrupted at step {step} of {total}; the checkpoint is kept")]
    #[diagnostic(code(limbeck::interrupted), help("give the same command again to go on from the checkpoint"))]
    Interrupted {
        /// The last step that was done.
        step: u64,
        /// The steps of the whole training.
        total: u64,
    },
    /// The caller asked for a stop.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Interrupt(#[from] limbeck_data::Interrupted),
    /// An error of the training crate.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Training(Box<limbeck_training::Error>),
    /// An error of the data crate.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Data(#[from] limbeck_data::Error),
    /// An error of the encoder crate.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Encoder(#[from] limbeck_encoder::Error),
    /// An error of the ONNX writer.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Onnx(#[from] limbeck_onnx::Error),
}

/// The result of everything fallible in this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl From<limbeck_training::Error> for Error {
    fn from(error: limbeck_training::Error) -> Self {
        Self::Training(Box::new(error))
    }
}

impl Error {
    /// What the user can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        miette::Diagnostic::help(self).map(|help| help.to_string())
    }

    /// Names the work that a tensor operation was a part of: `.map_err(Error::tensor("folding"))`.
    pub(crate) fn tensor(operation: &'static str) -> impl FnOnce(candle_core::Error) -> Self {
        move |source| Self::Tensor { operation, source }
    }

    /// Names the step of making a vocabulary in which the `tokenizers` crate failed.
    pub(crate) fn vocabulary(operation: &'static str) -> impl FnOnce(tokenizers::Error) -> Self {
        move |source| Self::Vocabulary { operation, source }
    }

    /// Names the file and the operation that the operating system refused.
    pub(crate) fn file(path: &Path, operation: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { path, operation, source }
    }

    /// An error about the content of `path`.
    pub(crate) fn folder(path: &Path, reason: impl ToString) -> Self {
        Self::Folder { path: path.to_path_buf(), reason: reason.to_string() }
    }

    /// An error about the cache at `path`.
    pub(crate) fn targets(path: &Path, reason: impl ToString) -> Self {
        Self::Targets { path: path.to_path_buf(), reason: reason.to_string() }
    }
}

/// Gives a candle error the name of what was being done.
pub(crate) trait During<T> {
    fn during(self, operation: &'static str) -> Result<T>;
}

impl<T> During<T> for candle_core::Result<T> {
    fn during(self, operation: &'static str) -> Result<T> {
        self.map_err(|source| Error::Tensor { operation, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interruption_is_known_by_its_code() {
        for error in [Error::Interrupted { step: 3, total: 9 }, limbeck_data::Interrupted.into()] {
            assert!(limbeck_data::is_interrupted(&error) && error.hint().is_some(), "{error}");
        }
        assert!(!limbeck_data::is_interrupted(&Error::NotFinite { what: "the loss", step: 3 }));
    }
}
