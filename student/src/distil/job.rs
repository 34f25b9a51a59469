//! What a distillation is asked for, and what it returns.

use std::path::{Path, PathBuf};

use candle_core::Device;

use super::documents::Documents;
use super::settings::DistilSettings;
use super::targets::Targets;
use crate::am_softmax::remove_centres;
use crate::config::StudentConfig;
use crate::error::{Error, Result};
use crate::model::TextCnn;

/// One distillation.
pub struct DistilJob<'a> {
    /// What the student learns.
    pub targets: Targets<'a>,
    /// The texts among them that are whole documents, which come as often as the settings say.
    pub documents: Option<&'a Documents>,
    /// The student's shape; vocabulary and dimension are those of the targets.
    pub config: StudentConfig,
    /// How it learns.
    pub settings: &'a DistilSettings,
    /// A student of this shape to start from, in place of the static start.
    pub student: Option<&'a TextCnn>,
    /// The folder of the checkpoints.
    pub folder: &'a Path,
    /// The metrics log.
    pub metrics: PathBuf,
    /// The stage's name in the log.
    pub stage: &'a str,
    /// Where tensors are computed.
    pub device: Device,
}

impl DistilJob<'_> {
    /// Refuses settings and shapes that can't be, or that would be of no use, before any work.
    pub(super) fn check(&self) -> Result<()> {
        self.settings.check_with_dimension(&self.config)?;
        let (times, none) = (self.settings.documents, self.documents.is_none());
        Error::require(times == 1 || !none, "distil.documents", times, "1, as no text is known for a document")?;
        Ok(self.config.check_folds()?)
    }
}

/// The result of a distillation.
#[derive(Debug, Clone, PartialEq)]
pub struct DistilSummary {
    /// All steps.
    pub steps: u64,
    /// Held-out fidelity before the first step: mean cosine to the teacher's vectors.
    pub start: f64,
    /// The best held-out fidelity.
    pub best: f64,
    /// The step that gave it.
    pub best_step: u64,
    /// How many texts are trained on.
    pub texts: usize,
    /// How many of them are whole documents of a collection.
    pub documents: usize,
}

/// Removes the checkpoints of a distillation; call it once the student is saved.
///
/// # Errors
/// A file that can't be removed.
pub fn remove_checkpoints(folder: &Path) -> Result<()> {
    limbeck_training::fit::remove_checkpoints(folder)?;
    remove_centres(folder)
}
