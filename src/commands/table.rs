use std::path::PathBuf;

use clap::Args;
use limbeck::summary::{Summary, compare};

use super::common::Session;

/// Print the students of several runs as one Markdown table
///
/// The teacher and the static controls stand once, as the first run that measured them has them. Runs whose names differ by
/// -seedN alone are one row: the mean and the standard deviation of their figures.
#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck table runs/zh runs/zh-simcse-random\n  \
                        limbeck table docs/results/zh.json docs/results/zh-simcse-random.json")]
pub struct Arguments {
    /// The runs' folders, or their summary.json
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
}

pub fn run(arguments: &Arguments, _session: &Session) -> anyhow::Result<()> {
    let read = |run: &PathBuf| {
        if run.is_dir() && !run.join("summary.json").is_file() {
            return Err(limbeck::Error::NoRun { path: run.clone() });
        }
        Summary::read(&if run.is_dir() { run.join("summary.json") } else { run.clone() })
    };
    let summaries: Vec<Summary> = arguments.runs.iter().map(read).collect::<Result<_, _>>()?;
    say!("{}", compare::markdown(&compare::rows(&summaries)).trim_end());
    Ok(())
}
