//! `limbeck report`: tables and the page of finished runs.

use std::path::{Path, PathBuf};

use crate::report::{self, curves, page};
use crate::summary::table;
use clap::Args;
use limbeck_data::files::write_bytes;

use super::common::print_path;
use super::overwrite_guard::{RUN_FILES, refuse_kept};
use crate::error::Result;

#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck report runs/quickstart\n  \
                        limbeck report runs/quickstart runs/english --to compared.html")]
pub(super) struct Arguments {
    /// The runs' folders
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,

    /// The page to write; report.html in the run's folder by default, of several runs in this one
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    // A run may be named by its summary too.
    let folder = |run: &PathBuf| match run.parent() {
        Some(parent) if run.is_file() => parent.to_path_buf(),
        _ => run.clone(),
    };
    let folders: Vec<PathBuf> = arguments.runs.iter().map(folder).collect();
    let runs = report::read_all(&folders)?;
    for run in &runs {
        say!("{}\n{}\n", run.name, table(&run.summary));
        for line in curves(&run.histories) {
            say!("{line}");
        }
        say!();
    }
    let to = arguments.to.clone().unwrap_or_else(|| match folders.as_slice() {
        [only] => only.join(report::FILE),
        _ => Path::new(report::FILE).to_path_buf(),
    });
    refuse_kept(&to, folders.iter().flat_map(|folder| RUN_FILES.map(|name| folder.join(name))))?;
    write_bytes(&to, page(&runs)?.as_bytes())?;
    print_path(&to)
}
