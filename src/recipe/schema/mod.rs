//! What a recipe can say: a struct a section, with the check of its values beside its fields.

mod api;
mod cache;
mod card;
mod measure;
pub(super) mod problem;
mod student;
mod teacher;
mod text;
mod train_student;
mod vocabulary;

use std::path::PathBuf;

use limbeck_student::am_softmax::AmSoftmaxSettings;
use limbeck_student::distil::DistilSettings;
use serde::{Deserialize, Serialize};

pub use api::ApiSection;
pub use cache::CacheSection;
pub use card::{CardSection, RuntimeSection};
pub use measure::{BaselineSection, BenchSection, EvaluateSection};
pub use student::{Method, StudentSection};
pub use teacher::{TeacherSection, TrainTeacherSection};
pub use text::{SourceSection, TextSection};
pub use train_student::{StudentStart, TrainStudentSection};
pub use vocabulary::{DEFAULT_EXTENDED_SIZE, DEFAULT_MIN_COUNT, DEFAULT_SIZE, VocabularyKind, VocabularySource};

use problem::{Check, problem};

/// A whole recipe as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// The run's name and its folder; the recipe's file name without `.toml` where none is given.
    pub name: String,
    /// The recipe that this one starts from, relative to its own folder: a key left out here has its value there, and a
    /// stage that both configure identically is done once, in the base's run.
    #[serde(skip_serializing)]
    pub base: Option<String>,
    /// The path and the recipe that `base` names.
    #[serde(skip)]
    pub over: Option<Box<(PathBuf, Recipe)>>,
    /// Threads of everything that computes; all cores by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// `[runtime]`.
    pub runtime: RuntimeSection,
    /// `[teacher]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teacher: Option<TeacherSection>,
    /// Training of the teacher; without this section the teacher stays as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_teacher: Option<TrainTeacherSection>,
    /// `[train_student]`.
    pub train_student: TrainStudentSection,
    /// Training with every sentence its own class.
    pub am_softmax: AmSoftmaxSettings,
    /// `[text]`.
    pub text: TextSection,
    /// `[cache]`.
    pub cache: CacheSection,
    /// `[student]`.
    pub student: StudentSection,
    /// `[distil]`.
    pub distil: DistilSettings,
    /// `[baselines]`.
    pub baselines: BaselineSection,
    /// `[evaluate]`.
    pub evaluate: EvaluateSection,
    /// `[bench]`.
    pub bench: BenchSection,
    /// `[card]`.
    #[serde(skip_serializing_if = "is_default")]
    pub card: CardSection,
}

/// Whether a key has its default, and is then not written.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Recipe {
    /// Refuses a name that can't be a folder's.
    pub(super) fn check_name(&self) -> Check {
        let is_odd = self.name.contains(['/', '\\']) || self.name.starts_with('.') || self.name.is_empty();
        if is_odd {
            return problem(
                format!("name {:?} can't be a folder's name", self.name),
                "choose letters, digits and dashes",
            );
        }
        Ok(())
    }
}
