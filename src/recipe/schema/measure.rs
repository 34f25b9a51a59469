//! `[baselines]`, `[evaluate]` and `[bench]`: what the student is compared with, and what is measured.

use std::path::PathBuf;

use limbeck_data::assets::Uri;
use limbeck_data::sts::StsColumns;
use serde::{Deserialize, Serialize};

use super::problem::{Check, check_files, check_folders, problem};

/// `[baselines]`: the static students that stand beside the student.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BaselineSection {
    /// The untrained start, which is Model2Vec's way of making a static model from a teacher.
    pub untrained: bool,
    /// The honest control: a student of skip alone, trained on the same targets in the same way.
    pub trained: bool,
}

impl Default for BaselineSection {
    fn default() -> Self {
        Self { untrained: true, trained: true }
    }
}

/// `[evaluate]`: the measurements of quality.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateSection {
    /// Whether STS files and folders of tasks that aren't on this machine are left out, and said, in place of an error.
    #[serde(skip_serializing_if = "super::is_default")]
    pub optional: bool,
    /// STS files: TSV, CSV, JSON or Parquet, with the column names of STS-B, SICK and the like.
    pub sts: Vec<PathBuf>,
    /// The columns of the STS files, where their header doesn't tell.
    #[serde(skip_serializing_if = "super::is_default")]
    pub columns: StsColumns,
    /// Queries, a line each, by which search in the text's own collection is measured without labels; those that
    /// `text.own_queries` draws by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries: Option<PathBuf>,
    /// Collections to search, folders in BEIR's layout: corpus, queries and judgements.
    pub retrieval: Vec<PathBuf>,
    /// Sets of classes: folders with tables `train` and `test` of texts and labels.
    pub classification: Vec<PathBuf>,
    /// Sets whose test part is clustered, folders as for `classification`.
    pub clustering: Vec<PathBuf>,
    /// Whether to measure word order, which needs a teacher.
    pub word_order: bool,
    /// At most this many held-out sentences serve to measure word order.
    pub word_order_sentences: usize,
    /// At most this many labelled documents, a uniform sample, serve to train the probe that tells topics apart.
    pub topic_documents: usize,
}

impl Default for EvaluateSection {
    fn default() -> Self {
        Self {
            optional: false,
            sts: Vec::new(),
            columns: StsColumns::default(),
            queries: None,
            retrieval: Vec::new(),
            classification: Vec::new(),
            clustering: Vec::new(),
            word_order: true,
            word_order_sentences: 500,
            topic_documents: 300,
        }
    }
}

/// `[bench]`: the measurement of speed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BenchSection {
    /// How often each model has its turn.
    pub rounds: usize,
    /// Seconds of a turn.
    pub seconds: f64,
}

impl Default for BenchSection {
    fn default() -> Self {
        Self { rounds: 5, seconds: 2.0 }
    }
}

impl EvaluateSection {
    /// Takes out the sets that aren't on this machine where the section lets them be missing, and returns them.
    pub fn take_missing(&mut self) -> Vec<PathBuf> {
        let lists = [&mut self.sts, &mut self.retrieval, &mut self.classification, &mut self.clustering];
        let is_missing = |set: &mut PathBuf| {
            let uri = set.to_str().and_then(|name| name.parse::<Uri>().ok());
            matches!(uri, Some(Uri::Path(path)) if !path.exists())
        };
        match self.optional {
            true => lists.into_iter().flat_map(|sets| sets.extract_if(.., is_missing).collect::<Vec<_>>()).collect(),
            false => Vec::new(),
        }
    }

    /// The folders of all tasks.
    pub fn task_folders(&self) -> impl Iterator<Item = &PathBuf> {
        self.retrieval.iter().chain(&self.classification).chain(&self.clustering)
    }

    /// Refuses files and folders that aren't there, and a probe without documents.
    pub fn check(&self) -> Check {
        if self.topic_documents == 0 {
            return problem("evaluate.topic_documents is 0: a probe needs documents to train on", "300 is the default");
        }
        check_files("evaluate.queries", self.queries.as_slice())?;
        check_files("evaluate.sts", &self.sts)?;
        check_folders("evaluate.retrieval", &self.retrieval)?;
        check_folders("evaluate.classification", &self.classification)?;
        check_folders("evaluate.clustering", &self.clustering)
    }
}

impl BenchSection {
    /// Refuses a bench without rounds or of no time.
    pub fn check(&self) -> Check {
        if self.rounds == 0 || !(self.seconds > 0.0 && self.seconds <= 3600.0) {
            return problem(
                "[bench] has no rounds, no seconds, or more than 3600",
                "rounds = 5, seconds = 2.0 are the defaults",
            );
        }
        Ok(())
    }
}
