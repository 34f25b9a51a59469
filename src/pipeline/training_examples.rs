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
        Ok(Self::Labelled(found))
    }

    fn view(&self) -> TrainingExamples<'_> {
        match self {
            Self::Texts(texts) => TrainingExamples::Texts(texts),
            Self::Labelled(examples) => TrainingExamples::Labelled(examples),
        }
    }
}

/// What a SimCSE training of a teacher or student is made from beside the model.
pub struct SimcseInput<'a> {
    /// The stage that bars, notes and the metrics log name.
    pub stage: StageId,
    /// What to learn from.
    pub examples: &'a LoadedExamples,
    /// How to learn.
    pub settings: &'a ContrastiveSettings,
    /// STS files that the best weights are chosen by.
    pub dev: Vec<PathBuf>,
    /// Where the trained model and its checkpoints lie.
    pub folder: &'a Path,
    /// The metrics log.
    pub metrics: PathBuf,
}

impl SimcseInput<'_> {
    /// Reads the dev sets, trains by `train`, and notes what came of it.
    pub fn train<S: std::fmt::Display, E>(
        &self,
        monitor: Monitor,
        train: impl FnOnce(&Job) -> std::result::Result<S, E>,
    ) -> Result<()>
    where
        crate::Error: From<E>,
    {
        let dev = DevSets::read(&self.dev, monitor.interrupt)?;
        let job = Job {
            examples: self.examples.view(),
            settings: self.settings,
            dev: dev.as_ref().map(|dev| dev as &dyn Dev),
            folder: self.folder,
            metrics: self.metrics.clone(),
            stage: self.stage.name(),
        };
        let summary = train(&job)?;
        monitor.note(&format!("{}: {summary}", self.stage));
        Ok(())
    }
}
