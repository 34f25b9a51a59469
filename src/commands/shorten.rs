//! `limbeck shorten`: a student of fewer numbers a vector.

use std::collections::BTreeMap;
use std::path::PathBuf;

use candle_core::Device;
use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::assets::Uri;
use limbeck_data::text::hash;
use limbeck_student::export::refuse_other_kind;
use limbeck_student::folder::StudentFolder;
use limbeck_student::shorten::{Shortened, shorten};

use super::common::{locate_student, print_path, set_threads, threads};
use super::input::TextArguments;
use super::overwrite_guard::refuse_inputs;
use crate::error::Result;

/// The most texts whose vectors decide the directions.
const SAMPLE: usize = 20_000;

#[derive(Args)]
#[command(after_help = "Example:\n  limbeck shorten --model runs/quickstart/student --dimension 128 \
                        --input runs/quickstart/text/train.parquet --to short\n  \
                        limbeck export --model short --format folded --precision int8 --to short.limbeck")]
pub(super) struct Arguments {
    /// The student's folder or URI
    #[arg(long, value_name = "M")]
    model: Uri,

    /// The numbers that a vector has after it
    #[arg(long, value_name = "N")]
    dimension: usize,

    /// Texts of the kind that the student is for, such as those that it was trained on; of many a sample of 20,000
    #[arg(long, value_name = "TEXT")]
    input: PathBuf,

    #[command(flatten)]
    text: TextArguments,

    /// The folder of the shorter student
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,

    /// Threads; all cores by default
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<usize>,
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    set_threads(arguments.threads);
    let folder = locate_student(&arguments.model, monitor)?;
    refuse_inputs(&arguments.to, [&folder, &arguments.input])?;
    refuse_other_kind(&arguments.to)?;
    let student = StudentFolder::open(&folder, &Device::Cpu)?;
    let wide = student.model.config.dimension;
    let texts = sample(arguments, monitor)?;
    let texts: Vec<&str> = texts.values().map(String::as_str).collect();
    let Shortened { student, kept } = shorten(student, &texts, arguments.dimension, monitor)?;
    student.save(&arguments.to)?;
    let (dimension, share) = (arguments.dimension, 100.0 * kept);
    monitor.note(&format!("{dimension} numbers of {wide}: {share:.1} % of the vectors' squared length is left"));
    print_path(&arguments.to)
}

/// The texts of the smallest hashes, by hash: a uniform sample without duplicates.
fn sample(arguments: &Arguments, monitor: Monitor) -> Result<BTreeMap<u64, String>> {
    let mut texts = BTreeMap::new();
    for text in arguments.text.read(&arguments.input)? {
        monitor.check()?;
        let text = text?;
        let hash = hash(&text);
        let is_full = texts.len() == SAMPLE;
        if text.trim().is_empty() || is_full && texts.last_key_value().is_some_and(|(&last, _)| hash >= last) {
            continue;
        }
        texts.insert(hash, text);
        if texts.len() > SAMPLE {
            texts.pop_last();
        }
    }
    Ok(texts)
}
