//! `limbeck simcse`: the simcse stage on a student and examples named on the command line.

use std::path::PathBuf;

use candle_core::Device;
use clap::Args;
use limbeck_student::contrast::unlearned;
use limbeck_student::folder::StudentFolder;

use super::common::{RecipeArguments, Session};
use super::overwrite_guard::lock_student_folder;
use super::training_examples::ExamplesArguments;
use crate::error::Result;
use crate::pipeline::stages::simcse::{ID, simcse_into};
use crate::pipeline::training_examples::SimcseInput;

#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck simcse --student runs/quickstart/student --examples pairs.tsv \
                        --dev STSB.dev.tsv --to tuned\n  \
                        limbeck simcse --student runs/quickstart/student --random --input corpus.txt.gz --to direct \
                        --set train_student.dropout=0.2")]
pub(super) struct Arguments {
    /// The student's folder to start from
    #[arg(long, value_name = "DIR")]
    student: PathBuf,

    /// Keep its shape, and start from random weights
    #[arg(long)]
    random: bool,

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

pub(super) fn run(arguments: &Arguments, session: &Session) -> Result<()> {
    let section = arguments.recipe.read(&["train_student"], &NOT_READ)?.train_student;
    let _lock = lock_student_folder(&arguments.to, [&arguments.student])?;
    let mut student = StudentFolder::open(&arguments.student, &Device::Cpu)?;
    if arguments.random {
        student = unlearned(student.model.config, student.tokenizer, section.simcse.seed)?;
    }
    let input = SimcseInput {
        stage: ID,
        examples: &arguments.examples.read(&section.columns, section.limit, ID, session)?,
        settings: &section.simcse,
        dev: arguments.examples.dev.clone(),
        folder: &arguments.to,
        metrics: arguments.to.join("metrics.jsonl"),
    };
    simcse_into(&input, student, &section.contrast(), session.monitor)?;
    say!("{}", arguments.to.display());
    Ok(())
}
