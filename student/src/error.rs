use std::path::PathBuf;

/// What can go wrong with a student.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tensor operation failed; `operation` says which step of ours it belonged to.
    #[error("{operation}: the tensor operation failed")]
    Tensor {
        operation: &'static str,
        #[source]
        source: candle_core::Error,
    },
    /// A setting of the student or of its training can't be.
    #[error("{name} is {value}, but must be {allowed}")]
    Setting { name: &'static str, value: String, allowed: String },
    /// A student that could be trained, but not folded.
    #[error("a student of this shape can't be folded")]
    Unfoldable {
        #[source]
        source: limbeck_encoder::Error,
    },
    /// A file of a student's folder could not be read.
    #[error("{path}: {operation} failed", path = path.display())]
    File {
        path: PathBuf,
        operation: &'static str,
        #[source]
        source: std::io::Error,
    },
    /// A file of a student's folder doesn't hold what it should.
    #[error("{path}: {reason}", path = path.display())]
    Folder { path: PathBuf, reason: String },
    /// A cache can't serve as targets.
    #[error("{path}: {reason}", path = path.display())]
    Targets { path: PathBuf, reason: String },
    /// A vocabulary could not be made.
    #[error("{operation} failed")]
    Vocabulary {
        operation: &'static str,
        #[source]
        source: tokenizers::Error,
    },
    /// The loss or a parameter became NaN or infinite.
    #[error("{what} is not finite at step {step}; a checkpoint from before stays")]
    NotFinite { what: &'static str, step: u64 },
    /// The work was interrupted.
    #[error("interrupted at step {step} of {total}; the checkpoint is kept")]
    Interrupted { step: u64, total: u64 },
    #[error(transparent)]
    Interrupt(#[from] limbeck_data::Interrupted),
    #[error(transparent)]
    Training(Box<limbeck_training::Error>),
    #[error(transparent)]
    Data(#[from] limbeck_data::Error),
    #[error(transparent)]
    Encoder(#[from] limbeck_encoder::Error),
    #[error(transparent)]
    Onnx(#[from] limbeck_onnx::Error),
}

/// The result of anything that concerns a student.
pub type Result<T> = std::result::Result<T, Error>;

impl From<limbeck_training::Error> for Error {
    fn from(error: limbeck_training::Error) -> Self {
        Self::Training(Box::new(error))
    }
}

impl Error {
    /// Names the operation that a candle error ended: `.map_err(Error::tensor("the loss"))`.
    pub(crate) fn tensor(operation: &'static str) -> impl FnOnce(candle_core::Error) -> Self {
        move |source| Self::Tensor { operation, source }
    }

    /// What the user can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Interrupted { .. } => Some("give the same command again to go on from the checkpoint".into()),
            Self::Unfoldable { .. } => Some("change the recipe's [student]".into()),
            Self::NotFinite { .. } => {
                Some(
                    "look for strange targets with `limbeck inspect CACHE`, or lower learning_rate, in another folder or without the checkpoint"
                        .into(),
                )
            }
            Self::Training(error) => error.hint(),
            Self::Data(error) => error.hint(),
            Self::Encoder(error) => error.hint(),
            Self::Onnx(error) => error.hint(),
            _ => None,
        }
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
