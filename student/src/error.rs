//! The one error type of this crate.

use std::path::{Path, PathBuf};

/// What can go wrong with a student.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[expect(missing_docs, reason = "a variant's message shows the meaning of its fields")]
pub enum Error {
    /// A tensor operation failed; `operation` is the work that it was a part of.
    #[error("{operation}: the tensor operation failed")]
    Tensor { operation: &'static str, source: candle_core::Error },
    /// A file of a student's folder has the wrong content, or the folder must not be written to.
    #[error("{path}: {reason}", path = path.display())]
    Folder { path: PathBuf, reason: String },
    /// A cache can't serve as targets.
    #[error("{path}: {reason}", path = path.display())]
    Targets { path: PathBuf, reason: String },
    /// A vocabulary could not be made; `operation` is the step that failed.
    #[error("{operation} failed")]
    Vocabulary { operation: &'static str, source: tokenizers::Error },
    /// A lexical half can't be fitted.
    #[error("a lexical half needs words, and {documents} documents hold none")]
    #[diagnostic(help("leave student.lexical out, or give text with words of two characters and more"))]
    NoWords { documents: usize },
    /// An export that can't hold a lexical half.
    #[error("{format} can't hold the student's lexical half")]
    #[diagnostic(help(
        "export the student without its half (in a run: student/ beside student-lexical/), or write a folded file: \
         --format folded"
    ))]
    LexicalExport { format: &'static str },
    /// An export that holds a table and nothing else.
    #[error("{format} holds a student of skip alone, and this one has heads or convolutions")]
    #[diagnostic(help(
        "export a static student (in a run with [baselines]: baselines/static-trained), or another format"
    ))]
    NotStatic { format: &'static str },
    /// A vector has a NaN or an infinity; `row` is the text's place among those given, from 0.
    #[error("the vector of text {row} is not finite: the student's weights are too large")]
    NotFiniteVector { row: usize },
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
    /// An error of the fold crate.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Fold(#[from] limbeck_fold::Error),
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

    /// A setting that is out of range.
    pub(crate) fn setting(name: &str, value: impl ToString, allowed: impl Into<String>) -> Self {
        limbeck_training::Error::setting(name, value, allowed).into()
    }

    /// Names the work that a tensor operation was a part of: `.map_err(Error::tensor("folding"))`.
    pub(crate) fn tensor(operation: &'static str) -> impl FnOnce(candle_core::Error) -> Self {
        move |source| Self::Tensor { operation, source }
    }

    /// Refuses a setting that is not `valid`.
    pub(crate) fn require(valid: bool, name: &str, value: impl ToString, allowed: impl Into<String>) -> Result<()> {
        Ok(limbeck_training::Error::require(valid, name, value, allowed)?)
    }

    /// Names the step of making a vocabulary in which the `tokenizers` crate failed.
    pub(crate) fn vocabulary(operation: &'static str) -> impl FnOnce(tokenizers::Error) -> Self {
        move |source| Self::Vocabulary { operation, source }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interruption_is_known_by_its_code() {
        let by_training = limbeck_training::Error::Interrupted { step: 3, total: 9 };
        for error in [Error::from(by_training), limbeck_data::Interrupted.into()] {
            assert!(limbeck_data::is_interrupted(&error) && error.hint().is_some(), "{error}");
        }
        let not_finite = limbeck_training::Error::NotFinite { what: "the loss".into(), step: 3 };
        assert!(!limbeck_data::is_interrupted(&Error::from(not_finite)));
    }
}
