//! `summary.json`: the models of a run with their figures. Other programs read it, so its keys stay; new figures go
//! into `extra`.

use std::path::Path;

use indexmap::{IndexMap, IndexSet};
use limbeck_data::files;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::json_file;
use crate::measure::fidelity::FidelitySummary;
use crate::measure::speed::Speed;
use crate::measure::sts::StsScore;
use crate::measure::tasks::TaskScores;

mod cells;
pub mod compare;
pub(crate) mod format;
mod recommended;
mod table;
mod tasks;
#[cfg(test)]
pub(crate) mod test_support;

pub use cells::TableCells;
pub use recommended::{STATIC_SHOWN, STATIC_TRAINED, recommended};
pub use table::{table, table_cells};
pub(crate) use tasks::TaskFigure;

/// Keys of [`ModelSummary::extra`].
pub mod extra {
    /// The mean cosine to the teacher with both means taken out, -1 to 1.
    pub const COSINE_CENTRED: &str = "fidelity_cosine_centred";
    /// The share of the teacher's ten nearest neighbours that the student's queries find in the teacher's index, 0 to
    /// 1.
    pub const SHARED_SPACE: &str = "one_space_neighbours_at_10";
    /// The word-order score, -1 to 1.
    pub const WORD_ORDER: &str = "word_order";
    /// The word-order scores of each kind of reordering: a list of objects.
    pub const WORD_ORDER_KINDS: &str = "word_order_kinds";
    /// Topic accuracy, 0 to 1.
    pub const TOPIC_ACCURACY: &str = "topic_accuracy";
    /// How far the model's search agrees with the teacher's where nobody judged, × 100: `{"found_at_10", "ndcg_at_10",
    /// "bm25_found_at_10", "bm25_ndcg_at_10", "queries"}`.
    pub const LABEL_FREE: &str = "label_free";
    /// The latency of a sentence alone in milliseconds: `{"p50", "p99"}`.
    pub const MILLISECONDS_ALONE: &str = "milliseconds_alone";
}

/// A run's models, stages and versions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The run's name.
    pub name: String,
    /// The models measured, in the order of the table.
    pub models: Vec<ModelSummary>,
    /// The stages in the order they ran.
    pub stages: Vec<StageSummary>,
    /// The versions of `limbeck`, `onnxruntime`, …
    pub versions: IndexMap<String, String>,
    /// The name in `exports/` of the student that is worth its cost; only of a run that measured search in its own
    /// collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommended: Option<String>,
}

/// One model and its figures; a figure that was not measured is null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelSummary {
    /// The name in tables.
    pub name: String,
    /// The model's part in this run.
    pub role: ModelRole,
    /// The number of parameters.
    pub parameters: u64,
    /// The size of its file in bytes.
    pub bytes: u64,
    /// The dimension of its vectors.
    pub dimension: usize,
    /// The median over the rounds of the bench.
    pub sentences_per_second: Option<f64>,
    /// The scores of each STS set, × 100.
    pub scores: IndexMap<String, StsScore>,
    /// The mean of the sets' Spearman, × 100.
    pub average: Option<f64>,
    /// The scores of each set of the other tasks: `retrieval`, `classification`, `clustering`.
    #[serde(flatten)]
    pub tasks: TaskScores,
    /// Agreement with the teacher's vectors of held-out text.
    pub fidelity: Option<FidelitySummary>,
    /// Alignment on the STS sets; lower is better.
    pub alignment: Option<f64>,
    /// Uniformity on the STS sets; lower is better.
    pub uniformity: Option<f64>,
    /// The engine that computed it: `onnxruntime`, `candle` or `folded`.
    pub engine: String,
    /// The precision of its weights: `f32`, `f16` or `int8`.
    pub precision: String,
    /// The number of threads it used.
    pub threads: usize,
    /// Further figures, under the keys of [`extra`].
    pub extra: Map<String, Value>,
}

/// A model's part in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum ModelRole {
    /// The model that made the targets.
    Teacher,
    /// The model trained in this run.
    Student,
    /// A model measured for comparison.
    Baseline,
}

impl ModelRole {
    /// The name in tables and files.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A stage of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageSummary {
    /// The stage's name: `embed`.
    pub name: String,
    /// The seconds it took when it last ran.
    pub seconds: f64,
    /// Whether it was up to date, and so did not run.
    pub skipped: bool,
}

impl ModelSummary {
    /// Adds the speed and the number of threads that it was measured with.
    pub fn add_speed(&mut self, speed: &Speed) {
        self.sentences_per_second = Some(speed.sentences_per_second);
        self.threads = speed.threads;
        self.extra.insert(extra::MILLISECONDS_ALONE.into(), json!(speed.milliseconds_alone));
    }

    /// The number under `key` of [`extra`].
    pub(crate) fn extra_number(&self, key: &str) -> Option<f64> {
        self.extra.get(key)?.as_f64()
    }

