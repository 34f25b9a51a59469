//! [`Stage`]: what a stage of a run is.

use std::path::PathBuf;

use limbeck_data::files::remove;
use serde_json::Value;

use super::context::Context;
use super::planned_run::PlannedRun;
use super::stage_id::StageId;
use crate::error::Result;
use crate::recipe::{Method, Plan};

/// A stage of a run. Each has a file of its own in [`super::stages`] and a place in the list there.
pub trait Stage: Sync {
    /// Its name.
    fn id(&self) -> StageId;

    /// The training method of the same name: such stages run in the order of `student.methods`.
    fn method(&self) -> Option<Method> {
        self.id().name().parse().ok()
    }

    /// Whether the plan has this stage.
    fn is_planned(&self, _plan: &Plan) -> bool {
        true
    }

    /// Whether a recipe laid over another one (`base`) may use that run's result, where both configure the stage
    /// identically.
    /// The student of the last method is always a run's own.
    fn is_shared(&self, plan: &Plan) -> bool {
        self.method().is_none_or(|method| plan.last_method() != Some(method))
    }

    /// The stages whose results it reads; those that the plan lacks are passed over.
    fn reads(&self, plan: &Plan) -> Vec<StageId>;

    /// What the result depends on beside the stages that it reads, as JSON whose keys are named when they change. The
    /// number of threads belongs to it only where the result is a speed: what another machine trained stays valid.
    fn inputs(&self, plan: &Plan) -> Value;

    /// What the stage leaves in the folder of `run`, which owns it.
    fn outputs(&self, run: &PlannedRun) -> Outputs;

    /// What an interruption keeps for the next start, in words; `None` where the stage starts again from nothing.
    fn resumes(&self) -> Option<&'static str> {
        self.method().map(|_| "the last checkpoint")
    }

    /// Does the work in the folder of `context`'s run.
    fn run(&self, context: &Context) -> Result<()>;

    /// Removes what [`Stage::run`] would otherwise resume.
    fn clear(&self, context: &Context) -> Result<()> {
        self.outputs(context.run()).cleared.map_or(Ok(()), |folder| Ok(remove(&folder)?))
    }
}

/// What a stage leaves in its run's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outputs {
    /// Files that must be there for the stage to count as done.
    pub files: Vec<PathBuf>,
    /// Files whose content, hashed, stands for the stage where others read it. Where there are none, its fingerprint
    /// does.
    pub hashed_files: Vec<PathBuf>,
    /// Folders whose large files are tracked by size, beside those of `files`.
    pub tracked_folders: Vec<PathBuf>,
    /// What to remove before the stage starts from nothing.
    pub cleared: Option<PathBuf>,
}

impl Outputs {
    /// Single files, nothing to clear.
    pub fn files(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { files: files.into_iter().collect(), ..Self::default() }
    }

    /// The folder of one student.
    pub fn student(folder: PathBuf) -> Self {
        Self::students(vec![folder.clone()], folder)
    }

    /// Folders of students; `cleared` holds them all.
    pub fn students(folders: Vec<PathBuf>, cleared: PathBuf) -> Self {
        let files = folders.iter().map(|folder| folder.join("config.json")).collect();
        Self { files, tracked_folders: folders, cleared: Some(cleared), ..Self::default() }
    }
}
