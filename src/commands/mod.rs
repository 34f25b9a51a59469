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

#[derive(Subcommand)]
enum Command {
    Run(run::Arguments),
    Fetch(fetch::Arguments),
    TrainTeacher(train_teacher::Arguments),
    ExportTeacher(export_teacher::Arguments),
    Vocabulary(vocabulary::Arguments),
    Embed(embed::Arguments),
    Join(join::Arguments),
    Distil(distil::Arguments),
    Simcse(simcse::Arguments),
    AmSoftmax(am_softmax::Arguments),
    Export(export::Arguments),
    Encode(encode::Arguments),
    Evaluate(evaluate::Arguments),
    WordOrder(word_order::Arguments),
    Bench(bench::Arguments),
    Report(report::Arguments),
    Table(table::Arguments),
    Inspect(inspect::Arguments),
    Completions(completions::Arguments),
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
