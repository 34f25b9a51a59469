//! Figures as SVG, drawn from plain data that the page also shows as a table.

mod axes;
mod bars;
mod labels;
mod lines;
mod plane;
pub(super) mod svg;

pub(super) use axes::{Axes, TickFormat};
pub(super) use bars::{BarGroup, BarValue, bars};
pub(super) use lines::{Baseline, Curve, lines};
pub(super) use plane::{Mark, MarkShape, Scale, plane};
