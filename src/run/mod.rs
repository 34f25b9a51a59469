//! Running a recipe: its stages in order, those that are up to date skipped.
//!
//! ```text
//! fetch ─► text ─► train-teacher ─► export-teacher ─► vocabulary ─► embed ─► distil
//!       ─► baselines ─► export-student ─► evaluate ─► bench ─► report
//! ```
//!
//! In place of distil stand the methods that `student.methods` names, in its order: distil, simcse, am-softmax. Each goes on from
//! the student of the one before it; the last one's is the run's.
//!
//! A recipe laid over another (`base`) takes from the other's run each stage that is the same there, up to the student's
//! methods and the static controls; what isn't there yet is done there, for all that share it.
//!
//! Each stage has a fingerprint: a hash of its resolved settings and of the fingerprints of what it reads (of the text: the hash of its
//! files). It is up to date when `state.json` holds the same one and its outputs are there.

mod context;
mod evaluate;
mod learn;
mod measured;
mod methods;
mod report;
mod stage;
mod state;
mod teach;
mod train;
mod vocabulary;

pub use context::{Context, RunOptions};
pub use report::merge;
pub use stage::{Decision, Stage};

use std::path::Path;
use std::time::Instant;

use crate::error::{Error, Result};
use crate::hold::{Hold, hold};
use crate::summary::{StageSummary as StageRow, Summary};

use state::{Made, State};

/// What is to happen with each stage of the plan, without doing it. (A stage that is done may turn out to leave what it left before:
/// then those that read it are skipped after all.)
pub fn decide(context: &Context, options: &RunOptions) -> Result<Vec<(Stage, Decision)>> {
    check(context, options)?;
    let mut redo = false;
    let mut past = false;
    let mut decisions = Vec::new();
    for stage in context.stages() {
        redo |= options.from == Some(stage);
        let decision = match past {
            true => Decision::Left,
            false => reason(context, stage, redo)?.map_or(Decision::Skip, Decision::Run),
        };
        decisions.push((stage, decision));
        past |= options.to == Some(stage);
    }
    Ok(decisions)
}

/// Why `stage` is to be done now, given what was done before it; `None` where it is up to date.
fn reason(context: &Context, stage: Stage, redo: bool) -> Result<Option<String>> {
    let home = context.home(stage);
    let reason = State::read(&home.folder)?.reason(home, stage);
    Ok(reason.or_else(|| redo.then(|| "asked for by --from".into())))
}

/// Refuses stages that the recipe doesn't have.
fn check(context: &Context, options: &RunOptions) -> Result<()> {
    let stages = context.stages();
    if let Some(wanted) = [options.from, options.to].into_iter().flatten().find(|wanted| !stages.contains(wanted)) {
        return Err(Error::Stage { stage: wanted.name().into(), what: "is not in this recipe".into() });
    }
    let place = |wanted: Option<Stage>| stages.iter().position(|&stage| Some(stage) == wanted);
    if let (Some(from), Some(to), Some(stage)) = (place(options.from), place(options.to), options.to)
        && to < from
    {
        return Err(Error::Stage { stage: stage.name().into(), what: "comes before the stage to begin with".into() });
    }
    context.plan.check_files()
}

/// Runs the plan's stages and gives the summary, if the run has come to one.
pub fn run(context: &Context, options: &RunOptions) -> Result<Option<Summary>> {
    check(context, options)?;
    let _held = take(&context.folder)?;
    let recipe = crate::recipe::resolved(&context.plan.recipe);
    limbeck_data::files::write_bytes(&context.folder.join("recipe.toml"), recipe.as_bytes())?;
    let mut rows = Vec::new();
    let mut anew = false;
    for stage in context.stages() {
        anew |= options.from == Some(stage);
        let home = context.home(stage);
        match reason(context, stage, anew)? {
            Some(reason) => {
                context.interrupt.check()?;
                context.progress.note(&format!("{}: {reason}{}", stage.name(), context.place(stage)));
                let _held = (home.folder != context.folder).then(|| take(&home.folder)).transpose()?;
                let seconds = make(home, stage, anew, &rows)?;
                rows.push(StageRow { name: stage.name().into(), seconds, skipped: false });
            }
            None => {
                context.progress.note(&format!("{}: up to date, skipped", stage.name()));
                let seconds = State::read(&home.folder)?.seconds(stage);
                rows.push(StageRow { name: stage.name().into(), seconds, skipped: true });
            }
        }
        if options.to == Some(stage) {
            break;
        }
    }
    let path = context.folder.join("summary.json");
    if !path.is_file() || !rows.iter().any(|row| row.name == Stage::Report.name()) {
        return Ok(None);
    }
    let mut summary = Summary::read(&path)?;
    summary.stages = rows;
    summary.write(&path)?;
    Ok(Some(summary))
}

/// Does the stage in its run's folder, `anew` without going on from what is there, and notes it in the run's state; gives the seconds that it
/// took, with those before it was broken off.
fn make(home: &Context, stage: Stage, anew: bool, rows: &[StageRow]) -> Result<f64> {
    let begun = Instant::now();
    // From here on its files are neither the old ones nor yet the new ones.
    let mut state = State::read(&home.folder)?;
    let made = Made::from(home, stage);
    state.forget(stage);
    if anew {
        state.spent(stage, &made);
    }
    state.write(&home.folder)?;
    if anew {
        home.discard(stage)?;
    }
    let done = match home.do_stage(stage, rows) {
        // Left by other settings, or where another method's student was to lie: none to go on from.
        Err(error) if error.is_other_training() => {
            home.progress.note(&format!("{}: {error}; beginning anew", stage.name()));
            home.discard(stage)?;
            home.do_stage(stage, rows)
        }
        done => done,
    };
    let mut state = State::read(&home.folder)?;
    let seconds = begun.elapsed().as_secs_f64() + state.spent(stage, &made);
    if let Err(error) = done {
        if stage.goes_on() {
            state.spend(stage, &made, seconds);
            state.write(&home.folder)?;
        }
        return Err(error);
    }
    state.record(home, stage, made, seconds)?;
    state.write(&home.folder)?;
    Ok(seconds)
}

/// Makes a run's folder ready, and keeps a second process out of it for as long as it is held.
fn take(folder: &Path) -> Result<Hold> {
    let held = hold(folder)?;
    limbeck_data::files::remove_leftovers(folder)?;
    Ok(held)
}
