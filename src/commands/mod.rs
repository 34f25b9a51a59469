//! One command a file: arguments in, the library's work, results on stdout.

/// A line on standard output; a closed or full one is an error, not a panic.
macro_rules! say {
    ($($argument:tt)*) => {{
        use std::io::Write as _;
        writeln!(std::io::stdout(), $($argument)*).map_err($crate::commands::common::stdout_failed)?
    }};
}

mod am_softmax;
mod bench;
mod common;
mod completions;
mod distil;
mod embed;
mod encode;
mod evaluate;
mod export;
mod export_teacher;
mod fetch;
mod guard;
mod inspect;
mod join;
mod man;
mod material;
mod report;
mod run;
mod scored;
mod simcse;
mod stopped;
mod table;
mod texts;
mod train_teacher;
mod vocabulary;
mod word_order;

use clap::{Parser, Subcommand};
use limbeck_data::Interrupted;

use crate::terminal::{Log, Terminal, interrupt};
use common::Session;
use stopped::{Stopped, keeping};

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

    /// How progress is told on stderr
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value = "text")]
    pub log: Log,
}

// The docs are on the variants, not on their arguments: those are asked only when their command is given (`defer`), and the list of
// commands is wanted before. Docs of arguments shared by commands would stand in their place, so those are plain comments.
#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    /// Run a recipe: from a teacher and plain text to a measured student
    ///
    /// Stages that are up to date are skipped; an interrupted run goes on where it stopped when the same command is given
    /// again.
    Run(run::Arguments),
    /// Fetch an asset and print where it lies
    Fetch(fetch::Arguments),
    /// Train a teacher by SimCSE, unsupervised on text or supervised on labelled pairs or triples
    ///
    /// The trained model is a Hugging Face folder that transformers and sentence-transformers load too. An interrupted job goes
    /// on from its last checkpoint.
    ///
    /// Of a recipe, [train_teacher] is read.
    TrainTeacher(train_teacher::Arguments),
    /// Export a Hugging Face BERT folder to ONNX, pooling and normalising inside
    ExportTeacher(export_teacher::Arguments),
    /// Make a student's vocabulary from text: a teacher's pruned or extended, or one trained
    ///
    /// The result is a tokenizer.json: `limbeck embed --student-tokenizer` takes it for the teacher's vectors of its tokens,
    /// `limbeck distil --tokenizer` for the student.
    Vocabulary(vocabulary::Arguments),
    /// Cache a teacher's sentence embeddings as Parquet
    ///
    /// Blank lines and duplicates are left out. An interrupted job goes on where it stopped.
    Embed(embed::Arguments),
    /// Join several teachers' caches of the same texts into one to distil from
    ///
    /// The cosine of two joined vectors is about the weighted mean of the teachers' cosines, once a share of each teacher's mean is taken
    /// away, and as far as fewer numbers can keep it. Joined vectors as wide as the first teacher's lie as near to them as a rotation
    /// brings them.
    Join(join::Arguments),
    /// Distil a student from a cache of embeddings
    ///
    /// The cache may be any Parquet file or folder with a text and a vector column. An interrupted job goes on from its last
    /// checkpoint.
    ///
    /// Of a recipe, [student] and [distil] are read.
    Distil(distil::Arguments),
    /// Train a student by SimCSE itself, or fine-tune it on labelled pairs or triples
    ///
    /// An interrupted job goes on from its last checkpoint.
    ///
    /// Of a recipe, [train_student] is read.
    Simcse(simcse::Arguments),
    /// Train a student with every sentence its own class (AM-softmax)
    ///
    /// Dropout views of a sentence are its class's samples. Class centres lie in a mapped file in the student's folder while it
    /// learns. An interrupted job goes on from its last checkpoint.
    ///
    /// Of a recipe, [am_softmax] is read.
    AmSoftmax(am_softmax::Arguments),
    /// Export a student: the folded file, ONNX, a sentence-transformers folder, or its weights
    Export(export::Arguments),
    /// Encode texts: a vector for every row, an empty one too
    Encode(encode::Arguments),
    /// Score models on graded sentence pairs, in one space with another model, on fidelity to a teacher and on word order
    ///
    /// On graded pairs: Spearman and Pearson × 100. With --documents: the share of that model's ten nearest neighbours that the
    /// queries of the others find in its index. With --fidelity: agreement with the teacher on a text, which should be none that was
    /// trained on: mean cosine, the Spearman of pair similarities, and the share of the teacher's ten nearest neighbours found. With
    /// --word-order: the Spearman of their similarities with the teacher's, over pairs of a sentence and the same words in another order.
    Evaluate(evaluate::Arguments),
    /// Make pairs of a sentence and the same words in another order, for `evaluate --word-order`
    ///
    /// Of each sentence of five words or more: two words swapped, the halves exchanged, all words reversed, all shuffled. Use text
    /// that no student was trained on, such as runs/NAME/text/held-out.parquet. A run leaves the pairs that it measured by in
    /// runs/NAME/word-order.tsv.
    WordOrder(word_order::Arguments),
    /// Measure sentences per second of models side by side, tokenizing included
    ///
    /// Models take turns in rounds, so that a machine that slows down slows all of them; medians are printed. A student's
    /// folder is folded in int8 unless --precision says otherwise.
    Bench(bench::Arguments),
    /// Show what runs came to: a table of each, and a page with figures, several runs side by side
    Report(report::Arguments),
    /// Print the students of several runs as one Markdown table
    ///
    /// The teacher and the static controls stand once, as the first run that measured them has them. Runs whose names differ by
    /// -seedN alone are one row: the mean and the standard deviation of their figures.
    Table(table::Arguments),
    /// Say what a file or folder is: a cache, a model, a checkpoint or a training that was stopped
    Inspect(inspect::Arguments),
    /// Print completions for a shell
    Completions(completions::Arguments),
    /// Print the man page of the program or of a command
    Man(man::Arguments),
}

