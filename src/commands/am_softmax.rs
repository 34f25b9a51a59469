use std::path::PathBuf;

use anyhow::Context as _;
use candle_core::Device;
use clap::Args;
use limbeck::measure::sts::DevSets;
use limbeck_data::cache::Cache;
use limbeck_student::am_softmax::{AmSoftmaxJob, Sentences, train};
use limbeck_student::contrast::unlearned;
use limbeck_student::folder::StudentFolder;
use limbeck_training::contrastive::Dev;

use super::common::{RecipeArguments, Session};
use super::guard::student_folder_to_fill;
use super::texts::distinct_texts;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  limbeck am-softmax --student runs/quickstart/student --input corpus.txt.gz --dev STSB.dev.tsv --to classes\n  \
                        limbeck am-softmax --student student --cache cache --to classes --set am_softmax.centres=teacher --set am_softmax.views=4"
)]
pub struct Arguments {
    /// The student's folder to start from
    #[arg(long, value_name = "DIR")]
    student: PathBuf,

    /// Forget its weights: begin with random ones
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

pub fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<()> {
    let recipe = arguments.recipe.read(&["am_softmax"], &[])?;
    let inputs = [Some(&arguments.student), arguments.cache.as_ref(), arguments.input.as_ref()];
    let _held = student_folder_to_fill(&arguments.to, inputs.into_iter().flatten())?;
    let settings = recipe.am_softmax;
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
        (None, input) => {
            let input = input.as_deref().context("--input or --cache is needed")?;
            let limit = settings.limit.unwrap_or(usize::MAX);
            texts = distinct_texts(input, None, None)?.take(limit).collect::<Result<Vec<_>, _>>()?;
            Sentences::Texts(&texts)
        }
    };
    let dev = DevSets::read(&arguments.dev, &session.interrupt)?;
    let job = AmSoftmaxJob {
        sentences,
        settings: &settings,
        dev: dev.as_ref().map(|dev| dev as &dyn Dev),
        folder: &arguments.to,
        metrics: arguments.to.join("metrics.jsonl"),
        stage: "am-softmax",
    };
    let summary = train(student, &job, limbeck_data::Monitor::new(session.progress, &session.interrupt))?;
    session.progress.note(&summary.to_string());
    say!("{}", arguments.to.display());
    Ok(())
}
