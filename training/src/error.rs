use std::path::{Path, PathBuf};

use miette::Diagnostic;

/// What can go wrong in a training.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum Error {
    /// A tensor operation failed.
    #[error("{operation}: the tensor operation failed")]
    Tensor {
        /// What was computed.
        operation: &'static str,
        /// candle's reason.
        #[source]
        source: candle_core::Error,
    },
    /// A setting is outside its range.
    #[error("{name} is {value}, but must be {allowed}")]
    Setting {
        /// The setting's key in a recipe.
        name: String,
        /// Its value.
        value: String,
        /// The values that are allowed.
        allowed: String,
    },
    /// A checkpoint is broken.
    #[error("{path}: {reason}", path = path.display())]
    #[diagnostic(help("delete {} to begin this stage again", path.display()))]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A checkpoint of another format than this version reads.
    #[error(
        "{path}: is a checkpoint of format {found}; this version resumes from format {expected}",
        path = path.display()
    )]
    #[diagnostic(code(limbeck::other_training), help(
        "finish that training with the version that began it, or delete {} to begin it again",
        path.display()
    ))]
    CheckpointFormat {
        /// The checkpoint.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The format that can be resumed from.
        expected: u32,
    },
    /// The checkpoint in the folder belongs to another training.
    #[error(
        "{path}: is the checkpoint of another training: other settings, other text, another dev set or another start",
        path = path.display()
    )]
    #[diagnostic(code(limbeck::other_training), help(
        "resume with the settings and files it was begun with, name another folder, or delete {} to begin anew",
        path.display()
    ))]
    OtherTraining {
        /// The checkpoint.
        path: PathBuf,
    },
    /// The loss or a gradient is not finite.
    #[error(
        "the loss or a gradient is not finite at step {step}; its examples, with their numbers, are in {}, and the \
         weights before that step in {}",
        batch.display(),
        checkpoint.display()
    )]
    #[diagnostic(help(
        "look for strange text or targets among these examples; lower learning_rate or raise the loss's temperature, \
         in another folder or without this checkpoint"
    ))]
    Diverged {
        /// The step, which changed no weight.
        step: u64,
        /// The file with the batch's examples.
        batch: PathBuf,
        /// The last checkpoint.
        checkpoint: PathBuf,
    },
    /// A weight or a score is not finite.
    #[error("{what} is not finite at step {step}; a checkpoint from before stays")]
    #[diagnostic(help("lower learning_rate, in another folder or without the checkpoint"))]
    NotFinite {
        /// `a parameter`, or the score's name.
        what: String,
        /// The last step taken.
        step: u64,
    },
    /// The work was interrupted.
    #[error("interrupted at step {step} of {total}; the checkpoint is kept")]
    #[diagnostic(code(limbeck::interrupted), help("give the same command again to go on from the checkpoint"))]
    Interrupted {
        /// The last step taken.
        step: u64,
        /// All steps of the training.
        total: u64,
    },
    /// An evaluation on a dev set failed.
    #[error("the model in training could not be evaluated")]
    Evaluation(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A file operation of the data crate failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Data(#[from] limbeck_data::Error),
}

/// The result of anything in a training.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What the user can do next, where that is known.
    pub fn hint(&self) -> Option<String> {
        Diagnostic::help(self).map(|help| help.to_string())
    }

    /// Names the operation that a candle error ended: `.map_err(Error::tensor("AdamW"))`.
    pub fn tensor(operation: &'static str) -> impl FnOnce(candle_core::Error) -> Self {
        move |source| Self::Tensor { operation, source }
    }

    /// A setting that is outside its range.
    pub fn setting(name: &str, value: impl ToString, allowed: impl Into<String>) -> Self {
        Self::Setting { name: name.into(), value: value.to_string(), allowed: allowed.into() }
    }

    /// Refuses a setting that is not `valid`.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn require(valid: bool, name: &str, value: impl ToString, allowed: impl Into<String>) -> Result<()> {
        if valid { Ok(()) } else { Err(Self::setting(name, value, allowed)) }
    }

    /// A checkpoint that is broken.
    pub(crate) fn checkpoint(path: &Path, reason: impl ToString) -> Self {
        Self::Checkpoint { path: path.to_path_buf(), reason: reason.to_string() }
    }
}
