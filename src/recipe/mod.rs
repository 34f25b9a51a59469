//! Recipes: what a run is to do, in TOML, only what differs from the defaults.
//!
//! A recipe is read into [`Recipe`] as it was typed, with defaults for every key that it leaves out; an unknown key is
//! an error that names the nearest known one. [`Plan`] is what the recipe means: checked before any work starts.

mod load;
mod plan;
mod schema;

pub use load::{from_overrides, read, read_carried, resolved};
pub use plan::{CacheOrigin, MOST_THREADS, Plan, StudentUri, TeacherPlan, available_threads, check_given};
pub use schema::{
    ApiSection, BaselineSection, BenchSection, CacheSection, CardSection, DEFAULT_EXTENDED_SIZE, DEFAULT_MIN_COUNT,
    DEFAULT_SIZE, EvaluateSection, Method, Recipe, RuntimeSection, SourceSection, StudentSection, StudentStart,
    TeacherSection, TextSection, TrainStudentSection, TrainTeacherSection, VocabularyKind, VocabularySource,
};
