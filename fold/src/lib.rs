//! Students and static models of other libraries, read from their folders and folded into tables.
//!
//! ```text
//! a student's folder ──► folder::StudentFiles ──► fold ──┐
//!                                                        ├──► folded::Parts ──► limbeck_encoder::Student
//! Model2Vec's folder ──► static_folder::StaticFolder ────┘
//! ```
//!
//! The crate needs no framework that trains: a program that uses students reads their folders without candle and
//! without ONNX Runtime.
//!
//! ```no_run
//! use limbeck_encoder::{Precision, Student, folded};
//! use limbeck_fold::{fold::folded_parts, folder::StudentFiles};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let files = StudentFiles::open("runs/quickstart/student".as_ref())?;
//! let student = Student::from_bytes(&folded::to_bytes(&folded_parts(&files), Precision::Int8)?)?;
//! println!("{} dimensions", student.dimension());
//! # Ok(())
//! # }
//! ```

pub mod config;
mod error;
pub mod fold;
pub mod folder;
pub mod lexical;
mod matrix;
pub mod static_folder;
mod tensors;

pub use error::{Error, Result};
