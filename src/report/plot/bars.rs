//! Horizontal bars in groups, so that long names and many groups have room.

use plotters::element::{Rectangle, Text};
use plotters::style::Color;
use plotters_backend::text_anchor::{HPos, Pos, VPos};

use super::axes::{Axes, FOOT, Sides, TOP, TickFormat, around, chart, letters};
use super::svg::{FINE, LETTERS, WIDTH, series, shortened, svg, text_width};
use crate::error::Result;

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

/// Draws bars from 0; the value, to one decimal, stands at each bar's end. `value` names what the bars show, with its
/// unit, and `group` what the groups are.
pub(crate) fn bars(title: &str, value: &str, group: &str, groups: &[BarGroup]) -> Result<String> {
    let text_of = |bar: &BarValue| format!("{:.1}", bar.value);
    let all = || groups.iter().flat_map(|group| &group.bars);
    let inner: i32 = groups.iter().map(|group| height(group) + GAP).sum::<i32>().max(ROW);
    let mut range = around(all().map(|bar| bar.value).chain([0.0]), 0.0);
    let longest = all().map(|bar| text_width(&text_of(bar), LETTERS)).max().unwrap_or(0);
    let names = groups.iter().map(|group| text_width(&group.name, LETTERS)).max().unwrap_or(0);
    // Left of the bars stand the groups' names and, turned, the name of their axis.
    let left = names.min(WIDTH / 2) + 10 * FINE + LETTERS + 8 * FINE;
    // Right of them stands the longest value.
    let sides = Sides { left, right: 14 * FINE };
    let room = f64::from(longest + 10 * FINE) / f64::from(WIDTH - left - sides.right);
    range.end += (range.end - range.start) * room / (1.0 - room.min(0.8));
    svg(title, inner + FOOT + TOP, |area| {
        let axes = Axes { x: value, ticks: TickFormat::Decimal, y: None };
        let mut chart = chart(area, (range, f64::from(inner)..0.0), axes, sides)?;
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
