//! Running a recipe: its stages in order, those that are up to date skipped.
//!
//! ```text
//! fetch ─► text ─► train-teacher ─► export-teacher ─► vocabulary ─► embed ─► distil
//!       ─► baselines ─► lexical ─► export-student ─► evaluate ─► bench ─► report
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

mod api_estimate;
mod context;
mod documents;
pub(crate) mod fingerprint;
pub mod given_student;
mod planned_run;
mod resolution;
mod resolve;
mod run_folder;
mod stage;
mod stage_id;
pub mod stages;
mod state;
mod student_start;
pub mod text_sources;
mod token_vectors;
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
    /// `, in runs/zh` where another run owns its output, else empty.
    pub place: String,
}

impl Pipeline<'_> {
    /// The folder of the run asked for.
    pub fn folder(&self) -> &RunFolder {
        &self.chain[0].folder
    }

    /// The stages in order, each with the cause for which it would run; none after `--to`. Refuses stages that the
    /// recipe lacks, and files that it names and that aren't there.
    fn stages(&self, options: &RunOptions) -> Result<Vec<(&'static dyn Stage, Option<Cause>)>> {
        let plan = &self.chain[0].plan;
        let stages = stages::of(plan);
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
        plan.check_files()?;
        self.chain.iter().try_for_each(given_student::check)?;
        let cause = |at| if from.is_some_and(|from| from <= at) { Cause::Forced } else { Cause::Stale };
        let with_cause = |(at, stage)| (stage, to.is_none_or(|to| at <= to).then(|| cause(at)));
        Ok(stages.into_iter().enumerate().map(with_cause).collect())
    }

    /// What is to happen with each stage, without doing it. (A stage may turn out to leave the same content as before:
    /// then the stages that read it are skipped after all.)
    pub fn decide(&self, options: &RunOptions) -> Result<Vec<PlannedStage>> {
        let stages = self.stages(options)?;
        let resolution = resolve(&self.chain)?;
        let planned = |(stage, cause): (&'static dyn Stage, Option<Cause>)| {
            let decision = match cause {
                None => Decision::AfterEnd,
                Some(cause) => self.reason(stage, &resolution, cause)?.map_or(Decision::Skip, Decision::Run),
            };
            Ok(PlannedStage { stage, decision, place: self.place(resolution.owner(0, stage.id())) })
        };
        stages.into_iter().map(planned).collect()
    }

    /// What the stages in `planned` would ask a teacher behind an API for, in lines; none where they would ask for
    /// nothing. Nothing is sent.
    pub fn api_estimate(&self, planned: &[PlannedStage]) -> Result<Vec<String>> {
        let runs = |id: StageId| {
            planned.iter().any(|stage| stage.stage.id() == id && matches!(stage.decision, Decision::Run(_)))
        };
        if !runs(stages::embed::ID) {
            return Ok(Vec::new());
        }
        let resolution = resolve(&self.chain)?;
        let (chain, store, monitor) = (&*self.chain, &self.store, self.monitor);
        let at = resolution.owner(0, stages::embed::ID);
        let context = Context { chain, at, resolution: &resolution, store, monitor, finished: &[] };
        api_estimate::lines(&context, !runs(stages::text::ID))
    }

    /// Runs the stages and gives the summary, if the run has come to one.
    pub fn run(&self, options: &RunOptions) -> Result<Option<Summary>> {
        let stages = self.stages(options)?;
        let _lock = lock_run(self.folder())?;
        let recipe = crate::recipe::resolved(&self.chain[0].plan.recipe);
        write_bytes(&self.folder().recipe(), recipe.as_bytes())?;
        let mut resolution = resolve(&self.chain)?;
        let mut rows = Vec::new();
        for (stage, cause) in stages {
            let (id, Some(cause)) = (stage.id(), cause) else { break };
            let owner = resolution.owner(0, id);
            let folder = &self.chain[owner].folder;
            let reason = self.reason(stage, &resolution, cause)?;
            let skipped = reason.is_none();
            if let Some(reason) = reason {
                self.monitor.check()?;
                self.monitor.note(&format!("{id}: {reason}{}", self.place(owner)));
                let _lock = (owner > 0).then(|| lock_run(folder)).transpose()?;
                self.run_stage(stage, owner, cause, &resolution, &rows)?;
                resolution = resolve(&self.chain)?;
            } else {
                self.monitor.note(&format!("{id}: up to date, skipped"));
            }
            let seconds = State::read(folder)?.record_of(id).map_or(0.0, |record| record.seconds);
            rows.push(StageSummary { name: id.name().into(), seconds, skipped });
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

    /// What a note says of the run that owns a stage's output, where it is not the run asked for.
    fn place(&self, owner: usize) -> String {
        if owner > 0 { format!(", in {}", self.chain[owner].folder.root().display()) } else { String::new() }
    }

    /// Why `stage` is to run now; `None` where it is up to date.
    fn reason(&self, stage: &dyn Stage, resolution: &Resolution, cause: Cause) -> Result<Option<String>> {
        let owner = resolution.owner(0, stage.id());
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
