//! `limbeck distil`: the distil stage on a cache named on the command line.

use std::path::{Path, PathBuf};

use candle_core::Device;
use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::assets::Uri;
use limbeck_data::cache::{Cache, Columns};
use limbeck_encoder::Tokenizer;
use limbeck_student::distil::{DistilJob, Targets};
use serde_json::{Map, json};

use super::common::{RecipeArguments, locate, print_path};
use super::overwrite_guard::lock_student_folder;
use crate::error::{Error, Result};
use crate::models::tokenizer_file;
use crate::pipeline::given_student::GivenStudent;
use crate::pipeline::stages::distil::{ID, distil_into, warn};
use crate::recipe::{Recipe, VocabularySource, check_given};

#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck distil --cache cache --to student\n  \
                        limbeck distil --cache vectors.parquet --tokenizer tokenizer.json --to student \
                        --set distil.epochs=3")]
pub(super) struct Arguments {
    /// The cache: a folder that `limbeck embed` made, or Parquet with a text and a vector column
    #[arg(long, value_name = "CACHE")]
    cache: PathBuf,

    /// A cache of text to measure fidelity on; by default some of the texts are held out
    #[arg(long, value_name = "CACHE")]
    held_out: Option<PathBuf>,

    /// A student's folder, or a run's, or its URI, to go on from in place of the static start; its shape and tokenizer
    /// are kept
    #[arg(long, value_name = "DIR", conflicts_with = "tokenizer")]
    student: Option<Uri>,

    /// The student's tokenizer.json or its URI; the cache's own by default
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<Uri>,

    /// Text column of a cache made elsewhere, where its type doesn't tell
    #[arg(long, value_name = "NAME")]
    text_column: Option<String>,

    /// Vector column of a cache made elsewhere, where its type doesn't tell
    #[arg(long, value_name = "NAME")]
    vector_column: Option<String>,

    /// The student's folder
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    #[command(flatten)]
    recipe: RecipeArguments,
}

/// Keys of the sections read here that have no effect in this command.
const NOT_READ: [(&str, &str); 2] = [
    ("student.methods", "this command distils"),
    ("student.vocabulary", "make one with `limbeck vocabulary` and name it with --tokenizer"),
];

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    let recipe = arguments.recipe.read(&["student", "distil"], &NOT_READ)?;
    let mut overridden = arguments.recipe.overridden();
    if let Some(key) = overridden.find(|key| arguments.student.is_some() && key.starts_with("student")) {
        return Err(Error::Usage(format!("--set {key}: with --student, its shape is kept")));
    }
    let given = given_student(arguments, &recipe, monitor)?;
    let inputs = [Some(&arguments.cache), arguments.held_out.as_ref(), given.as_ref().map(|given| &given.folder)];
    let _lock = lock_student_folder(&arguments.to, inputs.into_iter().flatten())?;
    let columns = Columns { text: arguments.text_column.clone(), vector: arguments.vector_column.clone() };
    let open = |path: &Path| Cache::open_columns(path, &columns);
    let (cache, held_out) = (open(&arguments.cache)?, arguments.held_out.as_deref().map(open).transpose()?);
    let student = given.as_ref().map(GivenStudent::open).transpose()?;
    if let Some(student) = student.as_ref().filter(|_| arguments.student.is_none()) {
        check_given(&recipe, &student.model.config)?;
    }
    let opened;
    let tokenizer = match (tokenizer_path(arguments, &recipe, monitor)?, &student) {
        (None, Some(student)) => &student.tokenizer,
        (named, _) => {
            let none = || Error::Usage("the cache has no tokenizer.json: name one with --tokenizer".into());
            opened = Tokenizer::from_file(&named.or_else(|| cache.tokenizer()).ok_or_else(none)?)?;
            &opened
        }
    };
    let max_tokens = student.as_ref().map_or(recipe.student.max_tokens, |student| student.model.config.max_tokens);
    let targets = Targets { cache: &cache, held_out: held_out.as_ref(), tokenizer, max_tokens };
    let config = match &student {
        Some(student) => student.model.config.clone(),
        None => recipe.student.config(targets.vocabulary(), targets.dimension()),
    };
    config.check()?;
    let job = DistilJob {
        targets,
        documents: None,
        config,
        settings: &recipe.distil,
        student: student.as_ref().map(|student| &student.model),
        folder: &arguments.to,
        metrics: arguments.to.join("metrics.jsonl"),
        stage: ID.name(),
        device: Device::Cpu,
    };
    warn(&job, monitor)?;
    distil_into(&job, Map::from_iter([("cache".into(), json!(arguments.cache))]), monitor)?;
    print_path(&arguments.to)
}

/// The student to go on from that the command line or the recipe names.
fn given_student(arguments: &Arguments, recipe: &Recipe, monitor: Monitor) -> Result<Option<GivenStudent>> {
    let in_recipe: Option<Uri> = recipe.student.from.as_deref().map(str::parse).transpose()?;
    let Some(uri) = arguments.student.as_ref().or(in_recipe.as_ref()) else { return Ok(None) };
    if arguments.tokenizer.is_some() {
        return Err(Error::Usage("--tokenizer: the student that student.from names has its own".into()));
    }
    GivenStudent::find(&locate(uri, monitor)?).map(Some)
}

/// The tokenizer that the command line or, for a new student, the recipe names.
fn tokenizer_path(arguments: &Arguments, recipe: &Recipe, monitor: Monitor) -> Result<Option<PathBuf>> {
    let in_recipe: Option<Uri> = recipe.student.tokenizer.as_deref().map(str::parse).transpose()?;
    let in_recipe = in_recipe.as_ref().filter(|_| arguments.student.is_none());
    match arguments.tokenizer.as_ref().or(in_recipe) {
        Some(uri) => Ok(Some(tokenizer_file(locate(uri, monitor)?))),
        None if recipe.student.vocabulary != VocabularySource::Teacher => {
            let what = "student.vocabulary is for `limbeck run`; make one with `limbeck vocabulary` and name it with \
                        --tokenizer";
            Err(Error::Usage(what.into()))
        }
        None => Ok(None),
    }
}
