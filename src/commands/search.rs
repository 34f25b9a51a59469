//! `limbeck search`: the documents of a collection that answer a query best.

use std::path::Path;

use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::assets::AssetStore;
use limbeck_data::cache::Cache;
use limbeck_data::collection::DocumentColumns;
use limbeck_encoder::{Precision, SearchSide};

use super::common::{ModelArguments, Opened, is_teacher};
use super::print_hits::{FoundList, print_json, print_lists};
use crate::error::{Error, Result};
use crate::measure::NamedModel;
use crate::models::{ModelOptions, Opener};
use crate::pipeline::RunFolder;
use crate::search::{CachedScores, Corpus, DocumentScorer, ModelScores, best, fused_best, hits, scores, word_scores};
use crate::summary::Summary;

#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck search --model runs/papers \"how do cells divide\"\n  \
                  limbeck search --model runs/papers --hybrid --teacher \"how do cells divide\"\n  \
                  limbeck search --model student.int8.limbeck --input corpus.jsonl.gz --json \"how do cells divide\"")]
pub(super) struct Arguments {
    /// What to search for
    query: String,

    /// A student, a static model, or the folder of a run, whose recommended student then searches its collection
    #[arg(long, value_name = "M")]
    model: String,

    /// The documents: a folder in BEIR's layout, a file, a folder of texts, or the URI of one; a run's own by default
    #[arg(long, value_name = "CORPUS")]
    input: Option<String>,

    /// Fuse the model's ranks with BM25's, and show both beside them
    #[arg(long)]
    hybrid: bool,

    /// Show what the run's teacher finds beside it, over the vectors in the run's cache
    #[arg(long)]
    teacher: bool,

    /// How many documents to show
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,

    /// The column or field of --input with the documents' text
    #[arg(long, value_name = "NAME", requires = "input")]
    column: Option<String>,

    /// The column or field of --input with the documents' titles
    #[arg(long, value_name = "NAME", requires = "input")]
    title: Option<String>,

    /// Print JSON, an object a list of documents
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    run: ModelArguments,
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    if arguments.query.trim().is_empty() {
        return Err(Error::Usage("the query is empty".into()));
    }
    let store = AssetStore::of_user();
    let opener = arguments.run.opener(&store, monitor);
    let lists = search(&Search::of(arguments)?, &opener, &arguments.run.options(None, None))?;
    if arguments.json { print_json(&lists) } else { print_lists(&lists) }
}

/// A search: what, by which models, and where.
pub(super) struct Search {
    query: String,
    /// The model's name for people, and its path.
    model: (String, String),
    /// The run whose teacher searches beside it.
    teacher: Option<RunFolder>,
    corpus: CorpusName,
    hybrid: bool,
    top: usize,
}

enum CorpusName {
    Named(String, DocumentColumns),
    Local(Corpus),
}

impl Search {
    fn of(arguments: &Arguments) -> Result<Self> {
        let folder = Path::new(&arguments.model);
        let run = is_run(folder).then(|| RunFolder::new(folder.to_owned()));
        let model = match &run {
            Some(run) => recommended(run)?,
            None => (arguments.model.clone(), arguments.model.clone()),
        };
        let columns =
            DocumentColumns { text: arguments.column.clone(), title: arguments.title.clone(), ..Default::default() };
        let corpus = match (&arguments.input, &run) {
            (Some(input), _) => CorpusName::Named(input.clone(), columns),
            (None, Some(run)) if run.collection().is_file() => CorpusName::Local(Corpus::new(&run.collection())),
            (None, _) => {
                let what = "--input is missing: only a run of a collection has documents of its own";
                return Err(Error::Usage(what.into()));
            }
        };
        let teacher = match (arguments.teacher, run) {
            (false, _) => None,
            (true, Some(run)) => Some(run),
            (true, None) => {
                let what = "--teacher is for the folder of a run, whose cache holds the teacher's vectors";
                return Err(Error::Usage(what.into()));
            }
        };
        let (query, hybrid, top) = (arguments.query.clone(), arguments.hybrid, arguments.top.max(1));
        Ok(Self { query, model, teacher, corpus, hybrid, top })
    }

    /// The first search of a finished run of a collection: by its recommended student, and by words.
    pub(super) fn first(run: &RunFolder, query: String) -> Result<Self> {
        let (model, corpus) = (recommended(run)?, CorpusName::Local(Corpus::new(&run.collection())));
        Ok(Self { query, model, teacher: None, corpus, hybrid: true, top: 5 })
    }
}

