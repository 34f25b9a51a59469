//! Horizontal bars in groups, so that long names and many groups have room.

use plotters::chart::ChartBuilder;
use plotters::element::{Rectangle, Text};
use plotters::style::{Color, RGBAColor};
use plotters_backend::text_anchor::{HPos, Pos, VPos};

use super::axes::{TickFormat, around, letters};
use super::svg::{FINE, FigureFrame, GRID, INK, LETTERS, WIDTH, series, shortened, svg, text_width};
use crate::error::Result;

/// Groups of bars with their axes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BarChart<'a> {
    /// The title.
    pub title: &'a str,
    /// The quantity that the bars show, with its unit.
    pub value: &'a str,
    /// What the groups are.
    pub group: &'a str,
    /// The groups from above.
    pub groups: &'a [BarGroup],
}

/// Bars of one group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BarGroup {
    /// The name at the left.
    pub name: String,
    /// The bars from above.
    pub bars: Vec<BarValue>,
}

/// A bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BarValue {
    /// The length.
    pub value: f64,
    /// The index of the colour.
    pub colour: usize,
}

/// The height of a bar and the space below.
const ROW: i32 = 16 * FINE;
/// The space between two groups.
const GAP: i32 = 8 * FINE;
/// The height of the axis with its name.
const FOOT: i32 = 44 * FINE;
const TOP: i32 = 6 * FINE;
/// The most ticks of the value axis.
const TICKS: usize = 5;

/// Draws bars from 0; the value, to one decimal, stands at each bar's end.
pub(crate) fn bars(chart: BarChart<'_>) -> Result<String> {
    let BarChart { title, value, group, groups } = chart;
    let text_of = |bar: &BarValue| format!("{:.1}", bar.value);
    let all = || groups.iter().flat_map(|group| &group.bars);
    let inner: i32 = groups.iter().map(|group| height(group) + GAP).sum::<i32>().max(ROW);
    let mut range = around(all().map(|bar| bar.value).chain([0.0]), 0.0);
    let longest = all().map(|bar| text_width(&text_of(bar), LETTERS)).max().unwrap_or(0);
    let names = groups.iter().map(|group| text_width(&group.name, LETTERS)).max().unwrap_or(0);
    // Left of the bars stand the groups' names and, turned, the name of their axis.
    let left = names.min(WIDTH / 2) + 10 * FINE + LETTERS + 8 * FINE;
    // Right of them stands the longest value.
    let room = f64::from(longest + 10 * FINE) / f64::from(WIDTH - left - 14 * FINE);
    range.end += (range.end - range.start) * room / (1.0 - room.min(0.8));
    svg(FigureFrame { title, height: inner + FOOT + TOP }, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin_top(TOP)
            .margin_right(14 * FINE)
            .x_label_area_size(FOOT)
            .y_label_area_size(left)
            .build_cartesian_2d(range, f64::from(inner)..0.0)?;
        let labels = TickFormat::Decimal.labels(chart.plotting_area().as_coord_spec().x_spec(), TICKS);
        chart
            .configure_mesh()
            .disable_y_mesh()
            .x_labels(TICKS)
            .y_labels(0)
            .x_desc(value)
            .x_label_formatter(&labels)
            .label_style(letters())
            .axis_desc_style(letters())
            .bold_line_style(GRID.stroke_width(FINE as u32))
            .light_line_style(RGBAColor(0, 0, 0, 0.0))
            .axis_style(INK.stroke_width(FINE as u32))
            .set_all_tick_mark_size(4 * FINE)
            .draw()?;
        let turned =
            letters().transform(plotters::style::FontTransform::Rotate270).pos(Pos::new(HPos::Center, VPos::Center));
        area.draw(&Text::new(group, (LETTERS, TOP + inner / 2), turned))?;
        let to_left = || letters().pos(Pos::new(HPos::Right, VPos::Center));
        let to_right = || letters().pos(Pos::new(HPos::Left, VPos::Center));
        let mut down = GAP / 2;
        for group in groups {
            let middle = TOP + down + height(group) / 2;
            let name = shortened(&group.name, left - LETTERS - 18 * FINE, LETTERS);
            area.draw(&Text::new(name, (left - 8 * FINE, middle), to_left()))?;
            for bar in &group.bars {
                let (top, bottom) = (f64::from(down + FINE), f64::from(down + ROW - FINE));
                let corners = [(0.0, top), (bar.value, bottom)];
                chart.draw_series([Rectangle::new(corners, series(bar.colour).filled())])?;
                let (x, y) = chart.backend_coord(&(bar.value.max(0.0), f64::from(down + ROW / 2)));
                area.draw(&Text::new(text_of(bar), (x + 4 * FINE, y), to_right()))?;
                down += ROW;
            }
            down += height(group) - group.bars.len() as i32 * ROW + GAP;
        }
        Ok(())
    })
}

fn height(group: &BarGroup) -> i32 {
    (group.bars.len() as i32 * ROW).max(ROW)
}
