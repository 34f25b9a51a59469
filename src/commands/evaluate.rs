//! `limbeck evaluate`: the quality of models.

use std::path::{Path, PathBuf};

use crate::halves::{DenseEncoder, LexicalEncoder, TruncatedEncoder};
use crate::measure::fidelity::{Reference, note_few, sampled};
use crate::measure::set_names::set_names;
use crate::measure::shared_space::shared_space;
use crate::measure::sts::{StsSet, read_sets, sts};
use crate::measure::tasks::{TaskPaths, TaskSets};
use crate::measure::{NamedModel, word_order};
use clap::{ArgGroup, Args};
use limbeck_data::Monitor;
use limbeck_data::sts::StsColumns;
use limbeck_data::text::read_texts;
use limbeck_encoder::{Embeddings, Encoder};

use super::columns::sts_columns;
use super::common::{
    ModelArguments, Opened, check_dimension, is_teacher, locate_files, open_all, refuse_teacher_options,
};
use super::print_scores::{Agreement, Scored};
use crate::error::{Error, Result};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  limbeck evaluate --model runs/quickstart/student \
                  --sts STSB.test.tsv STS15.test.tsv --json\n  \
                  limbeck evaluate --model runs/quickstart/student --documents runs/quickstart/teacher \
                  --input texts.txt\n  \
                  limbeck evaluate --model runs/quickstart/student runs/quickstart/teacher --retrieval scifact\n  \
                  limbeck evaluate --model runs/quickstart/student --teacher runs/quickstart/teacher \
                  --fidelity tweets.txt",
    group = ArgGroup::new("tasks").args(["retrieval", "classification", "clustering"]).multiple(true),
    group = ArgGroup::new("followed").args(["fidelity", "word_order"]).multiple(true)
)]
pub(super) struct Arguments {
    /// A student, a teacher, a Model2Vec folder, or the URI of one; several are scored in turn
    #[arg(long, value_name = "M", required = true, num_args = 1..)]
    model: Vec<String>,

    /// Graded pairs, such as STS-B's and SICK's: .tsv, .csv, .jsonl, .json or .parquet, compressed too
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present_any = ["input", "followed", "tasks"])]
    sts: Vec<PathBuf>,

    /// Collections to search, folders in BEIR's layout: corpus, queries and judgements
    #[arg(long, value_name = "FOLDER", num_args = 1..)]
    retrieval: Vec<PathBuf>,

    /// Sets of classes, folders with train.tsv and test.tsv (columns text and label), or other formats
    #[arg(long, value_name = "FOLDER", num_args = 1..)]
    classification: Vec<PathBuf>,

    /// Sets to cluster, folders of the same kind, of which the test part is read
    #[arg(long, value_name = "FOLDER", num_args = 1..)]
    clustering: Vec<PathBuf>,

    /// The columns of --sts where their header doesn't tell: LEFT,RIGHT,SCORE
    #[arg(long, value_name = "NAMES", requires = "sts", value_parser = sts_columns)]
    columns: Option<StsColumns>,

    /// The model that embeds the documents while --model embeds the queries: a student's teacher
    #[arg(long, value_name = "M", conflicts_with = "dimension")]
    documents: Option<String>,

    /// Text for --documents, each one a query and a document; by default the sentences of --sts. With --retrieval the
    /// collection's documents are embedded by --documents too
    #[arg(long, value_name = "FILE", requires = "documents")]
    input: Option<PathBuf>,

    /// Texts on which to compare with --teacher, a kind of text a file; of many a sample of 10,000 is taken
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "teacher")]
    fidelity: Vec<PathBuf>,

    /// Pairs that `limbeck word-order` made
    #[arg(long, value_name = "FILE", requires = "teacher")]
    word_order: Option<PathBuf>,

    /// The model that --fidelity and --word-order compare with
    #[arg(long, value_name = "M", requires = "followed")]
    teacher: Option<String>,

    /// Text put before every text of --model, such as "query: "; a teacher's own by default
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,

    /// The prompt of --model that is put before every text, by its name, such as query
    #[arg(long, value_name = "NAME", conflicts_with = "prefix")]
    prompt: Option<String>,

    /// Text put before every text of --teacher and --documents; the model's own by default
    #[arg(long, value_name = "TEXT")]
    teacher_prefix: Option<String>,

    /// The prompt of --teacher and --documents that is put before every text, by its name, such as passage
    #[arg(long, value_name = "NAME", conflicts_with = "teacher_prefix")]
    teacher_prompt: Option<String>,

    /// Only the first N dimensions of every vector, or of its dense half
    #[arg(long, value_name = "N")]
    dimension: Option<usize>,

    /// Print JSON, an object a model
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    run: ModelArguments,
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    let tasks = Tasks::new(arguments, monitor)?;
    // The prefix given here is put before the text once, and stands in place of the model's own.
    let (prefix, own) = (arguments.prefix.as_deref().unwrap_or_default(), arguments.prefix.as_ref().map(|_| ""));
    let all =
        open_all(&arguments.model, &arguments.run, &arguments.run.options(own, arguments.prompt.as_deref()), monitor)?;
    let none_is_teacher = !all.iter().any(is_teacher);
    if !tasks.has_teacher && none_is_teacher {
        refuse_teacher_options(&arguments.run)?;
    }
    if arguments.prompt.is_some() && none_is_teacher {
        let what = "--prompt is for a teacher, and --model names none; for a student give the text itself by --prefix";
        return Err(Error::Usage(what.into()));
    }
    for mut opened in all {
        if let Some(dimension) = arguments.dimension {
            check_dimension(dimension, &opened)?;
            opened.encoder = Box::new(TruncatedEncoder { encoder: opened.encoder, dimension });
        }
        let model = NamedModel::new(&opened.name, &*opened.encoder).with_prefix(prefix);
        let scored = tasks.score(&model)?;
        match arguments.json {
            true => say!("{}", serde_json::json!(scored)),
            false => scored.print()?,
        }
    }
    Ok(())
}

