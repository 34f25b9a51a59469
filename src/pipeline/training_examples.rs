//! What SimCSE learns from, in a run and in a command: texts, or labelled pairs and triples.

use std::path::{Path, PathBuf};

use limbeck_data::Monitor;
use limbeck_data::examples::{self, ExampleColumns, Examples};
use limbeck_training::contrastive::{ContrastiveSettings, Dev, Job, TrainingExamples};

use super::stage_id::StageId;
use crate::error::Result;
use crate::measure::sts::DevSets;

/// What SimCSE learns from.
pub enum LoadedExamples {
    /// Unsupervised: dropout makes the second view of each text.
    Texts(Vec<String>),
    /// Supervised: pairs, or triples with a hard negative.
    Labelled(Examples),
}

impl LoadedExamples {
    /// Reads at most `limit` labelled examples from `path`, and notes how many were skipped.
    pub fn read_labelled(
        path: &Path,
        columns: &ExampleColumns,
        limit: Option<usize>,
        stage: StageId,
        monitor: Monitor,
    ) -> Result<Self> {
        let mut found = examples::read(path, columns)?;
        found.truncate(limit.unwrap_or(usize::MAX));
        monitor.note(&format!("{stage}: {} examples; {}", found.len(), found.skipped));
        if let Some(note) = found.note() {
            monitor.note(&format!("{stage}: {note}"));
        }
        Ok(Self::Labelled(found))
    }

    /// The training on them; the best weights are those that score best on `dev`.
    pub fn job<'a>(
        &'a self,
        settings: &'a ContrastiveSettings,
        dev: Option<&'a DevSets>,
        folder: &'a Path,
        metrics: PathBuf,
        stage: StageId,
    ) -> Job<'a> {
        let examples = match self {
            Self::Texts(texts) => TrainingExamples::Texts(texts),
            Self::Labelled(examples) => TrainingExamples::Labelled(examples),
        };
        Job { examples, settings, dev: dev.map(|dev| dev as &dyn Dev), folder, metrics, stage: stage.name() }
    }
}
