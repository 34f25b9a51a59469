//! One command a file: arguments in, the library's work, results on stdout.

/// A line on standard output; a closed or full one is an error, not a panic.
macro_rules! say {
    ($($argument:tt)*) => {{
        use std::io::Write as _;
        writeln!(std::io::stdout(), $($argument)*).map_err($crate::commands::common::stdout_failed)?
    }};
}

mod am_softmax;
mod api;
mod bench;
mod cache;
mod collection;
mod columns;
mod common;
mod completions;
mod distil;
mod each_arguments;
mod embed;
mod encode;
mod evaluate;
mod exclusion;
mod export;
mod export_teacher;
mod fetch;
mod input;
mod inspect;
mod interrupted;
mod join;
mod man;
mod overwrite_guard;
mod print_hits;
mod print_scores;
mod report;
mod run;
mod search;
#[cfg(feature = "serve")]
mod serve;
mod shorten;
mod simcse;
mod table;
mod train_teacher;
mod training_examples;
mod vocabulary;
mod word_order;

use clap::{Parser, Subcommand};
use limbeck_data::Monitor;

use self::interrupted::with_next_step;
use crate::error::Result;
use crate::terminal::{Log, Terminal, interrupt};

/// What `-V` says.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LIMBECK_COMMIT"), ")");
/// What `--version` says.
const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("LIMBECK_COMMIT"),
    ")\ntarget: ",
    env!("LIMBECK_TARGET"),
    "\nfeatures: ",
    env!("LIMBECK_FEATURES")
);

/// Distils a BERT sentence encoder into a small, fast TextCNN.
#[derive(Parser)]
#[command(
    name = "limbeck",
    version = VERSION,
    long_version = LONG_VERSION,
    max_term_width = 100,
    after_help = "Example:\n  limbeck run pipelines/quickstart.toml"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Say nothing but errors on stderr; results still go to stdout
    #[arg(long, short, global = true)]
    quiet: bool,

    /// The form of progress on stderr
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value = "text")]
    pub log: Log,
}

