use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use limbeck::evaluate::fidelity::{fidelity, sampled};
use limbeck::evaluate::one_space::one_space;
use limbeck::evaluate::sts::{read_sets, sts};
use limbeck::evaluate::{Model, Watch, word_order};
use limbeck::summary::Fidelity;
use limbeck::vectors::Shortened;
use limbeck_data::text::read_texts;
use limbeck_encoder::Embeddings;
use serde_json::{Map, Value};

use super::common::{ModelArguments, Session, check_dimension, open_all};

/// Score models on graded sentence pairs, in one space with another model, on fidelity to a teacher and on word order
///
/// On graded pairs: Spearman and Pearson × 100. With --documents: the share of that model's ten nearest neighbours that the
/// queries of the others find in its index. With --fidelity: agreement with the teacher on a text, which should be none that was
/// trained on: mean cosine, the Spearman of pair similarities, and the share of the teacher's ten nearest neighbours found. With --word-order: the Spearman of their similarities with the teacher's, over
/// pairs of a sentence and the same words in another order.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  limbeck evaluate --model runs/quickstart/student --sts STSB.test.tsv STS15.test.tsv --json\n  \
                  limbeck evaluate --model runs/quickstart/student --documents runs/quickstart/teacher --input texts.txt\n  \
                  limbeck evaluate --model runs/quickstart/student --teacher runs/quickstart/teacher --fidelity tweets.txt",
    group = ArgGroup::new("followed").args(["fidelity", "word_order"]).multiple(true)
)]
pub struct Arguments {
    /// A student, a teacher, a Model2Vec folder, or the URI of one; several are scored in turn
    #[arg(long, value_name = "M", required = true, num_args = 1..)]
    model: Vec<String>,

    /// TSV files with the header `sentence1 sentence2 score`, gzip too
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present_any = ["input", "followed"])]
    sts: Vec<PathBuf>,

    /// The model that embeds the documents, while --model embeds the queries: a student's teacher
    #[arg(long, value_name = "M", conflicts_with = "dimension")]
    documents: Option<String>,

    /// Text for --documents, each one a query and a document; the sentences of --sts by default
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

    /// What is put before every text, such as "query: "; a teacher's own by default
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,

    /// Only the first N numbers of every vector
    #[arg(long, value_name = "N")]
    dimension: Option<usize>,

    /// Print JSON, an object a model
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    run: ModelArguments,
}

