//! The library behind the command `limbeck`: recipes and their stages, what measures models, and what came of it.

pub mod error;
pub mod hold;
pub mod measure;
pub mod model;
pub mod output;
pub mod recipe;
pub mod report;
pub mod resident;
pub mod run;
pub mod summary;
pub mod vectors;

pub use error::{Error, Result};
