use std::path::PathBuf;

use candle_core::Device;
use clap::Args;
use limbeck::measure::sts::DevSets;
use limbeck_student::contrast::{train, unlearned};
use limbeck_student::folder::StudentFolder;
use limbeck_training::contrastive::{Dev, Job};

use super::common::{RecipeArguments, Session};
use super::guard::student_folder_to_fill;
use super::material::MaterialArguments;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  limbeck simcse --student runs/quickstart/student --examples pairs.tsv --dev STSB.dev.tsv --to tuned\n  \
                        limbeck simcse --student runs/quickstart/student --random --input corpus.txt.gz --to direct --set train_student.dropout=0.2"
)]
pub struct Arguments {
    /// The student's folder to start from
    #[arg(long, value_name = "DIR")]
    student: PathBuf,

    /// Forget its weights: begin with random ones
    #[arg(long)]
    random: bool,

    #[command(flatten)]
    material: MaterialArguments,

    /// The trained student's folder
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    #[command(flatten)]
    recipe: RecipeArguments,
}

pub fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<()> {
    let recipe = arguments.recipe.read(
        &["train_student"],
        &[
            ("train_student.dev", "here it is --dev"),
            ("train_student.examples", "here it is --examples"),
            ("train_student.start", "here it is --student, and --random"),
        ],
    )?;
    let _held = student_folder_to_fill(&arguments.to, [&arguments.student])?;
    let section = recipe.train_student;
    let mut student = StudentFolder::open(&arguments.student, &Device::Cpu)?;
    if arguments.random {
        student = unlearned(student.model.config, student.tokenizer, section.simcse.seed)?;
    }
    let found = arguments.material.read(&section.columns, section.limit, session)?;
    let dev = DevSets::read(&arguments.material.dev, &session.interrupt)?;
    let job = Job {
        examples: found.view(),
        settings: &section.simcse,
        dev: dev.as_ref().map(|dev| dev as &dyn Dev),
        folder: &arguments.to,
        metrics: arguments.to.join("metrics.jsonl"),
        stage: "simcse",
    };
    let summary = train(student, &section.contrast(), &job, limbeck_data::Monitor::new(session.progress, &session.interrupt))?;
    session.progress.note(&summary.to_string());
    say!("{}", arguments.to.display());
    Ok(())
}
