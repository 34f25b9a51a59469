//! Named points in a plane, and paths through it.

use plotters::coord::combinators::IntoLogRange;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::Color;

use super::axes::{Axes, SIDES, around, around_log, chart, letters};
use super::labels::{PlacedLabel, Rect, place};
use super::lines::Curve;
use super::svg::{Area, Drawn, FINE, HEIGHT, INK, LETTERS, WIDTH, series, svg, text_width};
use crate::error::Result;

/// A named point.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mark {
    /// The name beside the point.
    pub name: String,
    /// The point.
    pub at: (f64, f64),
    /// The index of the colour.
    pub colour: usize,
    /// The shape.
    pub shape: MarkShape,
}

/// The shape of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkShape {
    Square,
    Circle,
    Triangle,
}

/// The scale of the x axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    Logarithmic,
}

/// Half a mark's width.
const RADIUS: i32 = 5 * FINE;

/// Draws points and paths.
pub(crate) fn plane(title: &str, axes: Axes<'_>, scale: Scale, marks: &[Mark], paths: &[Curve]) -> Result<String> {
    let all = || marks.iter().map(|mark| mark.at).chain(paths.iter().flat_map(|path| path.points.iter().copied()));
    let across = all().map(|point| point.0);
    let up = around(all().map(|point| point.1), 0.12);
    svg(title, HEIGHT, |area| match scale {
        Scale::Linear => draw(area, (around(across, 0.16), up), axes, marks, paths),
        Scale::Logarithmic => draw(area, (around_log(across, 0.16).log_scale(), up), axes, marks, paths),
    })
}

fn draw<X, Y>(area: &Area<'_>, ranges: (X, Y), axes: Axes<'_>, marks: &[Mark], paths: &[Curve]) -> Drawn
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let mut chart = chart(area, ranges, axes, SIDES)?;
    for path in paths {
        let colour = series(path.colour);
        chart.draw_series([PathElement::new(path.points.clone(), colour.stroke_width(2 * FINE as u32))])?;
        // The first point is hollow, the last filled.
        if let (Some(&first), Some(&last)) = (path.points.first(), path.points.last()) {
            chart.draw_series([Circle::new(first, 4 * FINE, colour.stroke_width(2 * FINE as u32))])?;
            chart.draw_series([Circle::new(last, 4 * FINE, colour.filled())])?;
        }
    }
    let places: Vec<(i32, i32)> = marks.iter().map(|mark| chart.backend_coord(&mark.at)).collect();
    let sizes: Vec<(i32, i32)> =
        marks.iter().map(|mark| (text_width(&mark.name, LETTERS), LETTERS + LETTERS / 8)).collect();
    let (columns, rows) = chart.plotting_area().get_pixel_range();
    let bounds = Rect {
        at: (columns.start, rows.start),
        // A name may reach into the margin at the right.
        size: (WIDTH - FINE - columns.start, rows.end - rows.start),
    };
    for ((mark, &at), label) in marks.iter().zip(&places).zip(place(&places, &sizes, RADIUS + FINE, bounds)) {
        let PlacedLabel { area: Rect { at: (x, y), size: (width, height) }, is_far } = label;
        if is_far {
            let near = (at.0.clamp(x, x + width), at.1.clamp(y, y + height));
            area.draw(&PathElement::new(vec![at, near], INK.mix(0.5).stroke_width(FINE as u32)))?;
        }
        let style = series(mark.colour).filled();
        match mark.shape {
            MarkShape::Square => {
                let corners = [(at.0 - RADIUS, at.1 - RADIUS), (at.0 + RADIUS, at.1 + RADIUS)];
                area.draw(&Rectangle::new(corners, style))?;
            }
            MarkShape::Circle => area.draw(&Circle::new(at, RADIUS, style))?,
            MarkShape::Triangle => {
                let low = at.1 + RADIUS;
                let corners = vec![(at.0 - RADIUS, low), (at.0 + RADIUS, low), (at.0, at.1 - RADIUS)];
                area.draw(&Polygon::new(corners, style))?;
            }
        }
        area.draw(&Text::new(mark.name.as_str(), (x, y), letters()))?;
    }
    Ok(())
}