/// What models are asked, and what those that they are compared with have answered.
struct Tasks<'a> {
    sets: Vec<StsSet>,
    tasks: TaskSets,
    /// The model that embeds the documents.
    documents: Option<Opened>,
    /// The texts of the space that it shares with another model.
    space_texts: Vec<String>,
    kinds: Vec<Kind>,
    /// Pairs in another order, and the teacher's similarities of them.
    order: Option<(Vec<word_order::ReorderedPair>, Vec<f64>)>,
    /// Whether a model that answered, or embeds the documents, is computed on the device.
    has_teacher: bool,
    monitor: Monitor<'a>,
}

impl<'a> Tasks<'a> {
    fn new(arguments: &Arguments, monitor: Monitor<'a>) -> Result<Self> {
        let sets = read_sets(&locate_files(&arguments.sts, monitor)?, &arguments.columns.clone().unwrap_or_default())?;
        // These have a prefix of their own: the other one is the students', or the queries'.
        let options = arguments.run.options(arguments.teacher_prefix.as_deref(), arguments.teacher_prompt.as_deref());
        let open = |name: &Option<String>| -> Result<Option<Opened>> {
            Ok(open_all(name.as_slice(), &arguments.run, &options, monitor)?.pop())
        };
        let documents = open(&arguments.documents)?;
        let has_texts = documents.is_some() && (arguments.input.is_some() || !sets.is_empty());
        let space_texts = if has_texts { texts_of(arguments, &sets)? } else { Vec::new() };
        if has_texts {
            note_few("shared space", space_texts.len(), monitor);
        }
        let paths = TaskPaths {
            retrieval: locate_files(&arguments.retrieval, monitor)?,
            classification: locate_files(&arguments.classification, monitor)?,
            clustering: locate_files(&arguments.clustering, monitor)?,
        };
        let tasks = TaskSets::open(&paths, monitor)?;
        let pairs = arguments.word_order.as_deref().map(word_order::read).transpose()?;
        let mut has_teacher = documents.as_ref().is_some_and(is_teacher);
        let (mut kinds, mut order) = (Vec::new(), None);
        if let Some(teacher) = open(&arguments.teacher)? {
            has_teacher |= is_teacher(&teacher);
            let teacher = NamedModel::new(&teacher.name, &*teacher.encoder);
            let named = arguments.fidelity.iter().zip(set_names(&arguments.fidelity)?);
            kinds = named.map(|(file, name)| Kind::new(file, name, &teacher, monitor)).collect::<Result<_>>()?;
            if let Some(pairs) = pairs {
                let similarities = word_order::similarities(&teacher, &pairs, monitor)?;
                order = Some((pairs, similarities));
            }
        }
        if (arguments.teacher_prefix.is_some() || arguments.teacher_prompt.is_some()) && !has_teacher {
            let what = "--teacher-prefix and --teacher-prompt are for a teacher, named by --teacher or --documents";
            return Err(Error::Usage(what.into()));
        }
        Ok(Self { sets, tasks, documents, space_texts, kinds, order, has_teacher, monitor })
    }

