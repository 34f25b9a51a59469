//! Writes ONNX files, without Python and without a protobuf library.
//!
//! Standard operators of opset 17 and IR version 8, which ONNX Runtime 1.17 and every later one read. A [`Graph`] takes
//! nodes and tensors in the order in which they are computed; a tensor's bytes are made when its turn to be written
//! comes, so a model needn't fit in memory twice.
//!
//! ```
//! use limbeck_onnx::{Error, Graph, Kind};
//!
//! # fn main() -> Result<(), Error> {
//! # let path = std::env::temp_dir().join(format!("limbeck-onnx-doc-{}.onnx", std::process::id()));
//! let mut graph: Graph<Error> = Graph::new("double");
//! let x = graph.input("x", Kind::F32, &["batch"]);
//! let two = graph.float(2.0);
//! let y = graph.named("y", "Mul", &[&x, &two], &[]);
//! graph.output(&y, &["batch"]);
//! graph.write(&[], &path)?;
//! # std::fs::remove_file(&path).ok();
//! # Ok(())
//! # }
//! ```
//!
//! ```text
//! graph.rs (nodes, tensors) ──► proto.rs (bytes) ──► file
//! ```

mod error;
mod graph;
mod proto;

pub use error::Error;
pub use graph::{Attribute, FillError, Graph, Kind, Value, write_f32};
