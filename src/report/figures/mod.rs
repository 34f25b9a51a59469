//! The figures of a report: a drawing, a legend, and the same data as a table.

mod models;
mod similarities;
mod times;
mod training;

use super::plot::svg::COLOURS;
use super::plot::{Axis, MarkShape, TickFormat};
use super::run::FinishedRun;
use crate::error::Result;
use crate::summary::{ModelRole, ModelSummary, TableCells};

/// A figure.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    /// The anchor in the page.
    pub id: &'static str,
    /// The title.
    pub title: String,
    /// The caption.
    pub note: String,
    /// The names of the series and the indices of their colours.
    pub legend: Vec<(String, usize)>,
    /// The drawing, an `<svg>` element.
    pub svg: String,
    /// The same data.
    pub table: TableCells,
}

/// All figures that the runs have data for, in the order of the page.
pub(super) fn figures(runs: &[FinishedRun]) -> Result<Vec<Figure>> {
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

/// The name of a run's part, with the name of the run before it where there are several runs.
fn within(runs: &[FinishedRun], run: &FinishedRun, part: &str) -> String {
    if runs.len() > 1 { format!("{}: {part}", run.name) } else { part.to_owned() }
}

/// Every model of every run with its run.
fn models(runs: &[FinishedRun]) -> impl Iterator<Item = (&FinishedRun, &ModelSummary)> {
    runs.iter().flat_map(|run| run.summary.models.iter().map(move |model| (run, model)))
}

/// The place of `run` among the runs.
fn place_of(runs: &[FinishedRun], run: &FinishedRun) -> usize {
    runs.iter().position(|other| std::ptr::eq(other, run)).unwrap_or_default()
}

/// The index of the colour of a model, or of the stage that trains it: the same in every figure, and fainter in each
/// further run.
fn colour(runs: &[FinishedRun], run: &FinishedRun, name: &str) -> usize {
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
fn legend_of_runs(runs: &[FinishedRun]) -> Vec<(String, usize)> {
    if runs.len() > 1 { runs.iter().enumerate().map(|(at, run)| (run.name.clone(), at)).collect() } else { Vec::new() }
}

/// The shape of a model's point.
fn shape(model: &ModelSummary) -> MarkShape {
    match model.role {
        ModelRole::Teacher => MarkShape::Square,
        ModelRole::Student => MarkShape::Circle,
        ModelRole::Baseline => MarkShape::Triangle,
    }
}

fn axis(name: &str, ticks: TickFormat) -> Axis<'_> {
    Axis { name, ticks }
}

/// A value in a table, exact enough to draw the figure again.
fn exact(value: f64) -> String {
    let text = format!("{value:.4}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
