//! Writes ONNX files, without Python and without a protobuf library.
//!
//! ```text
//! Graph (nodes, tensors) ──► Message (protobuf bytes) ──► file
//! ```
//!
//! A [`Graph`] takes nodes and tensors in an order in which they can be computed. The bytes of a tensor are made when
//! its turn to be written comes, so a model never lies in memory twice; a protobuf library would build the whole
//! message first. The operators are standard ones of opset 17 and IR version 8, which ONNX Runtime 1.17 and every later
//! version read.
//!
//! The graph `y = 2 · x`:
//!
//! ```
//! use limbeck_onnx::{Error, Graph, ElementType};
//!
//! # fn main() -> Result<(), Error> {
//! # let path = std::env::temp_dir().join(format!("limbeck-onnx-doc-{}.onnx", std::process::id()));
//! let mut graph: Graph<Error> = Graph::new("double");
//! let x = graph.input("x", ElementType::F32, &["batch"]);
//! let two = graph.float(2.0);
//! let y = graph.named("y", "Mul", &[&x, &two], &[]);
//! graph.output(&y, &["batch"]);
//! graph.write(&[("maker", "me".into())], &path)?;
//! assert!(std::fs::metadata(&path).is_ok_and(|file| file.len() > 100));
//! # std::fs::remove_file(&path).ok();
//! # Ok(())
//! # }
//! ```

mod error;
mod fields;
mod graph;
pub mod int8;
mod proto;

pub use error::Error;
pub use graph::{Attribute, ElementType, FillError, Graph, Value, write_f32};
