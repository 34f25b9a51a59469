//! A backend of plotters that writes SVG with the page's CSS variables as colours, so that one drawing serves light and
//! dark. This is why plotters' own SVG backend, which writes fixed colours, does not serve.
//!
//! plotters takes colours of three bytes. The few colours of a drawing here stand for names: [`INK`], [`GRID`] and
//! [`series`]; the backend writes `var(--…)` for each.

use std::convert::Infallible;
use std::fmt::Write as _;

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::style::RGBColor;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontTransform,
};

use crate::error::{Error, Result};

/// Drawing units a pixel: plotters counts in whole units, and curves need finer ones.
pub(crate) const FINE: i32 = 4;
/// A figure's width in drawing units.
pub(crate) const WIDTH: i32 = 440 * FINE;
/// The height of most figures in drawing units.
pub(crate) const HEIGHT: i32 = 300 * FINE;
/// The size of letters in drawing units.
pub(crate) const LETTERS: i32 = 13 * FINE;

/// Text and axes.
pub(crate) const INK: RGBColor = RGBColor(2, 0, 0);
/// Lines of the grid.
pub(crate) const GRID: RGBColor = RGBColor(2, 0, 1);

/// The number of colours of series; further series repeat them, fainter and dashed: see [`ROUNDS`].
pub(crate) const COLOURS: usize = 8;
/// The opacity of the colours in each round.
pub(crate) const ROUNDS: [f64; 4] = [1.0, 0.6, 0.4, 0.25];

/// The colour with the index `place`.
pub(crate) fn series(place: usize) -> RGBColor {
    RGBColor(1, round(place) as u8, (place % COLOURS) as u8)
}

/// The round of colours of an index.
fn round(place: usize) -> usize {
    place / COLOURS % ROUNDS.len()
}

/// The opacity of the colour with the index `place`.
pub(crate) fn opacity_of(place: usize) -> f64 {
    ROUNDS[round(place)]
}

/// The CSS of a colour.
pub(crate) fn css(RGBColor(kind, _, which): RGBColor) -> String {
    match (kind, which) {
        (1, which) => format!("var(--s{which})"),
        (_, 1) => "var(--grid)".into(),
        _ => "var(--ink)".into(),
    }
}

/// The result of drawing on a [`Canvas`].
pub(crate) type Drawn = std::result::Result<(), DrawingAreaErrorKind<Infallible>>;

/// The area that figures are drawn on.
pub(crate) type Area<'a> = DrawingArea<Canvas<'a>, Shift>;

/// Draws a figure as an `<svg>` element, [`WIDTH`] units wide, with a title, which screen readers read out in place of
/// the drawing.
///
/// # Errors
/// A figure without room for its axes.
pub(crate) fn svg(title: &str, height: i32, draw: impl FnOnce(&Area<'_>) -> Drawn) -> Result<String> {
    let mut text = String::new();
    let drawn = {
        let area = Canvas { text: &mut text, height }.into_drawing_area();
        draw(&area).and_then(|()| area.present())
    };
    drawn.map_err(|source| Error::Plot { title: title.to_owned(), what: source.to_string() })?;
    let title = escape(title);
    Ok(format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\">\
         <title>{title}</title>{text}</svg>"
    ))
}

/// The text with the characters of markup escaped.
pub(crate) fn escape(text: &str) -> String {
    maud::html! { (text) }.into_string()
}

/// The approximate width of a text in letters of `size`.
pub(crate) fn text_width(text: &str, size: i32) -> i32 {
    let ems: f64 = text.chars().map(|c| if c.is_ascii() { 0.56 } else { 1.0 }).sum();
    (ems * f64::from(size)).ceil() as i32
}

/// The text, cut to about `width`.
pub(crate) fn shortened(text: &str, width: i32, size: i32) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let mut short = text.to_owned();
    while !short.is_empty() && text_width(&short, size) + size > width {
        short.pop();
    }
    short + "…"
}

/// Writes an SVG element for each thing that plotters draws.
pub(crate) struct Canvas<'a> {
    text: &'a mut String,
    height: i32,
}

type Wrote = std::result::Result<(), DrawingErrorKind<Infallible>>;

impl Canvas<'_> {
    fn element(&mut self, markup: std::fmt::Arguments<'_>) -> Wrote {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(markup);
        Ok(())
    }
}

fn colour(BackendColor { rgb: (kind, round, which), .. }: BackendColor) -> String {
    css(RGBColor(kind, round, which))
}

/// The opacity that a colour is drawn with.
fn opacity(color: BackendColor) -> f64 {
    color.alpha * ROUNDS[usize::from(color.rgb.1)]
}