/// Does what the command line says.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    let terminal = Terminal::new(cli.log, cli.quiet);
    let session = Session { progress: &terminal, interrupt: interrupt(cli.log)? };
    let (done, kept) = match cli.command {
        Command::Run(arguments) => (run::run(&arguments, &session), "what was finished is kept"),
        Command::Fetch(arguments) => (fetch::run(&arguments, &session), "what was fetched whole is kept"),
        Command::TrainTeacher(arguments) => (train_teacher::run(&arguments, &session), "the last checkpoint is kept"),
        Command::ExportTeacher(arguments) => (export_teacher::run(&arguments, &session), NOTHING_KEPT),
        Command::Vocabulary(arguments) => (vocabulary::run(&arguments, &session), NOTHING_KEPT),
        Command::Embed(arguments) => (embed::run(&arguments, &session), "the cache's finished shards are kept"),
        Command::Join(arguments) => (join::run(&arguments, &session), "the cache's finished shards are kept"),
        Command::Distil(arguments) => (distil::run(&arguments, &session), "the last checkpoint is kept"),
        Command::Simcse(arguments) => (simcse::run(&arguments, &session), "the last checkpoint is kept"),
        Command::AmSoftmax(arguments) => (am_softmax::run(&arguments, &session), "the last checkpoint is kept"),
        Command::Export(arguments) => (export::run(&arguments, &session), NOTHING_KEPT),
        Command::Encode(arguments) => (encode::run(&arguments, &session), NOTHING_KEPT),
        Command::Evaluate(arguments) => (evaluate::run(&arguments, &session), NOTHING_KEPT),
        Command::WordOrder(arguments) => (word_order::run(&arguments, &session), NOTHING_KEPT),
        Command::Bench(arguments) => (bench::run(&arguments, &session), NOTHING_KEPT),
        Command::Report(arguments) => (report::run(&arguments, &session), NOTHING_KEPT),
        Command::Table(arguments) => (table::run(&arguments, &session), NOTHING_KEPT),
        Command::Inspect(arguments) => (inspect::run(&arguments, &session), NOTHING_KEPT),
        Command::Completions(arguments) => (completions::run(&arguments), NOTHING_KEPT),
        Command::Man(arguments) => (man::run(&arguments), NOTHING_KEPT),
    };
    done.map_err(|error| keeping(error, kept, &session.interrupt))
}

/// Of commands that write their result whole or not at all.
const NOTHING_KEPT: &str = "of this nothing is kept";

/// Arguments that contradict one another: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Whether the error is of the command line itself.
pub fn is_usage(error: &anyhow::Error) -> bool {
    error.is::<Usage>()
}

/// Whether stdout was closed by its reader, as `head` does.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// The error and its causes in one line, a cause that the one before it already says left out.
pub fn message(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if !parts.last().is_some_and(|last| last.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

/// What the user could do next: the first hint along the chain of causes.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        None.or_else(|| cause.downcast_ref::<limbeck::Error>().and_then(limbeck::Error::hint))
            .or_else(|| cause.downcast_ref::<limbeck_data::Error>().and_then(limbeck_data::Error::hint))
            .or_else(|| cause.downcast_ref::<limbeck_training::Error>().and_then(limbeck_training::Error::hint))
            .or_else(|| cause.downcast_ref::<limbeck_teacher::Error>().and_then(limbeck_teacher::Error::hint))
            .or_else(|| cause.downcast_ref::<limbeck_student::Error>().and_then(limbeck_student::Error::hint))
            .or_else(|| cause.downcast_ref::<limbeck_encoder::Error>().and_then(limbeck_encoder::Error::hint))
            .or_else(|| cause.downcast_ref::<Stopped>().map(|stopped| stopped.next.clone()))
            .or_else(|| cause.is::<Interrupted>().then(|| "give the same command again to go on".to_string()))
    })
}