// The docs stand on the variants, since clap reads a command's arguments only once that command is given (`defer`), and
// lists the commands before. Docs on arguments that several commands share would replace them, so those carry plain
// comments.
#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    /// Run a recipe: from a teacher and plain text to a measured student
    ///
    /// Stages that are up to date are skipped. The same command given again resumes an interrupted run.
    Run(run::Arguments),
    /// Make a search model of your own documents, without a label or a query
    ///
    /// A teacher embeds the documents, their passages, sentences and titles, and spans of them; a student and a static
    /// student learn from these vectors. The run measures both against the teacher and BM25, and says which of the two
    /// is worth its cost. It fills in the recipe pipelines/collection.toml and does what `limbeck run` does; the same
    /// command given again resumes an interrupted run.
    Collection(collection::Arguments),
    /// Search a collection: the documents that answer a query best
    ///
    /// Every document is scored, and there is no index to keep. A run of `limbeck collection` is searched by the
    /// student that it recommends.
    Search(search::Arguments),
    /// Fetch an asset and print its path
    Fetch(fetch::Arguments),
    /// Train a teacher by SimCSE, unsupervised on text or supervised on labelled pairs or triples
    ///
    /// The trained model is a Hugging Face folder that transformers and sentence-transformers load too. An interrupted
    /// job resumes from its last checkpoint.
    ///
    /// Of a recipe, this command reads [train_teacher].
    TrainTeacher(train_teacher::Arguments),
    /// Export a Hugging Face model folder to ONNX, with pooling and normalising inside
    ExportTeacher(export_teacher::Arguments),
    /// Make a student's vocabulary from text: a teacher's pruned or extended, or one trained
    ///
    /// The result is a tokenizer.json. `limbeck embed --student-tokenizer` embeds its tokens, and `limbeck distil
    /// --tokenizer` makes a student with it.
    Vocabulary(vocabulary::Arguments),
    /// List the hashes of texts that must not be trained on, such as test sets
    ///
    /// Of a folder in BEIR's layout these are documents and queries, of a file of pairs both sentences; each sentence
    /// of these texts too. A recipe's `text.exclude` takes the list in place of the texts.
    Exclusion(exclusion::Arguments),
    /// Cache a teacher's sentence embeddings as Parquet
    ///
    /// Blank lines and duplicates are left out. An interrupted job resumes after its last whole shard.
    Embed(Box<embed::Arguments>),
    /// Check a cache that another program wrote, such as Spark or Ray
    Cache(cache::Arguments),
    /// Join several teachers' caches of the same texts into one to distil from
    ///
    /// A share of each teacher's mean vector is subtracted first. The cosine of two joined vectors then approximates
    /// the weighted mean of the teachers' cosines, as closely as the joined width allows. Joined vectors as wide as the
    /// first teacher's are rotated as close to its vectors as a rotation can bring them.
    Join(join::Arguments),
    /// Distil a student from a cache of embeddings
    ///
    /// The cache may be any Parquet file or folder with a text and a vector column. An interrupted job resumes from its
    /// last checkpoint.
    ///
    /// Of a recipe, this command reads [student] and [distil].
    Distil(distil::Arguments),
    /// Train a student by SimCSE directly, or fine-tune it on labelled pairs or triples
    ///
    /// An interrupted job resumes from its last checkpoint.
    ///
    /// Of a recipe, this command reads [train_student].
    Simcse(simcse::Arguments),
    /// Train a student with every sentence its own class (AM-softmax)
    ///
    /// Dropout views of a sentence are the samples of its class. Class centres lie in a memory-mapped file in the
    /// student's folder during the training. An interrupted job resumes from its last checkpoint.
    ///
    /// Of a recipe, this command reads [am_softmax].
    AmSoftmax(am_softmax::Arguments),
    /// Export a student: the folded file, ONNX, a sentence-transformers folder, or its weights
    Export(export::Arguments),
    /// Make a student of fewer numbers a vector, along the principal directions of its vectors
    ///
    /// Nothing is trained. The shorter student is smaller, faster to search, and of a space of its own: its vectors are
    /// compared with each other, not with the teacher's.
    Shorten(shorten::Arguments),
    /// Encode texts: a vector for every row, an empty one too
    Encode(encode::Arguments),
    /// Answer OpenAI's /v1/embeddings with a model, over HTTP
    ///
    /// Prints the address, and answers until it is stopped: POST /v1/embeddings, GET /v1/models, /health, and /metrics
    /// for Prometheus. Requests that come together are encoded together.
    #[cfg(feature = "serve")]
    Serve(Box<serve::Arguments>),
    /// Score models on graded sentence pairs, on search, classes and clusters, in one space with another model, on
    /// fidelity to a teacher and on word order
    ///
    /// On graded pairs: Spearman and Pearson × 100. With --retrieval: nDCG@10, recall@100 and MRR@10 × 100 of an exact
    /// search, and nDCG@10 of its ranks fused with BM25's; a model's prompts for queries and documents stand before the
    /// texts unless --prefix or --prompt says otherwise. With --classification: accuracy and macro F1 × 100 of a
    /// logistic regression on the vectors. With --clustering: V-measure × 100 of k-means. With --documents: the share
    /// of that model's ten nearest neighbours that the queries of the other models find in its index. With --fidelity:
    /// agreement with the teacher on text that should not be training text: mean cosine, the Spearman of pair
    /// similarities, and the share of the teacher's ten nearest neighbours found. With --word-order: the Spearman of a
    /// model's similarities with the teacher's, over pairs of a sentence and the same words in another order.
    Evaluate(evaluate::Arguments),
    /// Make pairs of a sentence and the same words in another order, for `evaluate --word-order`
    ///
    /// Of each sentence of five words or more: two words swapped, the halves exchanged, all words reversed, all
    /// shuffled. Use text that no student was trained on, such as runs/NAME/text/held-out.parquet. A run writes its own
    /// pairs to runs/NAME/word-order.tsv.
    WordOrder(word_order::Arguments),
    /// Measure sentences per second of models side by side, tokenizing included
    ///
    /// Models take turns in rounds, so that a machine that slows down slows all of them; the command prints medians. A
    /// student's folder is folded in int8 unless --precision says otherwise.
    Bench(bench::Arguments),
    /// Show the results of runs: a table for each, and a page with figures, several runs side by side
    Report(report::Arguments),
    /// Print the students of several runs as one Markdown table
    ///
    /// The teacher and the static controls appear once, with the figures of the first run that measured them. Runs
    /// whose names differ only in -seedN become one row: the mean and the standard deviation of their figures.
    Table(table::Arguments),
    /// Describe a file or folder: a cache, a model, a checkpoint or an interrupted training
    Inspect(inspect::Arguments),
    /// Print completions for a shell
    Completions(completions::Arguments),
    /// Print the man page of the program or of a command
    Man(man::Arguments),
}

