//! `limbeck simcse`: the simcse stage on a student and examples named on the command line.

use std::path::PathBuf;

use clap::Args;
use limbeck_data::Monitor;

use super::common::{RecipeArguments, print_path};
use super::overwrite_guard::lock_student_folder;
use super::training_examples::{ExamplesArguments, StartArguments};
use crate::error::Result;
use crate::pipeline::stages::simcse::{ID, simcse_into};

#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck simcse --student runs/quickstart/student --examples pairs.tsv \
                        --dev STSB.dev.tsv --to tuned\n  \
                        limbeck simcse --student runs/quickstart/student --random --input corpus.txt.gz --to direct \
                        --set train_student.dropout=0.2")]
pub(super) struct Arguments {
    #[command(flatten)]
    start: StartArguments,

    #[command(flatten)]
    examples: ExamplesArguments,

    /// The trained student's folder
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    #[command(flatten)]
    recipe: RecipeArguments,
}

/// Keys of the section read here that an option of this command takes the place of.
const NOT_READ: [(&str, &str); 3] = [
    ("train_student.dev", "here it is --dev"),
    ("train_student.examples", "here it is --examples"),
    ("train_student.start", "here it is --student, and --random"),
];

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    let section = arguments.recipe.read(&["train_student"], &NOT_READ)?.train_student;
    let _lock = lock_student_folder(&arguments.to, [&arguments.start.student])?;
    let student = arguments.start.open(section.simcse.seed)?;
    let examples = arguments.examples.read(&section.columns, section.limit, ID, monitor)?;
    let dev = arguments.examples.dev_sets(monitor)?;
    let metrics = arguments.to.join("metrics.jsonl");
    let job = examples.job(&section.simcse, dev.as_ref(), &arguments.to, metrics, ID);
    simcse_into(&job, student, &section.contrast(), monitor)?;
    print_path(&arguments.to)
}
