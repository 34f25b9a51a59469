//! `limbeck collection`: a search model of a collection of documents.

use std::path::{Path, PathBuf};

use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::assets::AssetStore;
use limbeck_data::collection::Collection;
use limbeck_encoder::Precision;
use limbeck_teacher::OnnxDevice;
use toml::{Table, Value};

use super::common::locate;
use super::print_hits::print_lists;
use super::run::{AskedRun, run_recipe};
use super::search::{Search, search};
use crate::error::Result;
use crate::measure::retrieval::unjudged::UnjudgedQueries;
use crate::models::{DEFAULT_RUNTIME, ModelOptions, Opener};
use crate::pipeline::{RunFolder, RunOptions};
use crate::recipe::{self, available_threads};
use crate::summary::Summary;

/// The recipe whose corpus, teacher and name the command fills in.
const RECIPE: &str = include_str!("../../pipelines/collection.toml");
const PLACE: &str = "pipelines/collection.toml";

#[derive(Args)]
#[command(
    after_help = "Examples:\n  limbeck collection corpus.jsonl --teacher hf:sentence-transformers/all-MiniLM-L6-v2 \
                  --to papers\n  limbeck collection beir/scifact --teacher all-MiniLM-L6-v2 --to scifact \
                  --set distil.epochs=4\n  limbeck search --model runs/papers \"how do cells divide\""
)]
pub(super) struct Arguments {
    /// The documents: a folder in BEIR's layout, a file (JSON lines, TSV, CSV, Parquet, text; compressed too), a folder
    /// of texts, or the URI of one
    corpus: String,

    /// The teacher: a model's folder, its ONNX file, or the URI of one
    #[arg(long, value_name = "T")]
    teacher: String,

    /// The name of the run, whose folder is runs/NAME
    #[arg(long, value_name = "NAME")]
    to: String,

    /// A student to go on from, in place of a new one: its folder, or the URI of one
    #[arg(long, value_name = "S")]
    student: Option<String>,

    /// Queries as users ask them, a line each, to measure search without labels; titles or sentences by default
    #[arg(long, value_name = "FILE")]
    queries: Option<PathBuf>,

    /// Dimensions of a lexical half beside the dense one, made of the collection's words; 256 is a good number
    #[arg(long, value_name = "N")]
    lexical: Option<usize>,

    /// General sentences to stand beside the documents, so that the student knows more ways of wording: a file, a
    /// folder or a URI
    #[arg(long, value_name = "URI")]
    general: Option<String>,

    /// The column or field with the documents' text
    #[arg(long, value_name = "NAME")]
    column: Option<String>,

    /// The column or field with the documents' titles
    #[arg(long, value_name = "NAME")]
    title: Option<String>,

    /// The encoding of the documents where it isn't UTF-8; several by commas are tried one after another
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,

    /// What the documents are to the teacher, such as document or passage: its prompt of that name stands before them
    #[arg(long, value_name = "NAME")]
    role: Option<String>,

    /// Put a value over the recipe's, as in distil.epochs=3
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,

    /// Show what would be done and why, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// The folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    let corpus = locate(&arguments.corpus.parse()?, monitor)?;
    let recipe = recipe::read_carried(RECIPE, Path::new(PLACE), &overrides(arguments, &corpus))?;
    let asked = AskedRun { recipe, path: Path::new(PLACE), runs: &arguments.runs, dry_run: arguments.dry_run };
    match run_recipe(asked, &RunOptions::default(), monitor)? {
        Some(run) => first_search(arguments, &run, monitor),
        None => Ok(()),
    }
}

/// Says which student is recommended, and searches for the first query.
fn first_search(arguments: &Arguments, run: &RunFolder, monitor: Monitor) -> Result<()> {
    if let Some(recommended) = Summary::read(&run.summary())?.recommended {
        say!("{:13} {}", "recommended", run.folded(&recommended, Precision::Int8).display());
    }
    let queries = match &arguments.queries {
        Some(file) => UnjudgedQueries::read(file)?,
        None if run.own_queries().is_file() => UnjudgedQueries::read_own(&run.own_queries())?,
        None => return Ok(()),
    };
    let Some(query) = queries.texts.first() else { return Ok(()) };
    say!();
    let quoted = shlex::try_quote(query).map_or_else(|_| format!("{query:?}"), Into::into);
    say!("limbeck search --model {} --hybrid {quoted}", run.root().display());
    say!();
    let store = AssetStore::of_user();
    let (threads, runtime) = (available_threads(), DEFAULT_RUNTIME.to_owned());
    let opener = Opener { store: &store, monitor, threads, runtime, device: OnnxDevice::Cpu };
    print_lists(&search(&Search::first(run, query.clone())?, &opener, &ModelOptions::default())?)
}

/// What the arguments put over the recipe, those of `--set` last.
fn overrides(arguments: &Arguments, corpus: &Path) -> Vec<String> {
    let text = |value: &str| Value::from(value).to_string();
    let path = |path: &Path| text(&path.to_string_lossy());
    let mut all = vec![
        format!("name={}", text(&arguments.to)),
        format!("teacher.source={}", text(&arguments.teacher)),
        format!("text.source={}", sources(arguments)),
    ];
    if let Some(student) = &arguments.student {
        // The shape comes with the student.
        all.push(format!("student={{ from = {} }}", text(student)));
    }
    if let Some(queries) = &arguments.queries {
        all.push(format!("evaluate.queries={}", path(queries)));
    }
    if let Some(lexical) = arguments.lexical {
        all.push(format!("student.lexical={lexical}"));
    }
    if Collection::open(corpus).is_ok() {
        // Somebody has judged which documents answer which queries.
        all.push(format!("evaluate.retrieval=[{}]", path(corpus)));
    }
    all.extend(arguments.overrides.iter().cloned());
    all
}

/// `text.source` of the recipe: the collection, and general sentences where they are named.
fn sources(arguments: &Arguments) -> Value {
    let general = arguments.general.as_deref().map(|uri| Table::from_iter([("uri".to_owned(), uri.into())]).into());
    [collection(arguments)].into_iter().chain(general).collect::<Vec<_>>().into()
}

/// The source that is the collection.
fn collection(arguments: &Arguments) -> Value {
    let mut source = Table::new();
    let mut set = |key: &str, value: Value| source.insert(key.into(), value);
    set("uri", arguments.corpus.as_str().into());
    let units = ["document", "passage", "sentence", "title", "span"];
    set("units", units.into_iter().collect::<Vec<_>>().into());
    let named = [
        ("column", &arguments.column),
        ("title", &arguments.title),
        ("encoding", &arguments.encoding),
        ("role", &arguments.role),
    ];
    for (key, value) in named {
        if let Some(value) = value {
            set(key, value.as_str().into());
        }
    }
    source.into()
}
