//! The figures of a report: each is a drawing, a legend and the same data as a table.

mod models;
mod similarities;
mod times;
mod training;

use super::plot::svg::COLOURS;
use super::plot::{Axis, Shape};
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
        training::space(runs),
        models::scores(runs),
        models::agreement(runs),
        training::losses(runs),
        training::held_out(runs),
        training::teachers_loss(runs),
        training::teachers_dev(runs),
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

/// The place of `run` among the runs.
fn place_of(runs: &[Run], run: &Run) -> usize {
    runs.iter().position(|other| std::ptr::eq(other, run)).unwrap_or_default()
}

/// The colour of a model, or of the stage that trains it: the same in every figure, and fainter from run to run.
fn colour(runs: &[Run], run: &Run, name: &str) -> usize {
    let name = match name {
        "train-teacher" => "teacher",
        "distil" | "simcse" | "am-softmax" => "student",
        "static-start" => "static, untrained",
        "static-trained" => "static, trained",
        other => other,
    };
    let mut names: Vec<&str> = Vec::new();
    for (_, model) in models(runs) {
        if !names.contains(&model.name.as_str()) {
            names.push(&model.name);
        }
    }
    let hue = names.iter().position(|other| *other == name).unwrap_or(names.len());
    place_of(runs, run) * COLOURS + hue % COLOURS
}

/// A legend of the runs, where there are several.
fn legend_of_runs(runs: &[Run]) -> Vec<(String, usize)> {
    if runs.len() > 1 { runs.iter().enumerate().map(|(at, run)| (run.name.clone(), at)).collect() } else { Vec::new() }
}

/// The shape of a model's point.
fn shape(model: &ModelSummary) -> Shape {
    match model.role {
        Role::Teacher => Shape::Square,
        Role::Student => Shape::Circle,
        Role::Baseline => Shape::Triangle,
    }
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
