//! `limbeck am-softmax`: the am-softmax stage on a student and sentences named on the command line.

use std::path::PathBuf;

use candle_core::Device;
use clap::Args;
use limbeck_data::cache::Cache;
use limbeck_student::am_softmax::Sentences;
use limbeck_student::contrast::unlearned;
use limbeck_student::folder::StudentFolder;

use super::common::{RecipeArguments, Session};
use super::input::distinct_texts;
use super::overwrite_guard::lock_student_folder;
use crate::error::{Error, Result};
use crate::pipeline::stages::am_softmax::{AmSoftmaxInput, am_softmax_into};

#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck am-softmax --student runs/quickstart/student --input corpus.txt.gz \
                        --dev STSB.dev.tsv --to classes\n  \
                        limbeck am-softmax --student student --cache cache --to classes \
                        --set am_softmax.centres=teacher --set am_softmax.views=4")]
pub(super) struct Arguments {
    /// The student's folder to start from
    #[arg(long, value_name = "DIR")]
    student: PathBuf,

    /// Keep its shape, and start from random weights
    #[arg(long)]
    random: bool,

    /// Text: .txt, .jsonl, .tsv, .csv or .parquet, gzip too, or a folder of them
    #[arg(long, value_name = "TEXT", required_unless_present = "cache", conflicts_with = "cache")]
    input: Option<PathBuf>,

    /// A cache of embeddings: its texts are the classes, and its vectors may be their starting centres
    #[arg(long, value_name = "CACHE")]
    cache: Option<PathBuf>,

    /// STS files that the best weights are chosen by
    #[arg(long, value_name = "FILE", num_args = 1..)]
    dev: Vec<PathBuf>,

    /// The trained student's folder
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    #[command(flatten)]
    recipe: RecipeArguments,
}

pub(super) fn run(arguments: &Arguments, session: &Session) -> Result<()> {
    let settings = arguments.recipe.read(&["am_softmax"], &[])?.am_softmax;
    let inputs = [Some(&arguments.student), arguments.cache.as_ref(), arguments.input.as_ref()];
    let _lock = lock_student_folder(&arguments.to, inputs.into_iter().flatten())?;
    let mut student = StudentFolder::open(&arguments.student, &Device::Cpu)?;
    if arguments.random {
        student = unlearned(student.model.config, student.tokenizer, settings.seed)?;
    }
    let (texts, cache);
    let sentences = match (&arguments.cache, &arguments.input) {
        (Some(path), _) => {
            cache = Cache::open(path)?;
            Sentences::Cache { cache: &cache, held_out: None }
        }
        (None, Some(input)) => {
            let limit = settings.limit.unwrap_or(usize::MAX);
            texts = distinct_texts(input, None, None)?.take(limit).collect::<limbeck_data::Result<Vec<_>>>()?;
            Sentences::Texts(&texts)
        }
        (None, None) => return Err(Error::Usage("--input or --cache is needed".into())),
    };
    let input = AmSoftmaxInput {
        sentences,
        settings: &settings,
        dev: arguments.dev.clone(),
        folder: &arguments.to,
        metrics: arguments.to.join("metrics.jsonl"),
    };
    am_softmax_into(input, student, session.monitor)?;
    say!("{}", arguments.to.display());
    Ok(())
}
