//! `limbeck table`: the students of several runs as one Markdown table.

use std::path::PathBuf;

use crate::summary::{Summary, compare};
use clap::Args;

use crate::error::{Error, Result};

#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck table runs/zh runs/zh-simcse-random\n  \
                        limbeck table docs/results/zh.json docs/results/zh-simcse-random.json")]
pub(super) struct Arguments {
    /// The runs' folders, or their summary.json
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let mut summaries = Vec::with_capacity(arguments.runs.len());
    for (at, run) in arguments.runs.iter().enumerate() {
        let place = |run: &PathBuf| run.canonicalize().unwrap_or_else(|_| run.clone());
        if arguments.runs[..at].iter().any(|other| place(other) == place(run)) {
            return Err(Error::Twice { path: run.clone() });
        }
        summaries.push(Summary::open(run)?);
    }
    say!("{}", compare::markdown(&summaries).trim_end());
    Ok(())
}
