//! Curves.

use plotters::element::{Circle, PathElement, Polygon};
use plotters::style::Color;

use super::axes::{Axis, around, chart};
use super::svg::{FINE, Frame, HEIGHT, series, svg};
use crate::error::Result;

/// One curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// The place of its colour.
    pub colour: usize,
    /// Its points from left to right.
    pub points: Vec<(f64, f64)>,
}

/// Draws curves; the y axis begins at 0 and what lies below is shaded where `from_zero`.
pub fn lines(title: &str, (x, y): (Axis<'_>, Axis<'_>), curves: &[Line], from_zero: bool) -> Result<String> {
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let across = around(all().map(|point| point.0), 0.0);
    let mut up = around(all().map(|point| point.1), 0.06);
    if from_zero {
        up.start = 0.0;
    }
    let floor = up.start;
    svg(Frame { title, height: HEIGHT }, |area| {
        let mut chart = chart(area, (across, up), (x, y))?;
        for curve in curves {
            let colour = series(curve.colour);
            match curve.points.as_slice() {
                [] => {}
                [only] => {
                    chart.draw_series([Circle::new(*only, 3 * FINE, colour.filled())])?;
                }
                [first, .., last] => {
                    if from_zero {
                        let mut below = curve.points.clone();
                        below.extend([(last.0, floor), (first.0, floor)]);
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
