//! Axes: their range, their marks and names.

use std::ops::Range;

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::style::{Color, IntoFont, RGBAColor, TextStyle};

use super::svg::{Area, Canvas, Drawn, FINE, GRID, INK, LETTERS};

/// An axis.
#[derive(Debug, Clone, Copy)]
pub struct Axis<'a> {
    /// What it shows, with its unit.
    pub name: &'a str,
    /// How a value is written at a mark.
    pub format: fn(f64) -> String,
}

/// The chart that figures are drawn in.
pub type Chart<'a, 'b, X, Y> = ChartContext<'a, Canvas<'b>, Cartesian2d<X, Y>>;

/// How letters look at marks and on labels.
pub fn letters<'a>() -> TextStyle<'a> {
    ("sans-serif", LETTERS).into_font().color(&INK)
}

/// Begins a chart with two axes; `left` is the room left of it.
pub fn chart<'a, 'b, X, Y>(
    area: &'a Area<'b>,
    (x, y): (X, Y),
    (x_axis, y_axis): (Axis<'_>, Axis<'_>),
) -> Result<
    Chart<'a, 'b, X::CoordDescType, Y::CoordDescType>,
    plotters::drawing::DrawingAreaErrorKind<std::convert::Infallible>,
>
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .margin_top(6 * FINE)
        .margin_right(26 * FINE)
        .margin_left(4 * FINE)
        .x_label_area_size(44 * FINE)
        .y_label_area_size(56 * FINE)
        .build_cartesian_2d(x, y)?;
    mesh(&mut chart, x_axis, y_axis)?;
    Ok(chart)
}

fn mesh<X, Y>(chart: &mut Chart<'_, '_, X, Y>, x: Axis<'_>, y: Axis<'_>) -> Drawn
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .x_labels(5)
        .y_labels(6)
        .x_desc(x.name)
        .y_desc(y.name)
        .x_label_formatter(&|value| (x.format)(*value))
        .y_label_formatter(&|value| (y.format)(*value))
        .label_style(letters())
        .axis_desc_style(letters())
        .bold_line_style(GRID.stroke_width(FINE as u32))
        .light_line_style(RGBAColor(0, 0, 0, 0.0))
        .axis_style(INK.stroke_width(FINE as u32))
        .set_all_tick_mark_size(4 * FINE)
        .draw()
}

/// A range around `values` with a little room on both sides; 0 to 1 around nothing.
pub fn around(values: impl IntoIterator<Item = f64>, room: f64) -> Range<f64> {
    let (low, high) = values
        .into_iter()
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return 0.0..1.0;
    }
    let width = if high > low { high - low } else { 0.1 * high.abs().max(0.1) };
    low - room * width..high + room * width
}

/// As [`around`] for an axis of logarithms: values of 0 and below have no place on it.
pub fn around_log(values: impl IntoIterator<Item = f64>, room: f64) -> Range<f64> {
    let logs = around(values.into_iter().filter(|&value| value > 0.0).map(f64::ln), room);
    logs.start.exp()..logs.end.exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_room_and_is_never_empty() {
        assert_eq!(around([1.0, 3.0, f64::NAN], 0.5), 0.0..4.0);
        assert_eq!(around([], 0.1), 0.0..1.0);
        for values in [[0.0, 0.0], [5.0, 5.0], [-1e9, -1e9]] {
            let range = around(values, 0.1);
            assert!(range.start < values[0] && values[0] < range.end, "{range:?}");
        }
        let log = around_log([100.0, 0.0, 10_000.0], 0.5);
        assert!((log.start - 10.0).abs() < 1e-9 && (log.end - 100_000.0).abs() < 1e-4, "{log:?}");
    }
}
