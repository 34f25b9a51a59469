//! The pictures of the README: how a student works, and the figures of a run's report.
//!
//! ```sh
//! cargo run --release -- run pipelines/quickstart.toml
//! cargo run --release --example pictures -- runs/quickstart/report.html docs
//! ```
//!
//! writes `docs/how-it-works.svg` and `docs/report.svg`. Both follow the reader's light or dark colours.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

/// Colours of both pictures; `report.html` brings the same names.
const COLOURS: &str = "\
:root { --paper: #fff; --ink: #1c2024; --quiet: #5b636c; --grid: #e1e4e8; --box: #f5f6f8; --s0: #2462b5; \
--s1: #b95a00; --s2: #1b7d4b; }\n\
@media (prefers-color-scheme: dark) { :root { --paper: #15181c; --ink: #e4e7eb; --quiet: #a2abb5; --grid: #343a42; \
--box: #1f242a; --s0: #6ea8f5; --s1: #f2a04a; --s2: #5cc28c; } }\n";
const LETTERS: &str = "\
svg { font: 14px system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif; fill: var(--ink); }\n\
.title { font-size: 16px; font-weight: 600; } .quiet { fill: var(--quiet); font-size: 13px; }\n";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [page, folder] = arguments.as_slice() else {
        return Err("pictures REPORT.html FOLDER".into());
    };
    let page = std::fs::read_to_string(page).map_err(|error| format!("{page}: {error}"))?;
    let folder = Path::new(folder);
    std::fs::write(folder.join("how-it-works.svg"), how_it_works())?;
    std::fs::write(folder.join("report.svg"), report(&page).ok_or("the page has no figures of limbeck's")?)?;
    Ok(())
}

/// A drawing, element by element.
#[derive(Default)]
struct Drawing(String);

/// Where a box lies.
struct Area {
    x: i32,
    y: i32,
    width: i32,
    height: i32,
}

fn area(x: i32, y: i32, width: i32, height: i32) -> Area {
    Area { x, y, width, height }
}

impl Drawing {
    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{element}");
    }

    fn text(&mut self, x: i32, y: i32, look: &str, text: &str) {
        self.add(format_args!("<text x=\"{x}\" y=\"{y}\" {look}>{text}</text>"));
    }

    /// A box with lines of text in its middle.
    fn node(&mut self, area: Area, colour: &str, lines: &[&str]) {
        let Area { x, y, width, height } = area;
        self.add(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"var(--box)\" \
             stroke=\"var(--{colour})\" stroke-width=\"1.5\"/>"
        ));
        let first = y + height / 2 + 5 - 9 * (lines.len() as i32 - 1);
        for (at, line) in lines.iter().enumerate() {
            self.text(x + width / 2, first + 18 * at as i32, "text-anchor=\"middle\"", line);
        }
    }

    fn arrow(&mut self, points: &str) {
        self.add(format_args!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"var(--quiet)\" stroke-width=\"1.5\" \
             marker-end=\"url(#head)\"/>"
        ));
    }

    fn finish(self, width: i32, height: i32, title: &str, style: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\">\n<title>{title}</title>\n<style>\n{style}{LETTERS}</style>\n<defs>\
             <marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
             orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"var(--quiet)\"/></marker></defs>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"var(--paper)\"/>\n{}</svg>\n",
            self.0
        )
    }
}