fn stroke(style: &impl BackendStyle) -> String {
    let color = style.color();
    let mut text = format!("fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"", colour(color), style.stroke_width());
    let opacity = opacity(color);
    if opacity < 1.0 {
        let _ = write!(text, " stroke-opacity=\"{opacity}\"");
    }
    if let round @ 1.. = color.rgb.1 {
        let _ = write!(text, " stroke-dasharray=\"{} {}\"", 8 / i32::from(round) * FINE, 3 * FINE);
    }
    text
}

fn filled(color: BackendColor) -> String {
    let opacity = opacity(color);
    let opacity = if opacity < 1.0 { format!(" fill-opacity=\"{opacity}\"") } else { String::new() };
    format!("fill=\"{}\"{opacity}", colour(color))
}

fn points(path: impl IntoIterator<Item = BackendCoord>) -> String {
    path.into_iter().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ")
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (WIDTH as u32, self.height.unsigned_abs())
    }

    fn ensure_prepared(&mut self) -> Wrote {
        Ok(())
    }

    fn present(&mut self) -> Wrote {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Wrote {
        self.element(format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"1\" height=\"1\" {}/>", filled(color)))
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Wrote {
        if style.color().alpha == 0.0 {
            return Ok(());
        }
        let ((x1, y1), (x2, y2)) = (from, to);
        self.element(format_args!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" {}/>", stroke(style)))
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Wrote {
        if style.color().alpha == 0.0 {
            return Ok(());
        }
        let (x, y) = (from.0.min(to.0), from.1.min(to.1));
        let (width, height) = ((to.0 - from.0).abs(), (to.1 - from.1).abs());
        let look = if fill { filled(style.color()) } else { stroke(style) };
        self.element(format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" {look}/>"))
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Wrote {
        if style.color().alpha == 0.0 {
            return Ok(());
        }
        self.element(format_args!("<polyline points=\"{}\" {}/>", points(path), stroke(style)))
    }

    fn draw_circle<S: BackendStyle>(&mut self, at: BackendCoord, radius: u32, style: &S, fill: bool) -> Wrote {
        let look = if fill { filled(style.color()) } else { stroke(style) };
        self.element(format_args!("<circle cx=\"{}\" cy=\"{}\" r=\"{radius}\" {look}/>", at.0, at.1))
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Wrote {
        self.element(format_args!("<polygon points=\"{}\" {}/>", points(path), filled(style.color())))
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Wrote {
        let size = style.size();
        let anchor = match style.anchor().h_pos {
            HPos::Left => "start",
            HPos::Center => "middle",
            HPos::Right => "end",
        };
        // From the anchor down to the baseline of the letters.
        let down = match style.anchor().v_pos {
            VPos::Top => 0.8 * size,
            VPos::Center => 0.35 * size,
            VPos::Bottom => -0.26 * size,
        };
        let turned = match style.transform() {
            FontTransform::None => String::new(),
            FontTransform::Rotate90 => format!(" transform=\"rotate(90 {x} {y})\""),
            FontTransform::Rotate180 => format!(" transform=\"rotate(180 {x} {y})\""),
            FontTransform::Rotate270 => format!(" transform=\"rotate(270 {x} {y})\""),
        };
        let (look, text) = (filled(style.color()), escape(text));
        self.element(format_args!(
            "<text x=\"{x}\" y=\"{y}\" dy=\"{down:.0}\" text-anchor=\"{anchor}\" font-size=\"{size}\" \
             {look}{turned}>{text}</text>"
        ))
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> std::result::Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let size = style.size().ceil() as i32;
        Ok((text_width(text, size).unsigned_abs(), size.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use plotters::element::{Circle, Text};
    use plotters::style::{Color, IntoFont};

    use super::*;

    #[test]
    fn colours_are_variables_and_text_is_escaped() {
        let drawn = svg("a < b", HEIGHT, |area| {
            area.draw(&Circle::new((4, 8), 3, series(2).filled()))?;
            area.draw(&Circle::new((4, 8), 3, series(COLOURS + 2).filled()))?;
            let font = ("sans-serif", LETTERS).into_font().color(&INK);
            area.draw(&Text::new("<script>&\"", (1, 2), font))
        });
        let drawn = drawn.unwrap();
        assert!(drawn.starts_with("<svg viewBox=\"0 0 1760 1200\" role=\"img\""), "{drawn}");
        assert!(drawn.contains("<title>a &lt; b</title>"), "{drawn}");
        assert!(drawn.contains("<circle cx=\"4\" cy=\"8\" r=\"3\" fill=\"var(--s2)\"/>"), "{drawn}");
        assert!(drawn.contains("fill=\"var(--s2)\" fill-opacity=\"0.6\""), "{drawn}");
        assert!(drawn.contains("fill=\"var(--ink)\">&lt;script&gt;&amp;&quot;</text>"), "{drawn}");
    }

    #[test]
    fn a_long_name_is_shortened_to_its_room() {
        assert_eq!(shortened("short", 1_000, 10), "short");
        let short = shortened(&"long ".repeat(40), 200, 10);
        assert!(short.ends_with('…') && text_width(&short, 10) <= 210, "{short}");
    }
}
