//! `limbeck exclusion`: a list of the texts that must not be trained on.

use std::path::PathBuf;

use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::text::write_exclusion_list;

use super::common::print_path;
use crate::error::Result;
use crate::summary::format::thousands;

#[derive(Args)]
#[command(after_help = "Example:\n  limbeck exclusion beir/scifact STSB.test.tsv --to tests.hashes\n\nIn a \
                        recipe:\n  [text]\n  exclude = [\"tests.hashes\"]")]
pub(super) struct Arguments {
    /// What must not be trained on: folders in BEIR's layout, files of pairs, other text, lists
    #[arg(required = true, value_name = "TEXT")]
    inputs: Vec<PathBuf>,

    /// The list to write, FILE.hashes
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    let texts = write_exclusion_list(&arguments.inputs, &arguments.to)?;
    monitor.note(&format!("{} texts and sentences of texts", thousands(texts as f64)));
    print_path(&arguments.to)
}