/// Distillation above; below, a sentence on its way through a student, and the row that a token is folded into.
fn how_it_works() -> String {
    let mut to = Drawing::default();
    to.text(20, 30, "class=\"title\"", "Distil, once");
    for (x, lines) in [
        (20, ["your text", "each line once"]),
        (250, ["teacher", "BERT, ONNX Runtime"]),
        (480, ["cache", "vectors in Parquet"]),
        (710, ["student", "learns the vectors"]),
    ] {
        to.node(area(x, 45, 170, 56), if x == 710 { "s0" } else { "grid" }, &lines);
        if x < 710 {
            to.arrow(&format!("{},73 {},73", x + 172, x + 226));
        }
    }
    to.text(20, 150, "class=\"title\"", "Encode: one sentence through the student");
    for (at, word) in ["a", "man", "is", "playing", "a", "guitar"].into_iter().enumerate() {
        let (x, weight) = (20 + 72 * at as i32, [4, 20, 6, 30, 4, 34][at]);
        to.node(area(x, 165, 62, 30), "grid", &[word]);
        to.arrow(&format!("{0},197 {0},214", x + 31));
        to.add(format_args!(
            "<rect x=\"{x}\" y=\"216\" width=\"62\" height=\"24\" rx=\"3\" fill=\"var(--s0)\" \
                             fill-opacity=\".25\" stroke=\"var(--s0)\"/>"
        ));
        to.add(format_args!(
            "<rect x=\"{}\" y=\"{}\" width=\"22\" height=\"{weight}\" fill=\"var(--s1)\"/>",
            x + 20,
            334 - weight
        ));
    }
    to.text(475, 233, "class=\"quiet\"", "rows of the token table");
    to.arrow("92,246 92,254 442,254 442,246 442,254 267,254 267,284");
    to.text(475, 268, "class=\"quiet\"", "a narrow convolution scores");
    to.text(475, 286, "class=\"quiet\"", "each token for each head");
    to.text(475, 326, "class=\"quiet\"", "softmax: a head's weights");
    to.node(area(20, 362, 190, 56), "s1", &["heads: weighted", "sums of values"]);
    to.node(area(225, 362, 130, 56), "s0", &["mean", "of the rows"]);
    to.node(area(370, 362, 180, 56), "grid", &["max-pooled convo-", "lutions, if wanted"]);
    to.node(area(590, 362, 120, 56), "grid", &["linear map,", "length 1"]);
    to.node(area(750, 362, 130, 56), "s2", &["the vector"]);
    to.arrow("115,338 115,360");
    to.arrow("446,228 456,228 456,348 290,348 290,360");
    to.arrow("456,348 456,360");
    to.arrow("290,420 290,438 456,438 456,420 456,438 115,438 115,420 115,438 650,438 650,420");
    to.arrow("712,390 748,390");
    to.text(20, 480, "class=\"title\"", "Fold, once: what depends on one token alone becomes its row in a file");
    for (x, width, colour, text) in [
        (20, 200, "s0", "its part of the mean"),
        (220, 260, "s1", "its value for each head"),
        (480, 400, "s1", "what it adds to its neighbours' scores"),
    ] {
        to.add(format_args!(
            "<rect x=\"{x}\" y=\"495\" width=\"{width}\" height=\"34\" fill=\"var(--{colour})\" \
                             fill-opacity=\".2\" stroke=\"var(--{colour})\"/>"
        ));
        to.text(x + width / 2, 517, "text-anchor=\"middle\"", text);
    }
    to.text(
        20,
        556,
        "class=\"quiet\"",
        "Encoding then looks up rows and adds them; one large matrix product a sentence is left.",
    );
    to.finish(900, 575, "How a limbeck student is made and how it encodes", COLOURS)
}

/// What stands between two marks.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}

/// The page's headline and three of its figures, as one drawing.
fn report(page: &str) -> Option<String> {
    const COLUMN: i32 = 460;
    const SHOWN: [&str; 3] = ["speed", "agreement", "held-out"];
    // Names of colours come first in the page's style.
    let colours = between(page, "<style>", "* {")?.replace("@media screen and", "@media");
    let mut to = Drawing::default();
    to.text(20, 34, "class=\"title\"", between(page, "<h1>", "</h1>")?);
    to.text(20, 58, "class=\"quiet\"", between(page, "<p>", "</p>")?);
    let mut tops = [90; 2];
    for figure in SHOWN.iter().filter_map(|id| between(page, &format!("<figure id=\"{id}\""), "</figure>")) {
        let at = usize::from(tops[1] < tops[0]);
        let (x, y) = (20 + COLUMN * at as i32, tops[at]);
        to.text(x, y, "class=\"title\"", between(figure, "<h2>", "</h2>")?);
        let mut below = y + 12;
        let mut across = x;
        for entry in between(figure, "<ul class=\"legend\">", "</ul>").unwrap_or_default().split("<li>").skip(1) {
            let name = between(entry, "</span>", "</li>")?.trim();
            let look = between(entry, "style=\"background:", "\"")?;
            let width = 30 + 8 * name.chars().count() as i32;
            if across + width > x + COLUMN - 30 {
                (across, below) = (x, below + 20);
            }
            to.add(format_args!(
                "<rect x=\"{across}\" y=\"{below}\" width=\"12\" height=\"12\" style=\"fill:{look}\"/>"
            ));
            to.text(across + 18, below + 11, "class=\"quiet\"", name);
            across += width;
        }
        below += 24;
        let drawn = between(figure, "<svg ", "</svg>")?;
        let mut view = between(drawn, "viewBox=\"", "\"")?.split(' ').skip(2).map(str::parse::<i32>);
        let (width, height) = (view.next()?.ok()?, view.next()?.ok()?);
        let height = height * (COLUMN - 30) / width;
        to.add(format_args!(
            "<svg x=\"{x}\" y=\"{below}\" width=\"{}\" height=\"{height}\" {drawn}</svg>",
            COLUMN - 30
        ));
        tops[at] = below + height + 34;
    }
    let height = tops[0].max(tops[1]) - 10;
    Some(to.finish(2 * COLUMN + 10, height, "The report of a run", &colours))
}
