//! The student's stages: distillation, the static baselines, folding.

use std::path::PathBuf;

use candle_core::Device;
use limbeck_encoder::Precision;
use limbeck_student::distil::{DistilJob, DistilSettings, DistilSummary, Targets, distil, remove_checkpoints};
use limbeck_student::fold::write_folded;
use limbeck_student::folder::StudentFolder;
use serde_json::json;

use super::context::Context;
use super::stage::Stage;
use crate::error::Result;
use crate::hold::hold;

/// One student of a run.
struct Pupil<'a> {
    stage: &'a str,
    /// What it goes on from, in place of the static start.
    student: Option<StudentFolder>,
    settings: &'a DistilSettings,
    folder: PathBuf,
    is_static: bool,
}

impl Context<'_> {
    /// Distils the student.
    pub(super) fn distil(&self) -> Result<()> {
        let before = self.method_before(Stage::Distil).map(|stage| self.open_method(stage)).transpose()?;
        self.teach(&Pupil {
            stage: Stage::Distil.name(),
            student: before,
            settings: &self.plan.recipe.distil,
            folder: self.method_folder(Stage::Distil),
            is_static: false,
        })
    }

    /// Makes the static students: the start as it is, and trained on the same targets.
    pub(super) fn learn_baselines(&self) -> Result<()> {
        for (name, settings) in self.baselines() {
            let folder = self.folder.join("baselines").join(name);
            self.teach(&Pupil { stage: name, student: None, settings: &settings, folder, is_static: true })?;
        }
        Ok(())
    }

    fn teach(&self, pupil: &Pupil) -> Result<()> {
        let _held = hold(&pupil.folder)?;
        let (cache, held_out) = self.caches()?;
        let tokenizer = self.tokenizer(&cache)?;
        let max_tokens = self.plan.recipe.student.max_tokens;
        let targets = Targets { cache: &cache, held_out: held_out.as_ref(), tokenizer: &tokenizer, max_tokens };
        let config = self.student_config(&targets);
        let job = DistilJob {
            config: if pupil.is_static { config.static_control() } else { config },
            targets,
            settings: pupil.settings,
            student: pupil.student.as_ref().map(|student| &student.model),
            folder: &pupil.folder,
            metrics: self.folder.join("metrics.jsonl"),
            stage: pupil.stage,
            device: Device::Cpu,
        };
        let (model, summary) = distil(&job, limbeck_data::Monitor::new(self.progress, &self.interrupt))?;
        let DistilSummary { steps, start, best, best_step, texts } = summary;
        self.progress.note(&format!(
            "{}: {texts} texts, {steps} steps; held-out cosine {start:.4} at the start, {best:.4} at step {best_step}",
            pupil.stage
        ));
        let teacher = self.plan.recipe.teacher.as_ref().map(|teacher| teacher.source.clone());
        let origin = json!({
            "teacher": teacher.or_else(|| self.plan.recipe.cache.path.clone()),
            "recipe": self.plan.recipe.name, "texts": texts, "steps": steps, "held_out_cosine": best,
        });
        StudentFolder { model, tokenizer, origin }.save(&pupil.folder)?;
        Ok(remove_checkpoints(&pupil.folder)?)
    }

    /// Folds the student in both precisions, and each baseline in f32.
    pub(super) fn export_student(&self) -> Result<()> {
        let exports = self.folder.join("exports");
        std::fs::create_dir_all(&exports).map_err(limbeck_data::Error::io("create the folder", &exports))?;
        limbeck_data::files::remove_leftovers(&exports)?;
        let student = StudentFolder::open(&self.folder.join("student"), &Device::Cpu)?;
        for precision in [Precision::F32, Precision::Int8] {
            write_folded(&student, precision, &exports.join(format!("student.{}.limbeck", precision.name())))?;
        }
        for (name, _) in self.baselines() {
            let folder = self.home_folder(Stage::Baselines).join("baselines").join(name);
            let baseline = StudentFolder::open(&folder, &Device::Cpu)?;
            write_folded(&baseline, Precision::F32, &exports.join(format!("{name}.f32.limbeck")))?;
        }
        Ok(())
    }
}