    /// The median latency of a sentence alone, or under `"p99"` the 99th percentile.
    pub(crate) fn latency(&self, percentile: &str) -> Option<f64> {
        self.extra.get(extra::MILLISECONDS_ALONE)?[percentile].as_f64()
    }
}

/// The STS sets that any of `models` was scored on, in the order in which they first occur.
pub(crate) fn sts_sets<'a>(models: impl IntoIterator<Item = &'a ModelSummary>) -> Vec<&'a str> {
    let sets: IndexSet<&str> = models.into_iter().flat_map(|model| model.scores.keys()).map(String::as_str).collect();
    sets.into_iter().collect()
}

impl Summary {
    /// The first student.
    pub(crate) fn student(&self) -> Option<&ModelSummary> {
        self.models.iter().find(|model| model.role == ModelRole::Student)
    }

    /// The first teacher.
    pub(crate) fn teacher(&self) -> Option<&ModelSummary> {
        self.models.iter().find(|model| model.role == ModelRole::Teacher)
    }

    /// How many times as fast as the teacher a model of `per_second` sentences a second is, if the teacher's speed is
    /// known.
    pub(crate) fn times_teacher(&self, per_second: f64) -> Option<f64> {
        let teacher = self.teacher()?.sentences_per_second.filter(|&speed| speed > 0.0)?;
        Some(per_second / teacher)
    }

    /// Writes `summary.json`, whole or not at all.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        Ok(files::write_json(path, &json!(self))?)
    }

    /// Reads the summary of the run in the folder `path`, or the file `path` itself.
    ///
    /// # Errors
    /// No such file or folder, a folder without a summary, or a file that is none.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_file() {
            return Self::read(path);
        }
        let file = path.join("summary.json");
        if file.is_file() { Self::read(&file) } else { Err(Error::NoRun { path: path.to_owned() }) }
    }

    /// Reads the file that [`Summary::write`] wrote; unknown keys, which a later version may write, are passed over.
    ///
    /// # Errors
    /// A file that cannot be read, or is no summary.
    pub fn read(path: &Path) -> Result<Self> {
        json_file::read(path, "summary")
    }
}

#[cfg(test)]
mod tests {
    use super::test_support::model;
    use super::*;

    fn summary() -> Summary {
        let mut student = model("m", ModelRole::Student);
        student.sentences_per_second = Some(100_000.0);
        student.scores.insert("STSB.test".into(), StsScore { spearman: 80.0, pearson: 79.5, pairs: 1_379 });
        student.scores.insert("SICK.test".into(), StsScore { spearman: 70.0, pearson: 71.0, pairs: 4_927 });
        student.average = Some(75.0);
        student.fidelity = Some(FidelitySummary { cosine: Some(0.9), spearman: 0.8, neighbours_at_10: 0.5 });
        student.extra.insert(extra::WORD_ORDER.into(), 0.3.into());
        Summary {
            name: "quickstart".into(),
            models: vec![model("teacher", ModelRole::Teacher), student],
            stages: vec![StageSummary { name: "embed".into(), seconds: 1.5, skipped: false }],
            versions: [("limbeck".to_owned(), "0.1.0".to_owned())].into(),
            recommended: None,
        }
    }

    #[test]
    fn a_summary_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs/summary.json");
        summary().write(&path).unwrap();
        assert_eq!(Summary::read(&path).unwrap(), summary());
        // Sets stay in the order they were given.
        assert!(Summary::read(&path).unwrap().models[1].scores.keys().eq(["STSB.test", "SICK.test"]));
    }

    #[test]
    fn the_keys_are_those_that_other_programs_read() {
        let json = serde_json::to_value(summary()).unwrap();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(keys(&json), "name models stages versions");
        let student = &json["models"][1];
        assert_eq!(
            keys(student),
            "name role parameters bytes dimension sentences_per_second scores average fidelity alignment uniformity \
             engine precision threads extra"
        );
        assert_eq!(student["role"], "student");
        assert_eq!(keys(&student["scores"]["STSB.test"]), "spearman pearson pairs");
        assert_eq!(keys(&student["fidelity"]), "cosine spearman neighbours_at_10");
        assert_eq!(keys(&json["stages"][0]), "name seconds skipped");
        // A figure that was not measured is null.
        assert!(json["models"][0]["fidelity"].is_null() && json["models"][0]["average"].is_null());
    }

    #[test]
    fn a_later_version_may_add_keys() {
        let mut json = serde_json::to_value(summary()).unwrap();
        json["models"][1]["colour"] = "red".into();
        assert_eq!(serde_json::from_value::<Summary>(json).unwrap(), summary());
    }

    #[test]
    fn the_error_of_a_file_that_is_no_summary_names_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.json");
        std::fs::write(&path, "{\n \"name\": 3\n}").unwrap();
        let error = Summary::read(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("{} is no summary", path.display()));
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("line 2"));
        assert!(Summary::read(&folder.path().join("none")).unwrap_err().to_string().contains("none"));
    }
}
