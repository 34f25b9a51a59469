//! Putting together what was measured: `summary.json`, the student's README.md, and `report.html`.

use std::path::Path;

use indexmap::IndexMap;
use limbeck_data::files;
use serde::de::DeserializeOwned;

use super::context::Context;
use crate::error::{Error, Result};
use crate::measure::speed::Speed;
use crate::report::{self, card::card};
use crate::summary::{ModelSummary, StageSummary as StageRow, Summary};

impl Context<'_> {
    /// Writes `summary.json`, the student's README.md and `report.html`.
    pub(super) fn report(&self, stages: &[StageRow]) -> Result<()> {
        let models: Vec<ModelSummary> = read(&self.folder.join("evaluation.json"), "list of evaluations")?;
        let speeds: Vec<Speed> = read(&self.folder.join("bench.json"), "list of measurements")?;
        let mut versions = IndexMap::from([("limbeck".to_string(), env!("CARGO_PKG_VERSION").to_string())]);
        if let Some(runtime) = limbeck_teacher::Runtime::loaded() {
            versions.insert("onnxruntime".into(), runtime.version().into());
        } else if self.plan.teacher().is_some() {
            versions.insert("onnxruntime".into(), self.opener().runtime()?.version().into());
        }
        let summary = Summary {
            name: self.plan.recipe.name.clone(),
            models: merge(models, &speeds),
            stages: stages.to_vec(),
            versions,
        };
        summary.write(&self.folder.join("summary.json"))?;
        let card = card(&summary, &self.plan.recipe);
        files::write_bytes(&self.folder.join("student/README.md"), card.as_bytes())?;
        let page = report::page(&[report::FinishedRun::read(&self.folder)?])?;
        Ok(files::write_bytes(&self.folder.join(report::FILE), page.as_bytes())?)
    }
}

fn read<T: DeserializeOwned>(path: &Path, what: &'static str) -> Result<T> {
    let bytes = std::fs::read(path).map_err(limbeck_data::Error::io("read", path))?;
    serde_json::from_slice(&bytes).map_err(|source| Error::Json { what, path: path.to_path_buf(), source })
}

/// Puts speeds, and the threads that they were measured with, beside the models of the same name.
pub fn merge(mut models: Vec<ModelSummary>, speeds: &[Speed]) -> Vec<ModelSummary> {
    for model in &mut models {
        if let Some(speed) = speeds.iter().find(|speed| speed.model == model.name) {
            model.add_speed(speed);
        }
    }
    models
}
