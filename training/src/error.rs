use std::path::PathBuf;

/// What can go wrong while learning.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tensor operation failed; `operation` says which step of ours it belonged to.
    #[error("{operation}: the tensor operation failed")]
    Tensor {
        operation: &'static str,
        #[source]
        source: candle_core::Error,
    },
    /// Two tensors that belong together differ in shape.
    #[error("{operation}: shapes {left:?} and {right:?} don't fit together")]
    Shapes { operation: &'static str, left: Vec<usize>, right: Vec<usize> },
    /// A setting is outside what it may be.
    #[error("{name} is {value}, but must be {allowed}")]
    Setting { name: &'static str, value: String, allowed: &'static str },
    /// A file could not be read or written.
    #[error("{path}: {operation} failed", path = path.display())]
    File {
        path: PathBuf,
        operation: &'static str,
        #[source]
        source: std::io::Error,
    },
    /// A file of the checkpoint or the metrics log doesn't hold what it should.
    #[error("{path}: {reason}", path = path.display())]
    Checkpoint { path: PathBuf, reason: String },
    /// The checkpoint that a training would go on from is not its own.
    #[error("{path}: is the checkpoint of another training: other settings, other text, another dev set or another start", path = path.display())]
    OtherTraining { path: PathBuf },
    /// The loss or a gradient of a training is no number.
    #[error(
        "the loss or a gradient is not finite at step {step}; its examples, with their numbers, are in {}, and the weights \
         before that step in {}",
        batch.display(),
        checkpoint.display()
    )]
    Diverged { step: u64, batch: PathBuf, checkpoint: PathBuf },
    /// The work was interrupted.
    #[error("interrupted at step {step} of {total}; the checkpoint is kept")]
    Interrupted { step: u64, total: u64 },
    /// Looking at a dev set failed.
    #[error("the model in training could not be evaluated")]
    Evaluation(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A file operation of the data crate failed.
    #[error(transparent)]
    Data(#[from] limbeck_data::Error),
}

/// The result of anything that learns.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What the user can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Diverged { .. } => Some(
                "lower simcse.learning_rate or raise simcse.temperature, in another folder or without this checkpoint"
                    .into(),
            ),
            Self::Interrupted { .. } => Some("give the same command again to go on from the checkpoint".into()),
            Self::Checkpoint { path, .. } => Some(format!("delete {} to begin this stage again", path.display())),
            Self::OtherTraining { path } => Some(format!(
                "go on with what that one was begun with, name another folder, or delete {} to begin anew",
                path.display()
            )),
            Self::Data(error) => error.hint(),
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

// STUB: until the crate's own derive is merged.
impl miette::Diagnostic for Error {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.hint().map(|hint| Box::new(hint) as Box<dyn std::fmt::Display + 'a>)
    }
}