pub fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<()> {
    let sets = read_sets(&arguments.sts)?;
    let prefix = arguments.prefix.as_deref().unwrap_or_default();
    // The prefix given here is put before the text once, and stands in place of the model's own.
    let own = arguments.prefix.as_ref().map(|_| "");
    let watch = Watch { progress: session.progress, interrupt: &session.interrupt };
    // The documents' model has its own prefix: the one given is the queries'.
    let documents = open_all(arguments.documents.as_slice(), &arguments.run, None, session)?;
    let order = arguments.word_order.as_deref().map(word_order::read).transpose()?;
    let mut followed = None;
    let mut kinds = Vec::new();
    for teacher in open_all(arguments.teacher.as_slice(), &arguments.run, None, session)? {
        let model = Model::new(&teacher.name, &*teacher.encoder);
        if let Some(pairs) = &order {
            followed = Some(word_order::similarities(&model, pairs, watch)?);
        }
        for file in &arguments.fidelity {
            kinds.push(Kind::new(file, &model, watch)?);
        }
    }
    let texts: Vec<String> = match &arguments.input {
        Some(path) => read_texts(path, None, None)?.collect::<Result<_, _>>()?,
        None => sets.iter().flat_map(|set| set.pairs.left.iter().chain(&set.pairs.right)).cloned().collect(),
    };
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for mut opened in open_all(&arguments.model, &arguments.run, own, session)? {
        if let Some(dimension) = arguments.dimension {
            check_dimension(dimension, &opened)?;
            opened.encoder = Box::new(Shortened { encoder: opened.encoder, dimension });
        }
        let model = Model::new(&opened.name, &*opened.encoder).with_prefix(prefix);
        let scores = if sets.is_empty() { None } else { Some(sts(&model, &sets, watch)?) };
        let space = match documents.first() {
            Some(documents) => {
                let documents = Model::new(&documents.name, &*documents.encoder);
                Some(one_space(&model, &documents, &texts, watch)?)
            }
            None => None,
        };
        let agreement: Vec<_> = kinds.iter().map(|kind| kind.agreement(&model, watch)).collect::<Result<_, _>>()?;
        let order = match (&order, &followed) {
            (Some(pairs), Some(followed)) => {
                let own = word_order::similarities(&model, pairs, watch)?;
                Some(word_order::score(pairs, &own, followed)?)
            }
            _ => None,
        };
        if arguments.json {
            let mut json = Map::from_iter([("model".to_owned(), Value::from(opened.name))]);
            if let Some(Value::Object(scores)) = scores.map(serde_json::to_value).transpose()? {
                json.extend(scores);
            }
            if let Some(space) = space {
                json.insert("one_space".into(), serde_json::to_value(space)?);
            }
            if !kinds.is_empty() {
                let figures = kinds.iter().zip(&agreement).map(|(kind, agreement)| {
                    let mut figures = serde_json::to_value(agreement)?;
                    figures["texts"] = kind.texts.len().into();
                    Ok((kind.name.clone(), figures))
                });
                json.insert("fidelity".into(), Value::Object(figures.collect::<serde_json::Result<_>>()?));
            }
            if let Some(order) = order {
                json.insert("word_order".into(), serde_json::to_value(order)?);
            }
            say!("{}", Value::Object(json));
            continue;
        }
        say!("{}", opened.name);
        if let Some(scores) = scores {
            for (set, score) in &scores.scores {
                say!("  {set:20} {:6.2}  (Pearson {:.2}, {} pairs)", score.spearman, score.pearson, score.pairs);
            }
            say!("  {:20} {:6.2}", "average", scores.average);
            for (what, figure) in [("alignment", scores.alignment), ("uniformity", scores.uniformity)] {
                if let Some(figure) = figure {
                    say!("  {what:20} {figure:6.3}");
                }
            }
        }
        if let Some(space) = space {
            let (found, own) = (100.0 * space.neighbours_at_10, 100.0 * space.own_neighbours_at_10);
            say!("  {:20} {found:6.2} %  of the ten nearest, documents by {}", "one space", space.documents);
            say!("  {:20} {own:6.2} %  documents by {} too; {} texts", "own space", opened.name, space.texts);
        }
        for (kind, Fidelity { cosine, spearman, neighbours_at_10 }) in kinds.iter().zip(agreement) {
            let cosine = cosine.map_or("-".to_owned(), |cosine| format!("{cosine:.3}"));
            let (name, texts, found) = (&kind.name, kind.texts.len(), 100.0 * neighbours_at_10);
            say!("  {name:20} {cosine:>6}  cosine, spearman {spearman:.3}, nn@10 {found:.1} %  ({texts} texts)");
        }
        if let Some(order) = order {
            say!("  {:20} {:6.2}", "word order", order.average);
            for kind in &order.kinds {
                say!("  {:20} {:6.2}  ({} pairs)", format!("  {}", kind.kind.name()), kind.spearman, kind.pairs);
            }
        }
    }
    Ok(())
}

/// A kind of text, and the teacher's vectors of it.
struct Kind {
    name: String,
    texts: Vec<String>,
    vectors: Embeddings,
}

impl Kind {
    fn new(file: &Path, teacher: &Model<'_>, watch: Watch<'_>) -> anyhow::Result<Self> {
        let texts = sampled(&read_texts(file, None, None)?.collect::<Result<Vec<_>, _>>()?);
        let name = file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        let vectors = encode(teacher, &texts, &name, watch)?;
        Ok(Self { name, texts, vectors })
    }

    fn agreement(&self, model: &Model<'_>, watch: Watch<'_>) -> anyhow::Result<Fidelity> {
        let vectors = encode(model, &self.texts, &self.name, watch)?;
        Ok(Fidelity::from(&fidelity(&self.vectors, &vectors)?))
    }
}

fn encode(model: &Model<'_>, texts: &[String], what: &str, watch: Watch<'_>) -> anyhow::Result<Embeddings> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Ok(model.encode(&texts, what, watch)?)
}
