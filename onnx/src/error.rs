//! The crate's errors.

use std::path::PathBuf;

use miette::Diagnostic;

/// Everything that this crate can fail with.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum Error {
    /// The model is too large for an ONNX file (protobuf's limit is 2 GB).
    #[error("{}: the ONNX file would have {bytes} bytes, and the format ends at 2,147,483,647", path.display())]
    #[diagnostic(help("export with int8 weights"))]
    TooBig {
        /// The file to be written.
        path: PathBuf,
        /// The size that the file would have.
        bytes: u64,
    },
    /// The file could not be written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Data(Box<limbeck_data::Error>),
}

impl From<limbeck_data::Error> for Error {
    fn from(error: limbeck_data::Error) -> Self {
        Self::Data(Box::new(error))
    }
}

impl Error {
    /// What to do next, where that is known.
    pub fn hint(&self) -> Option<String> {
        self.help().map(|help| help.to_string())
    }
}