    fn score<'t>(&'t self, model: &NamedModel<'t>) -> Result<Scored<'t>> {
        let sts = (!self.sets.is_empty()).then(|| sts(model, &self.sets, self.monitor)).transpose()?;
        let documents = self.documents.as_ref();
        // The student's lexical half stands beside the documents' vectors too.
        let lexical = documents
            .zip(model.encoder.lexical())
            .map(|(documents, half)| LexicalEncoder { dense: &*documents.encoder, half });
        let documents = documents.map(|documents| {
            let encoder = lexical.as_ref().map_or(&*documents.encoder, |both| both as &dyn Encoder);
            NamedModel::new(&documents.name, encoder)
        });
        let space = documents.as_ref().filter(|_| !self.space_texts.is_empty()).map(|documents| {
            let texts: Vec<&str> = self.space_texts.iter().map(String::as_str).collect();
            shared_space(model, documents, &texts, self.monitor)
        });
        let space = space.transpose()?;
        let tasks = self.tasks.score(model, documents.as_ref(), self.monitor)?;
        // A teacher has no lexical half to compare with.
        let dense = DenseEncoder(model.encoder);
        let dense = NamedModel { encoder: &dense, ..*model };
        let agreement = |kind: &'t Kind| Ok((&*kind.name, kind.agreement(&dense, self.monitor)?));
        let kinds = self.kinds.iter().map(agreement).collect::<Result<_>>()?;
        let order = self.order.as_ref().map(|(pairs, followed)| {
            word_order::score(pairs, &word_order::similarities(&dense, pairs, self.monitor)?, followed)
        });
        let order = order.transpose()?;
        Ok(Scored { model: model.name, sts, tasks, space, kinds, order })
    }
}

/// The texts for the documents' model: those of --input, else the sentences of the sets.
fn texts_of(arguments: &Arguments, sets: &[StsSet]) -> Result<Vec<String>> {
    match &arguments.input {
        Some(path) => Ok(read_texts(path, None, None)?.collect::<limbeck_data::Result<_>>()?),
        None => Ok(sets.iter().flat_map(|set| set.pairs.left.iter().chain(&set.pairs.right)).cloned().collect()),
    }
}

/// A kind of text, and the teacher's vectors of it.
struct Kind {
    name: String,
    texts: Vec<String>,
    teacher: Reference,
}

impl Kind {
    fn new(file: &Path, name: String, teacher: &NamedModel<'_>, monitor: Monitor<'_>) -> Result<Self> {
        let texts = sampled(&read_texts(file, None, None)?.collect::<limbeck_data::Result<Vec<_>>>()?);
        note_few(&name, texts.len(), monitor);
        let teacher = Reference::new(encode(teacher, &texts, &name, monitor)?)?;
        Ok(Self { name, texts, teacher })
    }

    fn agreement(&self, model: &NamedModel<'_>, monitor: Monitor<'_>) -> Result<Agreement> {
        let vectors = encode(model, &self.texts, &self.name, monitor)?;
        Ok(Agreement { fidelity: self.teacher.compare(&vectors)?.agreement, texts: self.texts.len() })
    }
}

fn encode(model: &NamedModel<'_>, texts: &[String], what: &str, monitor: Monitor<'_>) -> Result<Embeddings> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    model.encode(&texts, what, monitor)
}
