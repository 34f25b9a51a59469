//! `limbeck run`: the stages of a recipe.

use std::path::{Path, PathBuf};

use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::assets::AssetStore;

use super::common::set_threads;
use super::interrupted::{is_interruption, stopped};
use crate::error::{Error, Result};
use crate::pipeline::{Decision, Pipeline, PlannedRun, RunFolder, RunOptions, StageId, stages};
use crate::recipe::{self, Plan, Recipe};
use crate::summary::table;

#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck run pipelines/quickstart.toml\n  \
                        limbeck run mine.toml --set distil.epochs=3 --from distil")]
pub(super) struct Arguments {
    /// The recipe, a TOML file
    recipe: PathBuf,

    /// Put a value over the recipe's, as in distil.epochs=3
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,

    /// Redo this stage and all after it
    #[arg(long, value_name = "STAGE", value_parser = stage)]
    from: Option<StageId>,

    /// Stop after this stage
    #[arg(long, value_name = "STAGE", value_parser = stage)]
    to: Option<StageId>,

    /// Show what would be done and why, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// The folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
}

/// Parses a stage's name.
fn stage(name: &str) -> std::result::Result<StageId, String> {
    let ids = || stages::ALL.iter().map(|stage| stage.id());
    ids().find(|id| id.name() == name).ok_or_else(|| {
        let names: Vec<&str> = ids().map(StageId::name).collect();
        format!("there is no stage {name}; they are {}", names.join(", "))
    })
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    let recipe = recipe::read(&arguments.recipe, &arguments.overrides)?;
    let asked = AskedRun { recipe, path: &arguments.recipe, runs: &arguments.runs, dry_run: arguments.dry_run };
    run_recipe(asked, &RunOptions { from: arguments.from, to: arguments.to }, monitor)?;
    Ok(())
}

/// A recipe to run, and where.
pub(super) struct AskedRun<'a> {
    /// The recipe, with its overrides.
    pub(super) recipe: Recipe,
    /// Where it was read from.
    pub(super) path: &'a Path,
    /// The folder of all runs.
    pub(super) runs: &'a Path,
    /// Whether to show what would be done, and do nothing.
    pub(super) dry_run: bool,
}

/// Runs the recipe and prints its table; gives the folder of the run, where it has come to its end.
pub(super) fn run_recipe(asked: AskedRun, options: &RunOptions, monitor: Monitor) -> Result<Option<RunFolder>> {
    let chain = plan_chain(asked.recipe, asked.path, asked.runs)?;
    set_threads(Some(chain[0].plan.threads));
    let pipeline = Pipeline { chain, store: AssetStore::of_user(), monitor };
    if asked.dry_run {
        print_plan(&pipeline, options)?;
        return Ok(None);
    }
    match pipeline.run(options) {
        Ok(None) => Ok(None),
        Ok(Some(summary)) => {
            say!("{}", table(&summary));
            print_results(pipeline.folder())?;
            Ok(Some(pipeline.folder().clone()))
        }
        Err(error) => Err(interruption(error, &pipeline, options)),
    }
}

/// The run of `recipe`, which was read from `path`, then those of its bases, all with as many threads.
fn plan_chain(recipe: Recipe, path: &Path, runs: &Path) -> Result<Vec<PlannedRun>> {
    let (threads, mut chain) = (recipe.threads, Vec::new());
    let mut next = Some((path.to_path_buf(), recipe));
    while let Some((path, mut recipe)) = next {
        next = recipe.over.take().map(|base| (base.0, Recipe { threads, ..base.1 }));
        let plan = Plan::new(recipe, &path)?;
        let folder = RunFolder::new(runs.join(&plan.recipe.name));
        chain.push(PlannedRun { plan, folder });
    }
    Ok(chain)
}

fn print_plan(pipeline: &Pipeline, options: &RunOptions) -> Result<()> {
    say!("{}", pipeline.folder().root().display());
    let stages = pipeline.decide(options)?;
    for planned in &stages {
        let (stage, place) = (planned.stage.id(), &planned.place);
        match &planned.decision {
            Decision::Run(reason) => say!("  {stage:15} run: {reason}{place}"),
            Decision::Skip => say!("  {stage:15} skip: up to date{place}"),
            Decision::AfterEnd => say!("  {stage:15} left out by --to"),
        }
    }
    for line in pipeline.api_estimate(&stages)? {
        say!("{line}");
    }
    Ok(())
}

/// Prints the curves of a finished run, and where its results lie.
fn print_results(folder: &RunFolder) -> Result<()> {
    say!();
    for line in crate::report::curves(&crate::report::FinishedRun::read(folder.root())?.histories) {
        say!("{line}");
    }
    say!();
    for (what, path) in [
        ("student", folder.student()),
        ("folded", folder.exports()),
        ("report", folder.report()),
        ("figures", folder.summary()),
        ("training log", folder.metrics()),
        ("recipe", folder.recipe()),
    ] {
        say!("{what:13} {}", path.display());
    }
    Ok(())
}

/// Of an interruption: which stages are done, what the stage at work keeps, and the command that goes on.
fn interruption(error: Error, pipeline: &Pipeline, options: &RunOptions) -> Error {
    if !is_interruption(&error, pipeline.monitor.interrupt) {
        return error;
    }
    let Ok(planned) = pipeline.decide(&RunOptions { from: None, to: options.to }) else { return error };
    let done = planned.iter().filter(|planned| planned.decision == Decision::Skip);
    let done: Vec<&str> = done.map(|planned| planned.stage.id().name()).collect();
    let done = if done.is_empty() { "no stage".to_owned() } else { done.join(", ") };
    let at_work = planned.iter().find(|planned| matches!(planned.decision, Decision::Run(_)));
    let kept = match at_work.map(|planned| (planned.stage.id(), planned.stage.resumes())) {
        Some((stage, Some(kept))) => format!("kept are {done}, and of {stage} {kept}"),
        Some((stage, None)) => format!("kept are {done}; {stage} starts from nothing"),
        None => format!("kept are {done}"),
    };
    stopped(&error, &kept)
}
