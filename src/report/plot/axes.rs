//! Axes: their range, tick labels and names.

use std::ops::Range;

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{AsRangedCoord, BoldPoints, Ranged, ValueFormatter};
use plotters::drawing::DrawingAreaErrorKind;
use plotters::style::{Color, IntoFont, RGBAColor, TextStyle};

use super::svg::{Area, Canvas, FINE, GRID, INK, LETTERS};
use crate::summary::format::thousands;

/// The most ticks of the x axis.
const X_TICKS: usize = 5;
/// The most ticks of the y axis.
const Y_TICKS: usize = 6;

/// The axes of a figure: their quantities, with units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axes<'a> {
    pub x: &'a str,
    /// How the tick labels of the x axis are written; those of the y axis are decimal.
    pub ticks: TickFormat,
    /// `None` for an axis without ticks and lines.
    pub y: Option<&'a str>,
}

/// The space at the sides of a chart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides {
    /// For the names and labels of the y axis.
    pub left: i32,
    pub right: i32,
}

/// The sides of most charts.
pub(super) const SIDES: Sides = Sides { left: 60 * FINE, right: 26 * FINE };
/// The height of the x axis with its labels and name.
pub(super) const FOOT: i32 = 44 * FINE;
/// The space above a chart.
pub(super) const TOP: i32 = 6 * FINE;

/// How tick labels are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TickFormat {
    /// With as many decimals as the ticks need: -3.50, -3.45, -3.40.
    Decimal,
    /// Whole numbers from 0 on, with separators: 12,000. Ticks between whole numbers have no label.
    Whole,
    /// With a prefix: 1 k, 1.5 M.
    Prefixed,
}

impl TickFormat {
    /// Writes the tick labels of an axis over the range of `coordinate` with at most `most` ticks.
    pub(super) fn labels<R>(self, coordinate: &R, most: usize) -> impl Fn(&f64) -> String + use<R>
    where
        R: Ranged<ValueType = f64>,
    {
        let decimals = decimals(&coordinate.key_points(BoldPoints(most)));
        move |&tick| self.label(tick, decimals)
    }

    /// The label of a tick, on an axis whose ticks need `decimals`.
    fn label(self, tick: f64, decimals: usize) -> String {
        match self {
            Self::Decimal => fixed(tick, decimals),
            Self::Whole if is_whole(tick) => thousands(tick),
            Self::Whole => String::new(),
            Self::Prefixed if tick >= 1e6 => format!("{} M", shortest(tick / 1e6)),
            Self::Prefixed if tick >= 1e3 => format!("{} k", shortest(tick / 1e3)),
            Self::Prefixed => shortest(tick),
        }
    }
}

/// The fewest decimals that write every one of `ticks` exactly.
fn decimals(ticks: &[f64]) -> usize {
    (0..12).find(|&decimals| ticks.iter().all(|tick| is_whole(tick * 10f64.powi(decimals)))).unwrap_or(12) as usize
}

/// Whether `value` is a whole number but for rounding.
fn is_whole(value: f64) -> bool {
    (value - value.round()).abs() < 1e-6 + 1e-12 * value.abs()
}

fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    // Of a zero that rounding made negative.
    if text.parse::<f64>() == Ok(0.0) { text.trim_start_matches('-').to_owned() } else { text }
}

fn shortest(value: f64) -> String {
    fixed(value, decimals(&[value]))
}

/// The chart that figures are drawn in.
pub(super) type Chart<'a, 'b, X, Y> = ChartContext<'a, Canvas<'b>, Cartesian2d<X, Y>>;

/// The style of tick labels and names.
pub(super) fn letters<'a>() -> TextStyle<'a> {
    ("sans-serif", LETTERS).into_font().color(&INK)
}

/// Draws two axes over `ranges` (x, then y) with `sides` beside them, and returns the chart between them.
pub(super) fn chart<'a, 'b, X, Y>(
    area: &'a Area<'b>,
    ranges: (X, Y),
    axes: Axes<'_>,
    sides: Sides,
) -> Result<Chart<'a, 'b, X::CoordDescType, Y::CoordDescType>, DrawingAreaErrorKind<std::convert::Infallible>>
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .margin_top(TOP)
        .margin_right(sides.right)
        .margin_left(4 * FINE)
        .x_label_area_size(FOOT)
        .y_label_area_size(sides.left - 4 * FINE)
        .build_cartesian_2d(ranges.0, ranges.1)?;
    let coordinates = chart.plotting_area().as_coord_spec();
    let x_labels = axes.ticks.labels(coordinates.x_spec(), X_TICKS);
    let y_labels = axes.y.map(|_| TickFormat::Decimal.labels(coordinates.y_spec(), Y_TICKS));
    let mut mesh = chart.configure_mesh();
    match (axes.y, &y_labels) {
        (Some(name), Some(labels)) => mesh.y_labels(Y_TICKS).y_desc(name).y_label_formatter(labels),
        _ => mesh.y_labels(0).disable_y_mesh(),
    };
    mesh.x_labels(X_TICKS)
        .x_desc(axes.x)
        .x_label_formatter(&x_labels)
        .label_style(letters())
        .axis_desc_style(letters())
        .bold_line_style(GRID.stroke_width(FINE as u32))
        .light_line_style(RGBAColor(0, 0, 0, 0.0))
        .axis_style(INK.stroke_width(FINE as u32))
        .set_all_tick_mark_size(4 * FINE)
        .draw()?;
    Ok(chart)
}

