//! The figures of a report as SVG: what is drawn is plain data, and the same data stands beside it as a table.

mod axes;
mod bars;
mod labels;
mod lines;
mod plane;
pub mod svg;

pub use axes::Axis;
pub use bars::{Bar, Group, bars};
pub use lines::{Line, lines};
pub use plane::{Mark, Shape, plane};
