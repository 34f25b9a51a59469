//! Running a recipe: its stages in order, those that are up to date skipped.
//!
//! ```text
//! fetch ─► text ─► train-teacher ─► export-teacher ─► vocabulary ─► embed ─► distil
//!       ─► baselines ─► export-student ─► evaluate ─► bench ─► report
//! ```
//!
//! In place of distil stand the methods that `student.methods` names, in its order: distil, simcse, am-softmax. Each
//! continues with the student of the method before it; the last method's student is the run's.
//!
//! A recipe with a `base` uses the base's run for every stage that both configure identically, up to the student's
//! methods and the static controls; a stage that is missing there is done there, for all recipes that share it.
//!
//! Each stage has a fingerprint: a hash of its settings and of the fingerprints of the stages that it reads (of the
//! text: the hash of its files). A stage is up to date when `state.json` holds the same fingerprint and its outputs are
//! there.
//!
//! A stage is one file in [`stages`] and one line of the list there.

mod context;
pub(crate) mod fingerprint;
mod planned_run;
mod resolution;
mod resolve;
mod run_folder;
mod stage;
mod stage_id;
pub mod stages;
mod state;
mod student_start;
pub mod training_examples;

pub use context::Context;
pub use planned_run::PlannedRun;
pub use run_folder::RunFolder;
pub use stage::{Outputs, Stage};
pub use stage_id::StageId;
pub use state::State;

use std::time::Instant;

use limbeck_data::Monitor;
use limbeck_data::assets::AssetStore;
use limbeck_data::files::{FolderLock, lock_folder, remove_leftovers, write_bytes};

use self::resolution::Resolution;
use self::resolve::resolve;
use crate::error::{Error, Result};
use crate::summary::{StageSummary, Summary};

/// A run that can be started: its plan and folder, those of its bases, and what all stages share.
pub struct Pipeline<'a> {
    /// The run asked for, then its bases.
    pub chain: Vec<PlannedRun>,
    /// Fetches assets.
    pub store: AssetStore,
    /// Shows progress, and stops the work.
    pub monitor: Monitor<'a>,
}

/// Which stages of a run to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Redo this stage and all after it.
    pub from: Option<StageId>,
    /// Stop after this stage.
    pub to: Option<StageId>,
}

/// What happens with a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It runs, for this reason.
    Run(String),
    /// It is up to date.
    Skip,
    /// It comes after `--to`.
    AfterEnd,
}

/// Why a stage runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// It is missing, or its inputs changed: partial output is resumed.
    Stale,
    /// `--from` asks for it: partial output is discarded.
    Forced,
}

/// A stage of a plan, and what is to happen with it.
pub struct PlannedStage {
    /// The stage.
    pub stage: &'static dyn Stage,
    /// What is to happen.
    pub decision: Decision,
    /// The folder of the run that owns its output, where that is another run.
    pub elsewhere: Option<RunFolder>,
}

impl PlannedStage {
    /// `, in runs/zh` where another run owns the output.
    pub fn place(&self) -> String {
        self.elsewhere.as_ref().map_or_else(String::new, |folder| format!(", in {}", folder.root().display()))
    }
}