/// Runs the command that the command line names.
///
/// # Errors
/// Those of the command; an interruption says what is kept and how the command goes on.
pub fn run(cli: Cli) -> Result<()> {
    let terminal = Terminal::new(cli.log, cli.quiet);
    let interrupt = interrupt(cli.log)?;
    let monitor = Monitor::new(&terminal, &interrupt);
    let (done, kept) = match cli.command {
        Command::Encode(arguments) if arguments.each.each => (encode::run(&arguments, monitor), FILES_KEPT),
        Command::Embed(arguments) if arguments.each.each => (embed::run(&arguments, monitor), FILES_KEPT),
        Command::Run(arguments) => (run::run(&arguments, monitor), "what was finished is kept"),
        Command::Collection(arguments) => (collection::run(&arguments, monitor), "what was finished is kept"),
        Command::Search(arguments) => (search::run(&arguments, monitor), NOTHING_KEPT),
        Command::Fetch(arguments) => (fetch::run(&arguments, monitor), "what was fetched whole is kept"),
        Command::TrainTeacher(arguments) => (train_teacher::run(&arguments, monitor), CHECKPOINT_KEPT),
        Command::ExportTeacher(arguments) => (export_teacher::run(&arguments, monitor), NOTHING_KEPT),
        Command::Exclusion(arguments) => (exclusion::run(&arguments, monitor), NOTHING_KEPT),
        Command::Vocabulary(arguments) => (vocabulary::run(&arguments, monitor), NOTHING_KEPT),
        Command::Embed(arguments) => (embed::run(&arguments, monitor), SHARDS_KEPT),
        Command::Cache(arguments) => (cache::run(&arguments, monitor), NOTHING_KEPT),
        Command::Join(arguments) => (join::run(&arguments, monitor), SHARDS_KEPT),
        Command::Distil(arguments) => (distil::run(&arguments, monitor), CHECKPOINT_KEPT),
        Command::Simcse(arguments) => (simcse::run(&arguments, monitor), CHECKPOINT_KEPT),
        Command::AmSoftmax(arguments) => (am_softmax::run(&arguments, monitor), CHECKPOINT_KEPT),
        Command::Export(arguments) => (export::run(&arguments, monitor), NOTHING_KEPT),
        Command::Shorten(arguments) => (shorten::run(&arguments, monitor), NOTHING_KEPT),
        Command::Encode(arguments) => (encode::run(&arguments, monitor), NOTHING_KEPT),
        #[cfg(feature = "serve")]
        Command::Serve(arguments) => (serve::run(&arguments, monitor), NOTHING_KEPT),
        Command::Evaluate(arguments) => (evaluate::run(&arguments, monitor), NOTHING_KEPT),
        Command::WordOrder(arguments) => (word_order::run(&arguments, monitor), NOTHING_KEPT),
        Command::Bench(arguments) => (bench::run(&arguments, monitor), NOTHING_KEPT),
        Command::Report(arguments) => (report::run(&arguments), NOTHING_KEPT),
        Command::Table(arguments) => (table::run(&arguments), NOTHING_KEPT),
        Command::Inspect(arguments) => (inspect::run(&arguments), NOTHING_KEPT),
        Command::Completions(arguments) => (completions::run(&arguments), NOTHING_KEPT),
        Command::Man(arguments) => (man::run(&arguments), NOTHING_KEPT),
    };
    done.map_err(|error| with_next_step(error, kept, &interrupt))
}

const CHECKPOINT_KEPT: &str = "the last checkpoint is kept";
const SHARDS_KEPT: &str = "the cache's finished shards are kept";
const FILES_KEPT: &str = "the finished files are kept";
/// Of commands that write their result whole or not at all.
const NOTHING_KEPT: &str = "nothing of this is kept";
