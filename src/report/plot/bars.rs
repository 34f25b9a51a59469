//! Bars that lie, in groups: names have room however long or many they are.

use plotters::chart::ChartBuilder;
use plotters::element::{Rectangle, Text};
use plotters::style::{Color, RGBAColor};
use plotters_backend::text_anchor::{HPos, Pos, VPos};

use super::axes::{Axis, around, letters};
use super::svg::{FINE, Frame, GRID, INK, LETTERS, WIDTH, series, shortened, svg, text_width};
use crate::error::Result;

/// Bars that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its name at the left.
    pub name: String,
    /// Its bars from above.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// How long it is.
    pub value: f64,
    /// The place of its colour.
    pub colour: usize,
}

/// The height of a bar with what is between two.
const ROW: i32 = 16 * FINE;
/// What is between two groups.
const GAP: i32 = 8 * FINE;
/// The axis with its name.
const FOOT: i32 = 44 * FINE;
const TOP: i32 = 6 * FINE;

/// Draws groups of bars from 0; the value stands at each bar's end. `axes` are what the values are and what the groups are.
pub fn bars(title: &str, (value_axis, group_axis): (Axis<'_>, Axis<'_>), groups: &[Group]) -> Result<String> {
    let inner: i32 = groups.iter().map(|group| height(group) + GAP).sum::<i32>().max(ROW);
    let values = groups.iter().flat_map(|group| &group.bars).map(|bar| bar.value);
    let mut range = around(values.chain([0.0]), 0.0);
    let longest =
        groups.iter().flat_map(|group| &group.bars).map(|bar| text_width(&(value_axis.format)(bar.value), LETTERS));
    let names = groups.iter().map(|group| text_width(&group.name, LETTERS)).max().unwrap_or(0);
    // Left of the bars: the groups' names and, turned, what they are.
    let left = names.min(WIDTH / 2) + 10 * FINE + LETTERS + 8 * FINE;
    // Right of them the longest value.
    let room = f64::from(longest.max().unwrap_or(0) + 10 * FINE) / f64::from(WIDTH - left - 14 * FINE);
    range.end += (range.end - range.start) * room / (1.0 - room.min(0.8));
    svg(Frame { title, height: inner + FOOT + TOP }, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin_top(TOP)
            .margin_right(14 * FINE)
            .x_label_area_size(FOOT)
            .y_label_area_size(left)
            .build_cartesian_2d(range, f64::from(inner)..0.0)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .x_labels(5)
            .y_labels(0)
            .x_desc(value_axis.name)
            .x_label_formatter(&|value| (value_axis.format)(*value))
            .label_style(letters())
            .axis_desc_style(letters())
            .bold_line_style(GRID.stroke_width(FINE as u32))
            .light_line_style(RGBAColor(0, 0, 0, 0.0))
            .axis_style(INK.stroke_width(FINE as u32))
            .set_all_tick_mark_size(4 * FINE)
            .draw()?;
        let turned =
            letters().transform(plotters::style::FontTransform::Rotate270).pos(Pos::new(HPos::Center, VPos::Center));
        area.draw(&Text::new(group_axis.name, (LETTERS, TOP + inner / 2), turned))?;
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
                area.draw(&Text::new((value_axis.format)(bar.value), (x + 4 * FINE, y), to_right()))?;
                down += ROW;
            }
            down += height(group) - group.bars.len() as i32 * ROW + GAP;
        }
        Ok(())
    })
}

fn height(group: &Group) -> i32 {
    (group.bars.len() as i32 * ROW).max(ROW)
}
