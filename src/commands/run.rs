use std::path::{Path, PathBuf};

use clap::Args;
use limbeck::recipe::{self, Plan, Recipe};
use limbeck::run::{Context, Decision, RunOptions, Stage, decide};
use limbeck::summary::table;

use super::common::{Session, set_threads};
use super::stopped::{Stopped, command_line, given, is_interrupted};

#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck run pipelines/quickstart.toml\n  \
                        limbeck run mine.toml --set distil.epochs=3 --from distil")]
pub struct Arguments {
    /// The recipe, a TOML file
    recipe: PathBuf,

    /// Put a value over the recipe's, as in distil.epochs=3
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,

    /// Redo this stage and all after it
    #[arg(long, value_name = "STAGE")]
    from: Option<Stage>,

    /// Stop after this stage
    #[arg(long, value_name = "STAGE")]
    to: Option<Stage>,

    /// Show what would be done and why, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// The folder that runs lie in
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
}

pub fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<()> {
    let recipe = recipe::read(&arguments.recipe, &arguments.overrides)?;
    let context = context(recipe, &arguments.recipe, &arguments.runs, session)?;
    set_threads(context.plan.threads);
    let options = RunOptions { from: arguments.from, to: arguments.to };
    if arguments.dry_run {
        say!("{}", context.folder.display());
        for (stage, decision) in decide(&context, &options)? {
            match decision {
                Decision::Run(reason) => say!("  {:15} run: {reason}{}", stage.name(), context.place(stage)),
                Decision::Skip => say!("  {:15} skip: up to date{}", stage.name(), context.place(stage)),
                Decision::Left => say!("  {:15} left out by --to", stage.name()),
            }
        }
        return Ok(());
    }
    let done = limbeck::run::run(&context, &options).map_err(|error| stopped(error.into(), &context, &options));
    if let Some(summary) = done? {
        say!("{}", table(&summary));
        say!();
        for line in limbeck::report::curves(&limbeck::report::FinishedRun::read(&context.folder)?.histories) {
            say!("{line}");
        }
        say!();
        for (what, name) in [
            ("student", "student"),
            ("folded", "exports"),
            ("report", limbeck::report::FILE),
            ("figures", "summary.json"),
            ("training log", "metrics.jsonl"),
            ("recipe", "recipe.toml"),
        ] {
            say!("{what:13} {}", context.folder.join(name).display());
        }
    }
    Ok(())
}

/// The run of `recipe`, which was read from `path`, and those of the recipes that it is laid over, with as many threads.
fn context<'a>(mut recipe: Recipe, path: &Path, runs: &Path, session: &Session<'a>) -> anyhow::Result<Context<'a>> {
    let threads = recipe.threads;
    let base =
        recipe.over.take().map(|base| context(Recipe { threads, ..base.1 }, &base.0, runs, session).map(Box::new));
    let base = base.transpose()?;
    let plan = Plan::new(recipe, path)?;
    Ok(Context {
        folder: runs.join(&plan.recipe.name),
        store: session.store()?,
        progress: session.progress,
        interrupt: session.interrupt.clone(),
        plan,
        base,
    })
}

/// Of an interruption: which stages are done, what the one at work keeps, and the command that goes on.
fn stopped(error: anyhow::Error, context: &Context, options: &RunOptions) -> anyhow::Error {
    if !is_interrupted(&error, &context.interrupt) {
        return error;
    }
    let Ok(decisions) = decide(context, &RunOptions { from: None, to: options.to }) else { return error };
    let of = |wanted: fn(&Decision) -> bool| {
        decisions.iter().filter(move |(_, decision)| wanted(decision)).map(|(stage, _)| stage.name())
    };
    let done: Vec<&str> = of(|decision| *decision == Decision::Skip).collect();
    let done = if done.is_empty() { "no stage".to_owned() } else { done.join(", ") };
    let at_work = of(|decision| matches!(decision, Decision::Run(_))).next().unwrap_or("report");
    let kept = match at_work {
        "fetch" => format!("kept are {done}, and of fetch what came whole"),
        "embed" => format!("kept are {done}, and of embed the finished shards"),
        "distil" | "simcse" | "am-softmax" | "baselines" | "train-teacher" => {
            format!("kept are {done}, and of {at_work} the last checkpoint")
        }
        _ => format!("kept are {done}; {at_work} begins anew"),
    };
    // With --from the stage would be thrown away and begun anew.
    Stopped::new(&error, &kept, &command_line(given(), &["--from"])).into()
}
