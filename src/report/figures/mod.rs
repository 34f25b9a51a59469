//! The figures of a report: each is a drawing, a legend and the same data as a table.

mod models;
mod similarities;
mod times;
mod training;

use super::plot::Axis;
use super::run::Run;
use crate::error::Result;
use crate::summary::{ModelSummary, Role};

/// A figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its anchor in the page.
    pub id: &'static str,
    /// Its title.
    pub title: String,
    /// What it shows, in a sentence or two.
    pub note: String,
    /// Names of series and the places of their colours.
    pub legend: Vec<(String, usize)>,
    /// The drawing, an `<svg>` element.
    pub svg: String,
    /// The same data.
    pub table: Table,
}

/// Rows of cells; the first cell of a row names it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    fn push(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

/// All figures that the runs have data for, in the order they are shown.
pub fn figures(runs: &[Run]) -> Result<Vec<Figure>> {
    let all = [
        models::speed_and_quality(runs),
        models::scores(runs),
        models::agreement(runs),
        training::losses(runs),
        training::held_out(runs),
        training::teachers_loss(runs),
        training::teachers_dev(runs),
        training::space(runs),
        similarities::histogram(runs),
        models::sizes(runs),
        times::stages(runs),
    ];
    all.into_iter().filter_map(Result::transpose).collect()
}

/// The names of `runs` before those of their parts, where there are several.
fn within(runs: &[Run], run: &Run, part: &str) -> String {
    if runs.len() > 1 { format!("{}: {part}", run.name) } else { part.to_owned() }
}

/// Every model of every run with its run.
fn models(runs: &[Run]) -> impl Iterator<Item = (&Run, &ModelSummary)> {
    runs.iter().flat_map(|run| run.summary.models.iter().map(move |model| (run, model)))
}

/// The role in whose terms a model is drawn.
fn is_student(model: &ModelSummary) -> bool {
    model.role == Role::Student
}

fn axis<'a>(name: &'a str, format: fn(f64) -> String) -> Axis<'a> {
    Axis { name, format }
}

/// A number with as many digits as a figure of its size needs.
fn plain(value: f64) -> String {
    let digits = match value.abs() {
        0.0 | 10.0.. => 0,
        1.0.. => 1,
        0.1.. => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

/// A number as it stands in tables: exact enough to draw the figure again.
fn exact(value: f64) -> String {
    let text = format!("{value:.4}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
