use std::path::PathBuf;

/// What can go wrong while an ONNX file is written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model is too big for an ONNX file (protobuf's limit is 2 GB).
    #[error("{}: the ONNX file would have {bytes} bytes, and the format ends at 2,147,483,647", path.display())]
    TooBig {
        /// The file to be written.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The file could not be written.
    #[error(transparent)]
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
        match self {
            Self::TooBig { .. } => Some("export with int8 weights".to_owned()),
            Self::Data(error) => error.hint(),
        }
    }
}

// STUB: until the crate's own derive is merged.
impl miette::Diagnostic for Error {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.hint().map(|hint| Box::new(hint) as Box<dyn std::fmt::Display + 'a>)
    }
}
