//! The library behind the command `limbeck`: what measures models and writes down what came of it.

pub mod bench;
pub mod error;
pub mod evaluate;
pub mod summary;

pub use error::{Error, Result};
