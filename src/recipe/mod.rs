//! Recipes: what a run is to do, in TOML, only what differs from the defaults.
//!
//! A recipe is read into [`Recipe`] as it was typed, with defaults for what it doesn't say; an unknown key is an error that
//! names the nearest known one. [`Plan`] is what is meant: checked before any work starts.

mod plan;
mod read;
mod sections;
mod train_student;
mod vocabulary;

pub use plan::{CacheOrigin, MOST_THREADS, Plan, TeacherPlan};
pub use read::{from_overrides, read, resolved};
pub use sections::{
    BaselineSection, BenchSection, CacheSection, CardSection, EvaluateSection, Method, Recipe, RuntimeSection,
    SourceSection, StudentSection, TeacherSection, TextSection, TrainTeacherSection,
};
pub use train_student::{StudentStart, TrainStudentSection};
pub use vocabulary::{DEFAULT_EXTENDED_SIZE, DEFAULT_MIN_COUNT, DEFAULT_SIZE, VocabularyKind, VocabularySource};