/// A range around `values` with `room` of its width free on both sides; 0 to 1 without a value.
pub(super) fn around(values: impl IntoIterator<Item = f64>, room: f64) -> Range<f64> {
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

/// As [`around`], for a logarithmic axis, on which values of 0 and below have no place.
pub(super) fn around_log(values: impl IntoIterator<Item = f64>, room: f64) -> Range<f64> {
    let logs = around(values.into_iter().filter(|&value| value > 0.0).map(f64::ln), room);
    logs.start.exp()..logs.end.exp()
}

#[cfg(test)]
mod tests {
    use plotters::coord::combinators::{IntoLogRange, LogCoord};
    use plotters::coord::types::RangedCoordf64;

    use super::*;

    #[test]
    fn a_range_has_room_on_both_sides() {
        assert_eq!(around([1.0, 3.0, f64::NAN], 0.5), 0.0..4.0);
        let log = around_log([100.0, 0.0, 10_000.0], 0.5);
        assert!((log.start - 10.0).abs() < 1e-9 && (log.end - 100_000.0).abs() < 1e-4, "{log:?}");
    }

    #[test]
    fn a_range_is_never_empty() {
        assert_eq!(around([], 0.1), 0.0..1.0);
        for values in [[0.0, 0.0], [5.0, 5.0], [-1e9, -1e9]] {
            let range = around(values, 0.1);
            assert!(range.start < values[0] && values[0] < range.end, "{range:?}");
        }
    }

    /// The labels of `ticks` on one axis.
    fn labels(format: TickFormat, ticks: &[f64]) -> Vec<String> {
        ticks.iter().map(|&tick| format.label(tick, decimals(ticks))).collect()
    }

    #[test]
    fn ticks_have_the_decimals_that_their_step_needs() {
        let labels = |ticks: &[f64]| labels(TickFormat::Decimal, ticks);
        assert_eq!(labels(&[-3.5, -3.45, -3.4]), ["-3.50", "-3.45", "-3.40"]);
        assert_eq!(labels(&[74.5, 75.0]), ["74.5", "75.0"]);
        assert_eq!(labels(&[-1e-17, 0.1 + 0.2]), ["0.0", "0.3"]);
        assert_eq!(labels(&[0.0, 20.0]), ["0", "20"]);
    }

    #[test]
    fn whole_ticks_have_separators_and_ticks_between_have_no_label() {
        assert_eq!(labels(TickFormat::Whole, &[0.0, 0.5, 12_000.0]), ["0", "", "12,000"]);
    }

    #[test]
    fn large_ticks_have_a_prefix() {
        let labels = labels(TickFormat::Prefixed, &[0.5, 100.0, 1_000.0, 1_500.0, 2e6]);
        assert_eq!(labels, ["0.5", "100", "1 k", "1.5 k", "2 M"]);
    }

    /// The labels of an axis over a range.
    fn labels_over(coordinate: &impl Ranged<ValueType = f64>, format: TickFormat) -> Vec<String> {
        coordinate.key_points(BoldPoints(Y_TICKS)).iter().map(format.labels(coordinate, Y_TICKS)).collect()
    }

    #[test]
    fn no_axis_repeats_a_label() {
        for start in [-3.52, -0.003, 0.0, 0.61, 74.4, 1e6] {
            for width in [1e-4, 0.003, 0.08, 0.17, 1.0, 2.5, 30.0, 7e3] {
                let range = start..start + width;
                let mut all = vec![labels_over(&RangedCoordf64::from(range.clone()), TickFormat::Decimal)];
                if start >= 0.0 {
                    all.push(labels_over(&RangedCoordf64::from(range.clone()), TickFormat::Whole));
                }
                if start > 0.0 {
                    let log = range.clone().log_scale();
                    all.push(labels_over(&LogCoord::from(log), TickFormat::Prefixed));
                }
                for mut labels in all {
                    labels.retain(|label| !label.is_empty());
                    let count = labels.len();
                    labels.sort();
                    labels.dedup();
                    assert_eq!(labels.len(), count, "{range:?}: {labels:?}");
                }
            }
        }
    }
}