impl Pipeline<'_> {
    /// The folder of the run asked for.
    pub fn folder(&self) -> &RunFolder {
        &self.chain[0].folder
    }

    fn stages(&self) -> Vec<&'static dyn Stage> {
        stages::of(&self.chain[0].plan)
    }

    /// What is to happen with each stage, without doing it. (A stage may turn out to leave the same content as before:
    /// then the stages that read it are skipped after all.)
    pub fn decide(&self, options: &RunOptions) -> Result<Vec<PlannedStage>> {
        self.check(options)?;
        let resolution = resolve(&self.chain)?;
        let (mut cause, mut ended) = (Cause::Stale, false);
        let mut planned = Vec::new();
        for stage in self.stages() {
            if options.from == Some(stage.id()) {
                cause = Cause::Forced;
            }
            let owner = self.owner(stage, &resolution);
            let decision = match ended {
                true => Decision::AfterEnd,
                false => self.reason(stage, &resolution, cause)?.map_or(Decision::Skip, Decision::Run),
            };
            let elsewhere = (owner > 0).then(|| self.chain[owner].folder.clone());
            planned.push(PlannedStage { stage, decision, elsewhere });
            ended |= options.to == Some(stage.id());
        }
        Ok(planned)
    }

    /// Runs the stages and gives the summary, if the run has come to one.
    pub fn run(&self, options: &RunOptions) -> Result<Option<Summary>> {
        self.check(options)?;
        let _lock = lock_run(self.folder())?;
        let recipe = crate::recipe::resolved(&self.chain[0].plan.recipe);
        write_bytes(&self.folder().recipe(), recipe.as_bytes())?;
        let mut resolution = resolve(&self.chain)?;
        let mut rows = Vec::new();
        let mut cause = Cause::Stale;
        for stage in self.stages() {
            if options.from == Some(stage.id()) {
                cause = Cause::Forced;
            }
            let owner = self.owner(stage, &resolution);
            let skipped = match self.reason(stage, &resolution, cause)? {
                Some(reason) => {
                    self.monitor.check()?;
                    let folder = &self.chain[owner].folder;
                    let place = if owner > 0 { format!(", in {}", folder.root().display()) } else { String::new() };
                    self.monitor.note(&format!("{}: {reason}{place}", stage.id()));
                    let _lock = (owner > 0).then(|| lock_run(folder)).transpose()?;
                    self.run_stage(stage, owner, cause, &resolution, &rows)?;
                    resolution = resolve(&self.chain)?;
                    false
                }
                None => {
                    self.monitor.note(&format!("{}: up to date, skipped", stage.id()));
                    true
                }
            };
            let state = State::read(&self.chain[owner].folder)?;
            let seconds = state.record_of(stage.id()).map_or(0.0, |record| record.seconds);
            rows.push(StageSummary { name: stage.id().name().into(), seconds, skipped });
            if options.to == Some(stage.id()) {
                break;
            }
        }
        self.finish(rows)
    }

    /// Puts the stages' times into the summary, where the report stage has written one.
    fn finish(&self, rows: Vec<StageSummary>) -> Result<Option<Summary>> {
        let path = self.folder().summary();
        if !path.is_file() || !rows.iter().any(|row| row.name == stages::report::ID.name()) {
            return Ok(None);
        }
        let mut summary = Summary::read(&path)?;
        summary.stages = rows;
        summary.write(&path)?;
        Ok(Some(summary))
    }

    /// Refuses stages that the recipe lacks, and files that it names and that aren't there.
    fn check(&self, options: &RunOptions) -> Result<()> {
        let stages = self.stages();
        let place = |wanted: StageId| {
            let missing = || Error::Stage { stage: wanted.name(), problem: "is not in this recipe".into() };
            stages.iter().position(|stage| stage.id() == wanted).ok_or_else(missing)
        };
        let (from, to) = (options.from.map(place).transpose()?, options.to.map(place).transpose()?);
        if let (Some(from), Some(to)) = (from, to)
            && to < from
        {
            let problem = format!("comes before {}, which --from names", stages[from].id());
            return Err(Error::Stage { stage: stages[to].id().name(), problem });
        }
        self.chain[0].plan.check_files()
    }

    /// The run that owns the output of `stage`, by its place in the chain.
    fn owner(&self, stage: &dyn Stage, resolution: &Resolution) -> usize {
        resolution.stage(0, stage.id()).map_or(0, |resolved| resolved.owner)
    }

    /// Why `stage` is to run now; `None` where it is up to date.
    fn reason(&self, stage: &dyn Stage, resolution: &Resolution, cause: Cause) -> Result<Option<String>> {
        let owner = self.owner(stage, resolution);
        let run = &self.chain[owner];
        let Some(resolved) = resolution.stage(owner, stage.id()) else { return Ok(None) };
        let state = State::read(&run.folder)?;
        let reason = state.reason(stage.id(), &run.folder, &resolved.inputs, &stage.outputs(run));
        Ok(reason.or_else(|| (cause == Cause::Forced).then(|| "asked for by --from".into())))
    }

    /// Runs the stage in its owner's folder and records it. `Forced` discards partial output first. The time that it
    /// took includes the time before an interruption.
    fn run_stage(
        &self,
        stage: &dyn Stage,
        owner: usize,
        cause: Cause,
        resolution: &Resolution,
        finished: &[StageSummary],
    ) -> Result<()> {
        let started = Instant::now();
        let run = &self.chain[owner];
        let (chain, store, monitor) = (&*self.chain, &self.store, self.monitor);
        let context = Context { chain, at: owner, resolution, store, monitor, finished };
        let Some(resolved) = resolution.stage(owner, stage.id()) else { return Ok(()) };
        let inputs = resolved.inputs.clone();
        // From here on the files are neither the old result nor the new one.
        let mut state = State::read(&run.folder)?;
        state.remove(stage.id());
        if cause == Cause::Forced {
            state.take_elapsed(stage.id(), &inputs);
        }
        state.write(&run.folder)?;
        if cause == Cause::Forced {
            stage.clear(&context)?;
        }
        let result = match stage.run(&context) {
            // A checkpoint of other settings, or another method's student in the same place.
            Err(error) if error.is_other_training() => {
                monitor.note(&format!("{}: {error}; starting from nothing", stage.id()));
                stage.clear(&context)?;
                stage.run(&context)
            }
            result => result,
        };
        let mut state = State::read(&run.folder)?;
        let seconds = started.elapsed().as_secs_f64() + state.take_elapsed(stage.id(), &inputs);
        if let Err(error) = result {
            if stage.resumes().is_some() {
                state.add_elapsed(stage.id(), &inputs, seconds);
                state.write(&run.folder)?;
            }
            return Err(error);
        }
        state.record(stage.id(), &run.folder, inputs, &stage.outputs(run), seconds)?;
        state.write(&run.folder)
    }
}

/// Makes a run's folder ready, and keeps other processes out of it while the lock is held.
fn lock_run(folder: &RunFolder) -> Result<FolderLock> {
    let lock = lock_folder(folder.root())?;
    remove_leftovers(folder.root())?;
    Ok(lock)
}
