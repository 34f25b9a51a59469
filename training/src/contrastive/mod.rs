//! SimCSE (Gao, Yao and Chen 2021) for any learner: unsupervised, where dropout makes a text's second view, and
//! supervised, on labelled pairs or triples with hard negatives.
//!
//! ```text
//! examples ─► tokens ─► for each epoch, batch: the views of each example ─► vectors ─► InfoNCE ─► gradients
//!                         every so often: Spearman, alignment and uniformity on a dev set
//! ```
//!
//! The loop is [`crate::fit::fit`]; here are its examples ([`ExampleBatches`]), its loss, its settings and its dev set.

mod dev;
mod loss;
mod order;
mod settings;
mod training_examples;

use std::path::{Path, PathBuf};

pub use self::dev::{Dev, DevScores, measure};
pub use self::loss::{loss, loss_and_gradient};
pub use self::settings::ContrastiveSettings;
pub use self::training_examples::{ExampleBatch, ExampleBatches, TrainingExamples};
use crate::fit::{FitJob, FitSummary};

/// One contrastive training.
pub struct Job<'a> {
    /// The examples.
    pub examples: TrainingExamples<'a>,
    /// How they are learned.
    pub settings: &'a ContrastiveSettings,
    /// The dev set; without one the weights of the last step are taken.
    pub dev: Option<&'a dyn Dev>,
    /// The folder of the checkpoints.
    pub folder: &'a Path,
    /// The metrics log.
    pub metrics: PathBuf,
    /// The stage's name in the log.
    pub stage: &'a str,
}

impl Job<'_> {
    /// The trainer's part of the job.
    pub fn fit_job(&self) -> FitJob<'_> {
        FitJob { folder: self.folder, metrics: &self.metrics, stage: self.stage, patience: self.settings.patience }
    }
}

/// The result of a contrastive training.
#[derive(Debug, Clone, PartialEq)]
pub struct ContrastiveSummary {
    /// All steps.
    pub steps: u64,
    /// How many examples there are.
    pub examples: usize,
    /// Dev Spearman before the first step.
    pub start: Option<f64>,
    /// The best dev Spearman, and the step that gave it.
    pub best: Option<(f64, u64)>,
}

impl ContrastiveSummary {
    /// The trainer's summary of a training on so many examples.
    pub fn new(examples: usize, FitSummary { steps, start, best }: FitSummary) -> Self {
        Self { steps, examples, start, best }
    }
}

impl std::fmt::Display for ContrastiveSummary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} examples, {} steps", self.examples, self.steps)?;
        match (self.start, self.best) {
            (Some(start), Some((best, step))) => {
                write!(f, "; dev Spearman {start:.2} at the start, {best:.2} at step {step}")
            }
            _ => Ok(()),
        }
    }
}
