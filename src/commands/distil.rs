use std::path::PathBuf;

use candle_core::Device;
use clap::Args;
use limbeck::model::tokenizer_file;
use limbeck_data::assets::Uri;
use limbeck_data::cache::{Cache, Columns};
use limbeck_encoder::Tokenizer;
use limbeck_student::distil::{DistilJob, Targets, distil, remove_checkpoints};
use limbeck_student::folder::StudentFolder;
use serde_json::json;

use super::Usage;
use super::common::{RecipeArguments, Session};
use super::guard::student_folder_to_fill;

#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck distil --cache cache --to student\n  \
                        limbeck distil --cache vectors.parquet --tokenizer tokenizer.json --to student --set distil.epochs=3")]
pub struct Arguments {
    /// The cache: a folder that `limbeck embed` made, or Parquet with a text and a vector column
    #[arg(long, value_name = "CACHE")]
    cache: PathBuf,

    /// A cache of text to measure fidelity on; by default some of the texts are held out
    #[arg(long, value_name = "CACHE")]
    held_out: Option<PathBuf>,

    /// A student's folder to go on from, in place of the static start; its shape and tokenizer are kept
    #[arg(long, value_name = "DIR", conflicts_with = "tokenizer")]
    student: Option<PathBuf>,

    /// The student's tokenizer.json or its URI; the cache's own by default
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<Uri>,

    /// Text and vector column of a cache made elsewhere, where they can't be told by type
    #[arg(long, value_name = "NAME")]
    text_column: Option<String>,
    #[arg(long, value_name = "NAME")]
    vector_column: Option<String>,

    /// The student's folder
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    #[command(flatten)]
    recipe: RecipeArguments,
}

/// Keys of the sections that this command reads which say nothing to it.
const NOT_READ: [(&str, &str); 2] = [
    ("student.methods", "this command distils"),
    ("student.vocabulary", "make one with `limbeck vocabulary` and name it with --tokenizer"),
];

pub fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<()> {
    let recipe = arguments.recipe.read(&["student", "distil"], &NOT_READ)?;
    if let Some(key) =
        arguments.recipe.overridden().find(|key| arguments.student.is_some() && key.starts_with("student"))
    {
        return Err(Usage(format!("--set {key}: with --student, its shape is kept")).into());
    }
    let inputs = [Some(&arguments.cache), arguments.held_out.as_ref(), arguments.student.as_ref()];
    let _held = student_folder_to_fill(&arguments.to, inputs.into_iter().flatten())?;
    let columns = Columns { text: arguments.text_column.clone(), vector: arguments.vector_column.clone() };
    let cache = Cache::open_columns(&arguments.cache, &columns)?;
    let held_out = arguments.held_out.as_deref().map(|path| Cache::open_columns(path, &columns)).transpose()?;
    let named = recipe.student.tokenizer.as_deref().map(str::parse).transpose()?;
    let named = arguments.tokenizer.as_ref().or(named.as_ref().filter(|_| arguments.student.is_none()));
    if named.is_none() && !recipe.student.vocabulary.is_teacher() {
        let what =
            "student.vocabulary is for `limbeck run`; make one with `limbeck vocabulary` and name it with --tokenizer";
        return Err(Usage(what.into()).into());
    }
    let before = arguments.student.as_deref().map(|path| StudentFolder::open(path, &Device::Cpu)).transpose()?;
    let (before, own) = before.map(|StudentFolder { model, tokenizer, .. }| (model, tokenizer)).unzip();
    let open = |path: PathBuf| Tokenizer::from_file(&tokenizer_file(path));
    let tokenizer = match (named, own, cache.tokenizer()) {
        (Some(uri), ..) => open(session.store()?.locate(uri, session.monitor())?)?,
        (None, Some(own), _) => own,
        (None, None, Some(path)) => open(path)?,
        _ => return Err(Usage("the cache has no tokenizer.json: name one with --tokenizer".into()).into()),
    };
    let shape = &recipe.student;
    let max_tokens = before.as_ref().map_or(shape.max_tokens, |student| student.config.max_tokens);
    let targets = Targets { cache: &cache, held_out: held_out.as_ref(), tokenizer: &tokenizer, max_tokens };
    let config = match &before {
        Some(student) => student.config.clone(),
        None => shape.config(targets.vocabulary(), targets.dimension()),
    };
    config.check()?;
    let job = DistilJob {
        targets,
        config,
        settings: &recipe.distil,
        student: before.as_ref(),
        folder: &arguments.to,
        metrics: arguments.to.join("metrics.jsonl"),
        stage: "distil",
        device: Device::Cpu,
    };
    let (model, summary) = distil(&job, limbeck_data::Monitor::new(session.progress, &session.interrupt))?;
    session.progress.note(&format!(
        "{} texts, {} steps; held-out cosine {:.4} at the start, {:.4} at step {}",
        summary.texts, summary.steps, summary.start, summary.best, summary.best_step
    ));
    let origin = json!({"cache": arguments.cache, "texts": summary.texts, "steps": summary.steps, "held_out_cosine": summary.best});
    StudentFolder { model, tokenizer, origin }.save(&arguments.to)?;
    remove_checkpoints(&arguments.to)?;
    say!("{}", arguments.to.display());
    Ok(())
}
