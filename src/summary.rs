//! `summary.json`: what a run came to. Other programs read it, so its keys stay; new figures go into `extra`.

use std::path::Path;

use indexmap::IndexMap;
use limbeck_data::files;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::evaluate::fidelity;
use crate::evaluate::sts::Score;

pub mod compare;
pub(crate) mod table;

pub use table::{table, table_cells};

/// The keys of [`ModelSummary::extra`] that [`table`] shows or that several stages write.
pub mod extra {
    /// The mean cosine to the teacher with both means taken out, -1 to 1.
    pub const COSINE_CENTRED: &str = "fidelity_cosine_centred";
    /// The share of the teacher's ten nearest neighbours that the student's queries find in the teacher's index, 0 to 1.
    pub const ONE_SPACE: &str = "one_space_neighbours_at_10";
    /// The word-order figure, -1 to 1.
    pub const WORD_ORDER: &str = "word_order";
    /// Word order kind by kind: an object.
    pub const WORD_ORDER_KINDS: &str = "word_order_kinds";
    /// Topic accuracy, 0 to 1.
    pub const TOPIC_ACCURACY: &str = "topic_accuracy";
    /// Milliseconds for a sentence alone: `{"p50", "p99"}`.
    pub const MILLISECONDS_ALONE: &str = "milliseconds_alone";
}

/// A run's models, stages and versions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The run's name.
    pub name: String,
    /// The models measured, side by side.
    pub models: Vec<ModelSummary>,
    /// The stages in the order they ran.
    pub stages: Vec<Stage>,
    /// What computed it: `limbeck`, `onnxruntime`, … to their versions.
    pub versions: IndexMap<String, String>,
}

/// One model and what was measured of it; what wasn't is null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelSummary {
    /// Its name in tables.
    pub name: String,
    /// What it is in this run.
    pub role: Role,
    /// How many trained numbers it has.
    pub parameters: u64,
    /// How many bytes it takes as a file.
    pub bytes: u64,
    /// The width of its vectors.
    pub dimension: usize,
    /// The bench's median.
    pub sentences_per_second: Option<f64>,
    /// STS scores, set by set, × 100.
    pub scores: IndexMap<String, Score>,
    /// The mean of the sets' Spearman, × 100.
    pub average: Option<f64>,
    /// Against the teacher's vectors of held-out text.
    pub fidelity: Option<Fidelity>,
    /// Alignment on the STS sets; lower is better.
    pub alignment: Option<f64>,
    /// Uniformity on the STS sets; lower is better.
    pub uniformity: Option<f64>,
    /// What computed it: `onnxruntime`, `candle` or `folded`.
    pub engine: String,
    /// The precision of its weights: `f32`, `f16` or `int8`.
    pub precision: String,
    /// How many threads it used.
    pub threads: usize,
    /// All else, under the keys of [`extra`] or others.
    pub extra: Map<String, Value>,
}

/// What a model is in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It made the targets.
    Teacher,
    /// It was trained on them.
    Student,
    /// It stands beside for comparison.
    Baseline,
}

impl Role {
    /// Its name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Teacher => "teacher",
            Self::Student => "student",
            Self::Baseline => "baseline",
        }
    }
}

/// A student's agreement with its teacher; see [`fidelity::Fidelity`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fidelity {
    /// The mean cosine to the teacher's vector; null where the widths differ.
    pub cosine: Option<f64>,
    /// Spearman's ρ of pair similarities, -1 to 1.
    pub spearman: f64,
    /// The share of the teacher's ten nearest neighbours that it finds, 0 to 1.
    pub neighbours_at_10: f64,
}

impl From<&fidelity::Fidelity> for Fidelity {
    fn from(measured: &fidelity::Fidelity) -> Self {
        Self { cosine: measured.cosine, spearman: measured.spearman, neighbours_at_10: measured.neighbours_at_10 }
    }
}

/// A stage of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name: `embed`.
    pub name: String,
    /// How long it took when it was last done.
    pub seconds: f64,
    /// Whether it was up to date.
    pub skipped: bool,
}

impl Summary {
    /// Writes `summary.json`, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<()> {
        let json = |source| Error::Json { what: "summary", path: path.to_owned(), source };
        let mut text = serde_json::to_string_pretty(self).map_err(json)?;
        text.push('\n');
        Ok(files::write_bytes(path, text.as_bytes())?)
    }

    /// The summary of the run in the folder `path`, or the file itself.
    ///
    /// # Errors
    /// A folder without one or none at all, and what isn't one.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_file() {
            return Self::read(path);
        }
        let file = path.join("summary.json");
        if file.is_file() { Self::read(&file) } else { Err(Error::NoRun { path: path.to_owned() }) }
    }

    /// Reads what [`Summary::write`] wrote, or what a later version wrote with more keys.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(limbeck_data::Error::io("read", path))?;
        serde_json::from_slice(&bytes).map_err(|source| Error::Json { what: "summary", path: path.to_owned(), source })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn model(name: &str, role: Role) -> ModelSummary {
        ModelSummary {
            name: name.into(),
            role,
            parameters: 22_713_216,
            bytes: 90_900_000,
            dimension: 384,
            sentences_per_second: None,
            scores: IndexMap::new(),
            average: None,
            fidelity: None,
            alignment: None,
            uniformity: None,
            engine: "onnxruntime".into(),
            precision: "f32".into(),
            threads: 2,
            extra: Map::new(),
        }
    }

    fn summary() -> Summary {
        let mut student = model("m", Role::Student);
        student.sentences_per_second = Some(100_000.0);
        student.scores.insert("STSB.test".into(), Score { spearman: 80.0, pearson: 79.5, pairs: 1_379 });
        student.scores.insert("SICK.test".into(), Score { spearman: 70.0, pearson: 71.0, pairs: 4_927 });
        student.average = Some(75.0);
        student.fidelity = Some(Fidelity { cosine: Some(0.9), spearman: 0.8, neighbours_at_10: 0.5 });
        student.extra.insert(extra::WORD_ORDER.into(), 0.3.into());
        Summary {
            name: "quickstart".into(),
            models: vec![model("teacher", Role::Teacher), student],
            stages: vec![Stage { name: "embed".into(), seconds: 1.5, skipped: false }],
            versions: [("limbeck".to_owned(), "0.1.0".to_owned())].into(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs/summary.json");
        summary().write(&path).unwrap();
        assert_eq!(Summary::read(&path).unwrap(), summary());
        // Sets stay in the order they were given.
        assert!(Summary::read(&path).unwrap().models[1].scores.keys().eq(["STSB.test", "SICK.test"]));
    }

    #[test]
    fn the_keys_are_those_that_others_read() {
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
        // What wasn't measured is there as null.
        assert!(json["models"][0]["fidelity"].is_null() && json["models"][0]["average"].is_null());
    }

    #[test]
    fn a_later_version_may_add_keys() {
        let mut json = serde_json::to_value(summary()).unwrap();
        json["models"][1]["colour"] = "red".into();
        assert_eq!(serde_json::from_value::<Summary>(json).unwrap(), summary());
    }

    #[test]
    fn a_file_that_is_no_summary_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.json");
        std::fs::write(&path, "{\n \"name\": 3\n}").unwrap();
        let error = Summary::read(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("{} is no summary", path.display()));
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("line 2"));
        assert!(Summary::read(&folder.path().join("none")).unwrap_err().to_string().contains("none"));
    }
}
