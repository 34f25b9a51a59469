//! Options of `--each`, and what is told of its work.

use std::convert::Infallible;
use std::path::Path;

use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::text::{KeptColumns, PieceColumns};
use serde_json::{Value, json};

use super::common::print_path;
use super::input::TextArguments;
use super::overwrite_guard::refuse_nested;
use crate::each::{self, EachJob, EachSummary};
use crate::error::Result;
use crate::summary::format::thousands;

// How an input is done file by file.
#[derive(Args)]
pub(super) struct EachArguments {
    /// Write a Parquet file into the folder --to for each file of a folder, or for each row group of one Parquet file.
    /// What is done is skipped; several processes share the work
    #[arg(long)]
    pub(super) each: bool,

    /// With --each: columns of the input that stand beside the vectors, by their names with commas between; '*' for all
    #[arg(long, value_name = "NAMES", requires = "each", value_parser = kept)]
    pub(super) keep: Option<KeptColumns>,
}

impl EachArguments {
    /// The columns that are read; the text stands among the kept ones where `with_text` says so, or where none is
    /// named.
    pub(super) fn columns(&self, text: &TextArguments, with_text: bool) -> PieceColumns {
        PieceColumns {
            text: text.column.clone(),
            encoding: text.encoding.clone(),
            kept: self.keep.clone().unwrap_or_default(),
            with_text: with_text || self.keep.is_none(),
        }
    }
}

/// Parses the names of columns.
fn kept(names: &str) -> std::result::Result<KeptColumns, Infallible> {
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    let names: Vec<String> = names.map(str::to_owned).collect();
    Ok(if names == ["*"] { KeptColumns::All } else { KeptColumns::Named(names) })
}

/// Parses I/N, a share of the work.
pub(super) fn shard(text: &str) -> std::result::Result<(u32, u32), String> {
    let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    numbers.filter(|(i, n)| i < n).ok_or_else(|| "I/N with I from 0 to N - 1 is expected".into())
}

/// Refuses a folder for the vectors that would be read as input, and notes the files that hold no text.
pub(super) fn check_folders(input: &Path, to: &Path, text: &TextArguments, monitor: Monitor) -> Result<()> {
    refuse_nested(to, [input])?;
    text.note_other_files(input, monitor)
}

/// What the vectors depend on beside the text: what `model` says, and the columns that are read.
pub(super) fn settings(model: Value, columns: &PieceColumns) -> Value {
    let mut settings = model;
    settings["column"] = json!(columns.text);
    settings["encoding"] = json!(columns.encoding);
    settings["keep"] = json!(format!("{:?}", columns.kept));
    settings
}

/// Does the work, notes what was done and prints the folder.
pub(super) fn run_job(job: &EachJob, monitor: Monitor) -> Result<()> {
    let EachSummary { written, kept, others, rows, left_out } = each::run(job, monitor)?;
    let files = if written == 1 { "file" } else { "files" };
    let mut line = format!("{written} {files} with {} vectors written, {kept} kept", thousands(rows as f64));
    if others > 0 {
        line += &format!(", {others} written by other processes");
    }
    if left_out > 0 {
        line += &format!("; {} blank or duplicate texts left out", thousands(left_out as f64));
    }
    monitor.note(&line);
    print_path(job.to)
}
