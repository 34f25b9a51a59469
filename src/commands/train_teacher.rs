//! `limbeck train-teacher`: the train-teacher stage on a model and examples named on the command line.

use std::path::PathBuf;

use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::assets::Uri;
use limbeck_teacher::{OnnxDevice, Pooler, TeacherFolder};

use super::common::{RecipeArguments, locate, print_path};
use super::overwrite_guard::lock_teacher_folder;
use super::training_examples::ExamplesArguments;
use crate::error::Result;
use crate::pipeline::stages::train_teacher::{ID, train_teacher_into};

#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck train-teacher --teacher ./bert --pooler cls-before-pooler \
                        --input corpus.txt.gz --dev STSB.dev.tsv --to teacher\n  \
                        limbeck train-teacher --teacher ./bert --examples triples.tsv --dev STSB.dev.tsv --to teacher \
                        --set train_teacher.simcse.epochs=3")]
pub(super) struct Arguments {
    /// The model to start from: a Hugging Face model folder or its URI
    #[arg(long, value_name = "M")]
    teacher: Uri,

    #[command(flatten)]
    examples: ExamplesArguments,

    /// How tokens are pooled: cls, cls-before-pooler, mean, first-last, last-two, max, mean-sqrt-len, weighted-mean or
    /// last-token; the model's own by default
    #[arg(long, value_name = "POOLER")]
    pooler: Option<Pooler>,

    /// Text put before every text; the model's own by default
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,

    /// The model's prompt of that name is put before every text
    #[arg(long, value_name = "NAME", conflicts_with = "prefix")]
    prompt: Option<String>,

    /// The trained model's folder
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    /// The device: cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: OnnxDevice,

    #[command(flatten)]
    recipe: RecipeArguments,
}

/// Keys of the section read here that an option of this command takes the place of.
const NOT_READ: [(&str, &str); 2] =
    [("train_teacher.dev", "here it is --dev"), ("train_teacher.examples", "here it is --examples")];

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    let section = arguments.recipe.read(&["train_teacher"], &NOT_READ)?.train_teacher.unwrap_or_default();
    let path = locate(&arguments.teacher, monitor)?;
    let _lock = lock_teacher_folder(&arguments.to, &path)?;
    let mut start = TeacherFolder::open(&path)?;
    if let Some(pooler) = arguments.pooler {
        start.set_pooler(pooler);
    }
    start.set_prefix(arguments.prefix.as_deref(), arguments.prompt.as_deref())?;
    let examples = arguments.examples.read(&section.columns, section.limit, ID, monitor)?;
    let dev = arguments.examples.dev_sets(monitor)?;
    let metrics = arguments.to.join("metrics.jsonl");
    let job = examples.job(&section.simcse, dev.as_ref(), &arguments.to, metrics, ID);
    train_teacher_into(&job, &start, &section.bert, arguments.device, monitor)?;
    print_path(&arguments.to)
}