/// Whether the folder is that of a run.
fn is_run(folder: &Path) -> bool {
    folder.join("recipe.toml").is_file() && folder.join("state.json").is_file()
}

/// The name and the folded file of the student that a run recommends, its student where it recommends none; with a
/// lexical half where the run made one.
fn recommended(run: &RunFolder) -> Result<(String, String)> {
    let summary = run.summary().is_file().then(|| Summary::read(&run.summary())).transpose()?;
    let name = summary.and_then(|summary| summary.recommended).unwrap_or_else(|| "student".into());
    let lexical = format!("{}-lexical", name.trim_end_matches("-trained"));
    let files = [lexical, name].map(|name| (run.folded(&name, Precision::Int8), name));
    let found = files.into_iter().find(|(file, _)| file.is_file());
    let (file, name) = found.ok_or_else(|| Error::NoRun { path: run.root().to_owned() })?;
    Ok((name, file.to_string_lossy().into_owned()))
}

/// Runs the search and gives a list of documents a way of searching.
pub(super) fn search(asked: &Search, opener: &Opener, options: &ModelOptions) -> Result<Vec<FoundList>> {
    let monitor = opener.monitor;
    let corpus = match &asked.corpus {
        CorpusName::Local(corpus) => corpus.clone(),
        CorpusName::Named(name, columns) => {
            Corpus { path: opener.store.locate(&name.parse()?, monitor)?, columns: columns.clone() }
        }
    };
    let model = Opened { name: asked.model.0.clone(), encoder: opener.open(&asked.model.1, options)? };
    if is_teacher(&model) {
        let what = "--model names a teacher, which would embed every document for one query: name the folder of a \
                    run and --teacher, and the vectors in its cache serve";
        return Err(Error::Usage(what.into()));
    }
    let mut names = vec![model.name.clone()];
    let named = NamedModel::new(&model.name, &*model.encoder);
    let mut scorers: Vec<Box<dyn DocumentScorer>> = vec![Box::new(ModelScores::new(named, &asked.query)?)];
    if let Some(run) = &asked.teacher {
        names.push("teacher".into());
        scorers.push(Box::new(teacher_scores(run, &asked.query, opener, options)?));
    }
    let dense = scores(&corpus, &scorers, monitor)?;
    let words = if asked.hybrid { Some(word_scores(&corpus, &asked.query, monitor)?) } else { None };
    let mut lists: Vec<(String, Vec<(usize, f32)>)> = Vec::new();
    for (name, dense) in names.into_iter().zip(&dense) {
        let without = dense.iter().filter(|score| score.is_none()).count();
        if without > 0 {
            let of = dense.len();
            monitor
                .note(&format!("{name}: {without} of {of} documents are left out, since no vector of them is there"));
        }
        if let Some(words) = &words {
            lists.push((format!("{name} with BM25"), fused_best(dense, words, asked.top)));
        }
        lists.push((name, best(dense, asked.top)));
    }
    if let Some(words) = &words {
        let matched: Vec<Option<f32>> = words.iter().map(|&score| Some(score).filter(|score| *score > 0.0)).collect();
        lists.push(("BM25".into(), best(&matched, asked.top)));
    }
    let (names, places): (Vec<String>, Vec<Vec<(usize, f32)>>) = lists.into_iter().unzip();
    let hits = hits(&corpus, &places)?;
    Ok(names.into_iter().zip(hits).map(|(search, documents)| FoundList { search, documents }).collect())
}

/// The scores of a run's teacher, by the vectors in the run's caches: only the query goes through the teacher.
fn teacher_scores(run: &RunFolder, query: &str, opener: &Opener, options: &ModelOptions) -> Result<CachedScores> {
    let monitor = opener.monitor;
    let recipe = crate::recipe::read(&run.recipe(), &[])?;
    let precision = recipe.teacher.map_or(Precision::F32, |teacher| teacher.precision);
    let file = run.teacher_onnx(precision);
    let options = ModelOptions { precision: None, ..options.clone() };
    let teacher = opener.open(&file.to_string_lossy(), &options)?;
    let query =
        NamedModel::new("teacher", &*teacher).on_side(SearchSide::Query).encode(&[query], "the query", monitor)?;
    let mut caches = Vec::new();
    for folder in [run.train_cache(), run.held_out_cache()] {
        caches.push(Cache::open(&folder)?);
    }
    CachedScores::new(&caches, query.row(0), monitor)
}
