//! What the contrastive commands start from, and the examples that the SimCSE commands learn from.

use std::path::PathBuf;

use candle_core::Device;
use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::examples::ExampleColumns;
use limbeck_data::sts::StsColumns;
use limbeck_data::text::read_texts;
use limbeck_student::contrast::unlearned;
use limbeck_student::folder::StudentFolder;

use super::columns::{example_columns, sts_columns};
use super::common::locate_files;
use super::input::{LeftOutTexts, distinct};
use crate::error::{Error, Result};
use crate::measure::sts::DevSets;
use crate::pipeline::StageId;
use crate::pipeline::training_examples::LoadedExamples;

// The student that a training starts from.
#[derive(Args)]
pub(super) struct StartArguments {
    /// The student's folder to start from
    #[arg(long, value_name = "DIR")]
    pub(super) student: PathBuf,

    /// Keep its shape, and start from random weights
    #[arg(long)]
    random: bool,
}

impl StartArguments {
    /// Opens the student; random weights come from `seed`.
    pub(super) fn open(&self, seed: u64) -> Result<StudentFolder> {
        let student = StudentFolder::open(&self.student, &Device::Cpu)?;
        match self.random {
            true => Ok(unlearned(student.model.config, student.tokenizer, seed)?),
            false => Ok(student),
        }
    }
}

// Text or labelled examples, and the sets that the best weights are chosen by.
#[derive(Args)]
pub(super) struct ExamplesArguments {
    /// Text for the unsupervised method: .txt, .md, .jsonl, .json, .tsv, .csv or .parquet, compressed too, or a folder
    /// of them
    #[arg(long, value_name = "TEXT", required_unless_present = "examples", conflicts_with = "examples")]
    input: Option<PathBuf>,

    /// Pairs or triples for the supervised method: .tsv, .csv, .jsonl or .parquet
    #[arg(long, value_name = "FILE")]
    examples: Option<PathBuf>,

    /// STS files that the best weights are chosen by
    #[arg(long, value_name = "FILE", num_args = 1..)]
    dev: Vec<PathBuf>,

    /// The columns of --examples where their header doesn't tell: ANCHOR,POSITIVE or ANCHOR,POSITIVE,NEGATIVE
    #[arg(long, value_name = "NAMES", requires = "examples", value_parser = example_columns)]
    columns: Option<ExampleColumns>,

    /// The columns of --dev where their header doesn't tell: LEFT,RIGHT,SCORE
    #[arg(long, value_name = "NAMES", requires = "dev", value_parser = sts_columns)]
    dev_columns: Option<StsColumns>,
}

impl ExamplesArguments {
    /// The sets that the best weights are chosen by, if any are named.
    pub(super) fn dev_sets<'m>(&self, monitor: Monitor<'m>) -> Result<Option<DevSets<'m>>> {
        let columns = self.dev_columns.clone().unwrap_or_default();
        DevSets::read(&locate_files(&self.dev, monitor)?, &columns, monitor.interrupt)
    }

    /// Reads at most `limit` examples, whose columns are `columns` unless an option names them; of text, without blanks
    /// and duplicates.
    pub(super) fn read(
        &self,
        columns: &ExampleColumns,
        limit: Option<usize>,
        stage: StageId,
        monitor: Monitor,
    ) -> Result<LoadedExamples> {
        let named = self.examples.iter().chain(&self.input).cloned().collect::<Vec<_>>();
        let located = locate_files(&named, monitor)?.pop();
        let columns = self.columns.as_ref().unwrap_or(columns);
        match located {
            Some(path) if self.examples.is_some() => {
                LoadedExamples::read_labelled(&path, columns, limit, stage, monitor)
            }
            Some(input) => {
                let texts = distinct(read_texts(&input, None, None)?, LeftOutTexts::default())
                    .take(limit.unwrap_or(usize::MAX));
                Ok(LoadedExamples::Texts(texts.collect::<limbeck_data::Result<_>>()?))
            }
            None => Err(Error::Usage("--input or --examples is needed".into())),
        }
    }
}
