//! What the SimCSE commands learn from.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use limbeck_data::examples::{self, ExampleColumns, Examples};
use limbeck_training::contrastive::TrainingExamples;

use super::common::Session;
use super::texts::distinct_texts;

// Text or labelled examples, and what the result is chosen by.
#[derive(Args)]
pub struct MaterialArguments {
    /// Text for the unsupervised method: .txt, .jsonl, .tsv, .csv or .parquet, gzip too, or a folder of them
    #[arg(long, value_name = "TEXT", required_unless_present = "examples", conflicts_with = "examples")]
    pub input: Option<PathBuf>,

    /// Pairs or triples for the supervised method: .tsv, .csv, .jsonl or .parquet
    #[arg(long, value_name = "FILE")]
    pub examples: Option<PathBuf>,

    /// STS files that the best weights are chosen by
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub dev: Vec<PathBuf>,
}

/// What was read.
pub enum Found {
    Texts(Vec<String>),
    Examples(Examples),
}

impl Found {
    pub fn view(&self) -> TrainingExamples<'_> {
        match self {
            Self::Texts(texts) => TrainingExamples::Texts(texts),
            Self::Examples(examples) => TrainingExamples::Labelled(examples),
        }
    }
}

impl MaterialArguments {
    /// Reads at most `limit` examples; of text, without blanks and duplicates.
    pub fn read(&self, columns: &ExampleColumns, limit: Option<usize>, session: &Session) -> anyhow::Result<Found> {
        let limit = limit.unwrap_or(usize::MAX);
        if let Some(path) = &self.examples {
            let mut found = examples::read(path, columns)?;
            found.truncate(limit);
            session.progress.note(&format!("{} examples; {}", found.len(), found.skipped));
            return Ok(Found::Examples(found));
        }
        let input = self.input.as_deref().context("--input or --examples is needed")?;
        Ok(Found::Texts(distinct_texts(input, None, None)?.take(limit).collect::<Result<_, _>>()?))
    }
}
