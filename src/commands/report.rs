use std::path::PathBuf;

use clap::Args;
use limbeck::summary::{Summary, table};

use super::common::Session;

/// Show what runs came to: the table of each
#[derive(Args)]
#[command(after_help = "Example:\n  limbeck report runs/quickstart runs/english")]
pub struct Arguments {
    /// The runs' folders
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
}

pub fn run(arguments: &Arguments, _session: &Session) -> anyhow::Result<()> {
    for (at, run) in arguments.runs.iter().enumerate() {
        let path = if run.is_dir() { run.join("summary.json") } else { run.clone() };
        let summary = Summary::read(&path)?;
        if at > 0 {
            say!();
        }
        say!("{}\n{}", summary.name, table(&summary));
    }
    Ok(())
}
