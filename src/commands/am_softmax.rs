//! `limbeck am-softmax`: the am-softmax stage on a student and sentences named on the command line.

use std::path::PathBuf;

use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::cache::Cache;
use limbeck_data::sts::StsColumns;
use limbeck_data::text::read_texts;
use limbeck_student::am_softmax::{AmSoftmaxJob, Sentences};
use limbeck_training::contrastive::Dev;

use super::columns::sts_columns;
use super::common::{RecipeArguments, locate_files, print_path};
use super::input::{LeftOutTexts, distinct};
use super::overwrite_guard::lock_student_folder;
use super::training_examples::StartArguments;
use crate::error::{Error, Result};
use crate::measure::sts::DevSets;
use crate::pipeline::stages::am_softmax::{ID, am_softmax_into};

#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck am-softmax --student runs/quickstart/student --input corpus.txt.gz \
                        --dev STSB.dev.tsv --to classes\n  \
                        limbeck am-softmax --student student --cache cache --to classes \
                        --set am_softmax.centres=teacher --set am_softmax.views=4")]
pub(super) struct Arguments {
    #[command(flatten)]
    start: StartArguments,

    /// Text: .txt, .md, .jsonl, .json, .tsv, .csv or .parquet, compressed too, or a folder of them
    #[arg(long, value_name = "TEXT", required_unless_present = "cache", conflicts_with = "cache")]
    input: Option<PathBuf>,

    /// A cache of embeddings: its texts are the classes, and its vectors may be their starting centres
    #[arg(long, value_name = "CACHE")]
    cache: Option<PathBuf>,

    /// STS files that the best weights are chosen by
    #[arg(long, value_name = "FILE", num_args = 1..)]
    dev: Vec<PathBuf>,

    /// The columns of --dev where their header doesn't tell: LEFT,RIGHT,SCORE
    #[arg(long, value_name = "NAMES", requires = "dev", value_parser = sts_columns)]
    dev_columns: Option<StsColumns>,

    /// The trained student's folder
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    #[command(flatten)]
    recipe: RecipeArguments,
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    let settings = arguments.recipe.read(&["am_softmax"], &[])?.am_softmax;
    let inputs = [Some(&arguments.start.student), arguments.cache.as_ref(), arguments.input.as_ref()];
    let _lock = lock_student_folder(&arguments.to, inputs.into_iter().flatten())?;
    let student = arguments.start.open(settings.seed)?;
    let (texts, cache);
    let sentences = match (&arguments.cache, &arguments.input) {
        (Some(path), _) => {
            cache = Cache::open(path)?;
            Sentences::Cache { cache: &cache, held_out: None }
        }
        (None, Some(input)) => {
            let limit = settings.limit.unwrap_or(usize::MAX);
            texts = distinct(read_texts(input, None, None)?, LeftOutTexts::default())
                .take(limit)
                .collect::<limbeck_data::Result<Vec<_>>>()?;
            Sentences::Texts(&texts)
        }
        (None, None) => return Err(Error::Usage("--input or --cache is needed".into())),
    };
    let dev = DevSets::read(
        &locate_files(&arguments.dev, monitor)?,
        &arguments.dev_columns.clone().unwrap_or_default(),
        monitor.interrupt,
    )?;
    let job = AmSoftmaxJob {
        sentences,
        settings: &settings,
        dev: dev.as_ref().map(|dev| dev as &dyn Dev),
        folder: &arguments.to,
        metrics: arguments.to.join("metrics.jsonl"),
        stage: ID.name(),
    };
    am_softmax_into(&job, student, monitor)?;
    print_path(&arguments.to)
}
