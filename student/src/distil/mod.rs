//! Distillation: a student learns the cached vectors of a teacher.
//!
//! ```text
//! cache ─► survey (token counts, held-out sample) ─► start ─► for each epoch, window of slices, batch:
//!              tokens ─► pool ─► project ─► losses against the targets ─► gradients ─► AdamW, sparse and dense
//!                                              every so often: held-out fidelity
//! ```
//!
//! [`distil()`] hands a learner and the cache's batches to [`limbeck_training::fit()`]. The order of the examples is a
//! function of the seed, the epoch and the cache; random numbers are functions of the seed and the step.

mod documents;
mod held_out;
mod init;
mod job;
mod learner;
mod losses;
mod settings;
mod targets;
#[cfg(test)]
mod tests;
mod warnings;
mod windows;

use limbeck_data::Monitor;
use limbeck_training::{FitJob, fit, settings::PATIENCE};

pub use self::documents::Documents;
pub use self::init::start_student;
pub use self::job::{DistilJob, DistilSummary, remove_checkpoints};
use self::learner::DistilLearner;
pub use self::losses::{CentredDistance, ContrastiveKd, CosineDistance, InfoNce, Losses, Matryoshka, RelationalKl};
pub use self::settings::DistilSettings;
pub use self::targets::{Examples, HELD_OUT, HeldOut, Survey, Targets};
pub use self::warnings::warnings;
use self::windows::CacheBatches;
use crate::error::Result;
use crate::model::TextCnn;

/// Distils a student. A distillation that was stopped resumes from its checkpoint. The student of the best held-out
/// fidelity is returned.
///
/// # Errors
/// Settings that are out of range, a cache that can't be read, and those of [`limbeck_training::fit()`].
pub fn distil(job: &DistilJob, monitor: Monitor) -> Result<(TextCnn, DistilSummary)> {
    job.check()?;
    let survey = job.targets.survey(job.documents, monitor)?;
    let start = init::start(job, &survey, monitor)?;
    let batches = CacheBatches::new(job, &survey, start.empty_target);
    let mut learner = DistilLearner::new(job, &survey, start.model)?;
    let of_fit = FitJob { folder: job.folder, metrics: &job.metrics, stage: job.stage, patience: PATIENCE };
    let summary = fit(&mut learner, &batches, &job.settings.training(), &of_fit, monitor)?;
    let (best, best_step) = summary.best.unwrap_or_default();
    let (start, texts) = (summary.start.unwrap_or_default(), survey.train_rows.iter().sum());
    let documents = survey.documents.iter().sum();
    Ok((learner.student.model, DistilSummary { steps: summary.steps, start, best, best_step, texts, documents }))
}
