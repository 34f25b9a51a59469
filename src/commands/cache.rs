//! `limbeck cache`: caches that other programs wrote.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use limbeck_data::Monitor;
use limbeck_data::cache::{AdoptedSummary, Columns, adopt};

use super::common::print_path;
use crate::error::Result;
use crate::summary::format::thousands;

#[derive(Args)]
#[command(after_help = "Example:\n  limbeck cache adopt vectors")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Read and hash a folder of Parquet into a cache.json, so that it is checked as limbeck's own caches are
    ///
    /// Every row is read: one without a text or a vector is an error, and texts that stand in several rows are counted.
    /// The same command given again takes up files that have come, changed or gone.
    #[command(after_help = "Examples:\n  limbeck cache adopt vectors\n  \
                      limbeck cache adopt vectors --text-column body --vector-column features")]
    Adopt(AdoptArguments),
}

#[derive(Args)]
struct AdoptArguments {
    /// The folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// The column with the texts, where its type doesn't tell it
    #[arg(long, value_name = "NAME")]
    text_column: Option<String>,

    /// The column with the vectors, where its type doesn't tell it
    #[arg(long, value_name = "NAME")]
    vector_column: Option<String>,
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    let Action::Adopt(AdoptArguments { folder, text_column, vector_column }) = &arguments.action;
    let columns = Columns { text: text_column.clone(), vector: vector_column.clone() };
    let AdoptedSummary { files, new, changed, gone, rows, duplicates } = adopt(folder, &columns, monitor)?;
    let [rows, duplicates] = [rows, duplicates].map(|count| thousands(count as f64));
    monitor.note(&format!("{files} files with {rows} rows, {duplicates} duplicates among them"));
    monitor.note(&format!("{new} files are new, {changed} have changed, {gone} are gone"));
    print_path(folder)
}
