//! Curves.

use plotters::element::{Circle, PathElement, Polygon};
use plotters::style::Color;

use super::axes::{Axes, SIDES, around, chart};
use super::svg::{FINE, HEIGHT, series, svg};
use crate::error::Result;

/// A curve.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Curve {
    /// The name in the legend.
    pub name: String,
    /// The index of the colour.
    pub colour: usize,
    /// The points from left to right.
    pub points: Vec<(f64, f64)>,
}

/// Where the y axis begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Baseline {
    /// Below the lowest point.
    Data,
    /// At 0, with the area below each curve shaded.
    Zero,
}

/// Draws curves.
pub(crate) fn lines(title: &str, axes: Axes<'_>, curves: &[Curve], baseline: Baseline) -> Result<String> {
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let across = around(all().map(|point| point.0), 0.0);
    let mut up = around(all().map(|point| point.1), 0.06);
    if baseline == Baseline::Zero {
        up.start = 0.0;
    }
    svg(title, HEIGHT, |area| {
        let mut chart = chart(area, (across, up), axes, SIDES)?;
        for curve in curves {
            let colour = series(curve.colour);
            match curve.points.as_slice() {
                [] => {}
                [only] => {
                    chart.draw_series([Circle::new(*only, 3 * FINE, colour.filled())])?;
                }
                [first, .., last] => {
                    if baseline == Baseline::Zero {
                        let mut below = curve.points.clone();
                        below.extend([(last.0, 0.0), (first.0, 0.0)]);
                        chart.draw_series([Polygon::new(below, colour.mix(0.12))])?;
                    }
                    let style = colour.stroke_width(2 * FINE as u32);
                    chart.draw_series([PathElement::new(curve.points.clone(), style)])?;
                }
            }
        }
        Ok(())
    })
}
