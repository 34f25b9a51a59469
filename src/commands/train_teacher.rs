use std::path::PathBuf;

use clap::Args;
use limbeck::measure::sts::DevSets;
use limbeck::model::candle_device;
use limbeck_data::assets::Uri;
use limbeck_teacher::train::train;
use limbeck_teacher::{OnnxDevice, Pooler, TeacherFolder};
use limbeck_training::contrastive::{Dev, Job};

use super::common::{RecipeArguments, Session};
use super::guard::teacher_folder_to_fill;
use super::material::MaterialArguments;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  limbeck train-teacher --teacher ./bert --pooler cls-before-pooler --input corpus.txt.gz --dev STSB.dev.tsv --to teacher\n  \
                        limbeck train-teacher --teacher ./bert --examples triples.tsv --dev STSB.dev.tsv --to teacher --set train_teacher.simcse.epochs=3"
)]
pub struct Arguments {
    /// The model to start from: a Hugging Face BERT folder or its URI
    #[arg(long, value_name = "M")]
    teacher: Uri,

    #[command(flatten)]
    material: MaterialArguments,

    /// How tokens are pooled: cls, cls-before-pooler, mean, first-last or last-two; the model's own by default
    #[arg(long, value_name = "POOLER")]
    pooler: Option<Pooler>,

    /// What is put before every text; the model's own by default
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,

    /// The trained model's folder
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    /// What computes: cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: OnnxDevice,

    #[command(flatten)]
    recipe: RecipeArguments,
}

pub fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<()> {
    let recipe = arguments.recipe.read(
        &["train_teacher"],
        &[("train_teacher.dev", "here it is --dev"), ("train_teacher.examples", "here it is --examples")],
    )?;
    let section = recipe.train_teacher.unwrap_or_default();
    let path = session.store()?.locate(&arguments.teacher, session.monitor())?;
    let _held = teacher_folder_to_fill(&arguments.to, &path)?;
    let mut start = TeacherFolder::open(&path)?;
    start.pooler = arguments.pooler.unwrap_or(start.pooler);
    start.prefix = arguments.prefix.clone().unwrap_or(start.prefix);

    let found = arguments.material.read(&section.columns, section.limit, session)?;
    let dev = DevSets::read(&arguments.material.dev, &session.interrupt)?;
    let job = Job {
        examples: found.view(),
        settings: &section.simcse,
        dev: dev.as_ref().map(|dev| dev as &dyn Dev),
        folder: &arguments.to,
        metrics: arguments.to.join("metrics.jsonl"),
        stage: "train-teacher",
    };
    let device = candle_device(arguments.device)?;
    let summary = train(&start, &section.bert, &job, &device, limbeck_data::Monitor::new(session.progress, &session.interrupt))?;
    session.progress.note(&summary.to_string());
    say!("{}", arguments.to.display());
    Ok(())
}
