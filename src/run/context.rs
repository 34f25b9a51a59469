use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use limbeck_data::Interrupt;
use limbeck_data::Monitor;
use limbeck_data::assets::{AssetStore, Uri};
use limbeck_data::cache::{Cache, Columns};
use limbeck_data::progress::Progress;
use limbeck_data::text::{PreparedText, TRAIN_FILE};
use limbeck_encoder::Tokenizer;
use limbeck_student::config::StudentConfig;
use limbeck_student::distil::{DistilSettings, Targets};
use limbeck_teacher::OnnxDevice;
use serde_json::{Value, json};

use super::stage::Stage;
use super::state::fingerprint;
use crate::error::{Error, Result};
use crate::model::Opener;
use crate::recipe::{CacheOrigin, Plan};
use crate::summary::StageSummary as StageRow;

/// Everything a stage works with.
pub struct Context<'a> {
    pub plan: Plan,
    /// The run's folder.
    pub folder: PathBuf,
    pub store: AssetStore,
    pub progress: &'a dyn Progress,
    pub interrupt: Interrupt,
    /// The run of the recipe that this one is laid over.
    pub base: Option<Box<Self>>,
}

/// Which stages of a run to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Redo this stage and all after it.
    pub from: Option<Stage>,
    /// Stop after this stage.
    pub to: Option<Stage>,
}

/// The stages before the student's methods.
const BEFORE_METHODS: [Stage; 6] =
    [Stage::Fetch, Stage::Text, Stage::TrainTeacher, Stage::ExportTeacher, Stage::Vocabulary, Stage::Embed];

