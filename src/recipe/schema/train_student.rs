//! `[train_student]`: SimCSE training of a student.

use std::path::PathBuf;

use limbeck_data::examples::ExampleColumns;
use limbeck_data::sts::StsColumns;
use limbeck_student::contrast::ContrastSettings;
use limbeck_training::contrastive::ContrastiveSettings;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::problem::{Check, check_files, check_limit};

/// The student that the first method starts from, unless that method is `distil`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StudentStart {
    /// The static start of distillation.
    #[default]
    Static,
    /// Random weights.
    Random,
    /// Co-occurrence vectors of the training text: no teacher is asked.
    WordVectors,
}

/// `[train_student]`: SimCSE training of a student itself; `dev` and `start` serve AM-softmax too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainStudentSection {
    /// Of a run: a URI or path of pairs or triples for supervised SimCSE; without it the training is unsupervised, on
    /// the recipe's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examples: Option<String>,
    /// Of a run: STS files, never test sets; the mean of their Spearman chooses the best weights.
    pub dev: Vec<PathBuf>,
    /// The columns of the dev files, where their header doesn't tell.
    #[serde(skip_serializing_if = "super::is_default")]
    pub dev_columns: StsColumns,
    /// Of a run: where its first method starts, unless that is `distil`.
    pub start: StudentStart,
    /// The columns of the examples, where their header doesn't tell.
    pub columns: ExampleColumns,
    /// At most this many examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Dropout rate on the pooled features.
    pub dropout: f64,
    /// Dropout rate on the embeddings.
    pub embedding_dropout: f64,
    /// How it learns.
    #[serde(deserialize_with = "over_student_defaults")]
    pub simcse: ContrastiveSettings,
}

/// The defaults for a student, which is small and learns its whole vocabulary: batches and rates of distillation, not
/// of BERT.
fn student_simcse() -> ContrastiveSettings {
    ContrastiveSettings {
        batch: 512,
        learning_rate: 5e-4,
        evaluate_every: 50,
        checkpoint_every: 200,
        ..ContrastiveSettings::default()
    }
}

/// The given keys over the defaults for a student; serde alone would take BERT's defaults for keys that are left out.
fn over_student_defaults<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ContrastiveSettings, D::Error> {
    let given = toml::Table::deserialize(deserializer)?;
    let mut all = toml::Table::try_from(student_simcse()).map_err(D::Error::custom)?;
    all.extend(given);
    all.try_into().map_err(D::Error::custom)
}

impl Default for TrainStudentSection {
    fn default() -> Self {
        let ContrastSettings { dropout, embedding_dropout } = ContrastSettings::default();
        Self {
            examples: None,
            dev: Vec::new(),
            dev_columns: StsColumns::default(),
            start: StudentStart::Static,
            columns: ExampleColumns::default(),
            limit: None,
            dropout,
            embedding_dropout,
            simcse: student_simcse(),
        }
    }
}

impl TrainStudentSection {
    /// Its dropout rates.
    pub fn contrast(&self) -> ContrastSettings {
        ContrastSettings { dropout: self.dropout, embedding_dropout: self.embedding_dropout }
    }

    /// Refuses what can't be for SimCSE.
    pub fn check_simcse(&self) -> Check {
        self.contrast().check()?;
        // Whether there are hard negatives is known when the examples are read.
        self.simcse.check(false)?;
        check_limit("train_student.limit", self.limit, "leave it out for all examples")
    }

    /// Refuses dev sets that aren't there; AM-softmax reads them too.
    pub fn check_dev(&self) -> Check {
        check_files("train_student.dev", &self.dev)
    }
}
