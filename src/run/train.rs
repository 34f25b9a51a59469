//! The stage that trains a teacher.

use limbeck_data::examples::{self, Examples};
use limbeck_teacher::train::train;
use limbeck_training::contrastive::{Dev, Job, TrainingExamples};

use super::context::Context;
use super::stage::Stage;
use crate::error::{Error, Result};
use crate::hold::hold;
use crate::measure::sts::DevSets;
use crate::model::candle_device;

impl Context<'_> {
    /// Trains the teacher that the recipe names and writes it to the run's `teacher/`.
    pub(super) fn train_teacher(&self) -> Result<()> {
        let stage = Stage::TrainTeacher.name();
        let none = || Error::Stage { stage: stage.into(), what: "the recipe trains no teacher".into() };
        let section = self.plan.recipe.train_teacher.as_ref().ok_or_else(none)?;
        let (start, _) = self.start_folder()?;
        let limit = section.limit.unwrap_or(usize::MAX);
        let (texts, labelled);
        let examples = match &self.plan.examples {
            Some(uri) => {
                labelled = self.examples(stage, uri, &section.columns, limit)?;
                TrainingExamples::Labelled(&labelled)
            }
            None => {
                texts = self.prepared_texts(limit)?;
                TrainingExamples::Texts(&texts)
            }
        };
        let dev = DevSets::read(&section.dev, &self.interrupt)?;
        let folder = self.folder.join("teacher");
        let _held = hold(&folder)?;
        let job = Job {
            examples,
            settings: &section.simcse,
            dev: dev.as_ref().map(|dev| dev as &dyn Dev),
            folder: &folder,
            metrics: self.folder.join("metrics.jsonl"),
            stage,
        };
        let device = candle_device(self.opener().device)?;
        let summary = train(&start, &section.bert, &job, &device, limbeck_data::Monitor::new(self.progress, &self.interrupt))?;
        self.progress.note(&format!("{stage}: {summary}"));
        Ok(())
    }

    /// At most `limit` labelled examples, for `stage`.
    pub(super) fn examples(
        &self,
        stage: &str,
        uri: &limbeck_data::assets::Uri,
        columns: &examples::ExampleColumns,
        limit: usize,
    ) -> Result<Examples> {
        let path = self.noted_asset(uri)?;
        let mut found = examples::read(&path, columns)?;
        found.truncate(limit);
        self.progress.note(&format!("{stage}: {} examples; {}", found.len(), found.skipped));
        Ok(found)
    }
}