impl<'a> Context<'a> {
    /// The run in whose folder `stage` is done: of the recipes that this one is laid over the first whose stage is the same,
    /// so that recipes over one base share its text, teacher, cache, controls and methods.
    pub fn home(&self, stage: Stage) -> &Context<'a> {
        match &self.base {
            Some(base) if self.may_share(stage) && base.stages().contains(&stage) => {
                match fingerprint(base, stage) == fingerprint(self, stage) {
                    true => base.home(stage),
                    false => self,
                }
            }
            _ => self,
        }
    }

    /// Whether `stage` may be done in another run: all up to the student, which is a run's own.
    fn may_share(&self, stage: Stage) -> bool {
        !matches!(stage, Stage::ExportStudent | Stage::Evaluate | Stage::Bench | Stage::Report)
            && self.last_method() != Some(stage)
    }

    /// Where `stage` is done, in words, if not in this run's folder: `, in runs/zh`.
    pub fn place(&self, stage: Stage) -> String {
        let home = &self.home(stage).folder;
        if *home == self.folder { String::new() } else { format!(", in {}", home.display()) }
    }

    /// Where `stage` leaves its files.
    pub(super) fn home_folder(&self, stage: Stage) -> &Path {
        &self.home(stage).folder
    }

    /// The stages that this plan has.
    pub fn stages(&self) -> Vec<Stage> {
        let has = |stage: &Stage| match (&self.plan.cache, stage) {
            (CacheOrigin::Elsewhere { .. }, Stage::Text | Stage::ExportTeacher) => false,
            (_, Stage::Vocabulary) => self.plan.vocabulary.is_some(),
            (_, Stage::TrainTeacher) => self.plan.recipe.train_teacher.is_some(),
            (_, Stage::Baselines) => self.baselines().next().is_some(),
            _ => true,
        };
        let is_method = |stage: &Stage| matches!(stage, Stage::Distil | Stage::Simcse | Stage::AmSoftmax);
        let (mut stages, after): (Vec<Stage>, Vec<Stage>) =
            Stage::ALL.into_iter().filter(|stage| !is_method(stage)).partition(|stage| BEFORE_METHODS.contains(stage));
        stages.extend(self.methods());
        stages.extend(after);
        stages.retain(has);
        stages
    }

    /// Clears away what a stage would otherwise take up and go on from.
    pub(super) fn discard(&self, stage: Stage) -> Result<()> {
        let gone = match stage {
            Stage::TrainTeacher => Some(self.folder.join("teacher")),
            Stage::Vocabulary => Some(self.folder.join("vocabulary")),
            Stage::Embed => Some(self.folder.join("cache")),
            Stage::Distil | Stage::Simcse | Stage::AmSoftmax => Some(self.method_folder(stage)),
            Stage::Baselines => Some(self.folder.join("baselines")),
            Stage::Evaluate => Some(self.measured_folder()),
            _ => None,
        };
        if let Some(path) = gone {
            match std::fs::remove_dir_all(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(limbeck_data::Error::io("clear the folder", &path)(error).into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Does the stage's work.
    pub(super) fn do_stage(&self, stage: Stage, rows: &[StageRow]) -> Result<()> {
        match stage {
            Stage::Fetch => self.fetch(),
            Stage::Text => self.prepare_text(),
            Stage::TrainTeacher => self.train_teacher(),
            Stage::ExportTeacher => self.export_teacher(),
            Stage::Vocabulary => self.make_vocabulary(),
            Stage::Embed => self.embed(),
            Stage::Distil => self.distil(),
            Stage::Simcse => self.simcse(),
            Stage::AmSoftmax => self.am_softmax(),
            Stage::Baselines => self.learn_baselines(),
            Stage::ExportStudent => self.export_student(),
            Stage::Evaluate => self.evaluate(),
            Stage::Bench => self.bench(),
            Stage::Report => self.report(rows),
        }
    }

    /// Whether the cache is made by the teacher in int8.
    pub(super) fn int8(&self) -> bool {
        self.plan.recipe.teacher.as_ref().is_some_and(|teacher| teacher.precision == limbeck_encoder::Precision::Int8)
    }

    /// The static students that stand beside the student: their names, and how they learn.
    pub(super) fn baselines(&self) -> impl Iterator<Item = (&'static str, DistilSettings)> {
        let wanted = &self.plan.recipe.baselines;
        let trained = self.plan.recipe.distil.static_control();
        let untrained = DistilSettings { epochs: 0, ..trained.clone() };
        [(wanted.untrained, STATIC_START, untrained), (wanted.trained, STATIC_TRAINED, trained)]
            .into_iter()
            .filter_map(|(wanted, name, settings)| wanted.then_some((name, settings)))
    }

    /// Opens models with the plan's threads, runtime and device.
    pub(super) fn opener(&self) -> Opener<'_> {
        Opener {
            store: &self.store,
            monitor: Monitor::new(self.progress, &self.interrupt),
            threads: self.plan.threads,
            runtime: self.plan.recipe.runtime.library.clone(),
            device: self.plan.teacher().map_or(OnnxDevice::Cpu, |teacher| teacher.device),
        }
    }

    /// The asset of a recipe's URI, fetched if it is gone.
    pub(super) fn asset(&self, uri: &Uri, sha256: Option<&str>) -> Result<PathBuf> {
        let monitor = Monitor::new(self.progress, &self.interrupt);
        match sha256 {
            Some(_) => Ok(self.store.fetch(uri, sha256, monitor)?.path),
            None => Ok(self.store.locate(uri, monitor)?),
        }
    }

    /// The caches to learn from and to measure on.
    pub(super) fn caches(&self) -> Result<(Cache, Option<Cache>)> {
        match &self.plan.cache {
            CacheOrigin::Elsewhere { path, columns } => Ok((Cache::open_columns(path, columns)?, None)),
            CacheOrigin::Teacher(_) => {
                let folder = self.home_folder(Stage::Embed).join("cache");
                let open = |name: &str| Cache::open_columns(&folder.join(name), &Columns::default());
                Ok((open("train")?, Some(open("held-out")?)))
            }
        }
    }

    /// What tells a cache made elsewhere from a changed one.
    pub(super) fn elsewhere(&self) -> Option<Value> {
        match &self.plan.cache {
            CacheOrigin::Elsewhere { path, .. } => Some(Self::stamp_path(path)),
            CacheOrigin::Teacher(_) => None,
        }
    }

    /// The recipe's text to train on, as it was prepared.
    pub(super) fn prepared_text(&self) -> Result<PreparedText> {
        Ok(PreparedText::open(&self.home_folder(Stage::Text).join("text").join(TRAIN_FILE))?)
    }

    /// The first `most` of those texts.
    pub(super) fn prepared_texts(&self, most: usize) -> Result<Vec<String>> {
        let text = self.prepared_text()?;
        Ok(text.read(0, most.min(text.rows()))?.texts)
    }

    /// The student's tokenizer.
    pub(super) fn tokenizer(&self, cache: &Cache) -> Result<Tokenizer> {
        let none = || {
            let what = format!("{} has no tokenizer.json", cache.path().display());
            Error::Stage { stage: Stage::Distil.name().into(), what }
        };
        let path = self.student_tokenizer()?.or_else(|| cache.tokenizer()).ok_or_else(none)?;
        Ok(Tokenizer::from_file(&path)?)
    }

    /// The student's shape for these targets.
    pub(super) fn student_config(&self, targets: &Targets) -> StudentConfig {
        self.plan.student_config(targets.vocabulary(), targets.dimension())
    }

    /// What tells a file or folder on this machine from a changed one: names, sizes and times; a fetched one has a name
    /// that says its content.
    pub(super) fn stamp(uri: &Uri) -> Value {
        match uri {
            Uri::Path(path) => Self::stamp_path(path),
            other => json!(other.to_string()),
        }
    }

    /// What tells a small file from another: what is in it.
    pub(super) fn stamp_content(path: &Path) -> Value {
        json!([path.display().to_string(), limbeck_data::files::sha256_file(path).unwrap_or_default()])
    }

    /// See [`Context::stamp`].
    pub(super) fn stamp_path(path: &Path) -> Value {
        let mut entries = Vec::new();
        stamps(path, &mut entries);
        entries.sort();
        json!(entries)
    }
}

/// The name of the untrained static student.
pub(super) const STATIC_START: &str = "static-start";
/// The name of the static student trained on the same targets.
pub(super) const STATIC_TRAINED: &str = "static-trained";

fn stamps(path: &Path, entries: &mut Vec<(String, u64, u64)>) {
    let Ok(metadata) = std::fs::metadata(path) else { return };
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            stamps(&entry.path(), entries);
        }
        return;
    }
    let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let changed = changed.map_or(0, |time| time.as_nanos() as u64);
    entries.push((path.display().to_string(), metadata.len(), changed));
}
