//! The figures of a report: a drawing, a legend, and the same data as a table.

mod models;
mod similarities;
mod tasks;
mod times;
mod training;

use indexmap::IndexSet;

use super::plot::svg::COLOURS;
use super::plot::{Mark, MarkShape};
use super::run::FinishedRun;
use crate::error::Result;
use crate::summary::{ModelRole, ModelSummary, TableCells};

/// A figure.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    /// The anchor in the page.
    pub id: &'static str,
    /// The title.
    pub title: &'static str,
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
        tasks::search(runs),
        tasks::classes(runs),
        tasks::clusters(runs),
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

/// The name of a part of the run at `place`, with the name of the run before it where there are several runs.
fn within(runs: &[FinishedRun], place: usize, part: &str) -> String {
    if runs.len() > 1 { format!("{}: {part}", runs[place].name) } else { part.to_owned() }
}

/// A model of a run, as figures show it.
struct ShownModel<'a> {
    model: &'a ModelSummary,
    /// The model's name, with the run's where there are several.
    name: String,
    /// The index of the colour.
    colour: usize,
    /// The place of the run.
    run: usize,
}

impl ShownModel<'_> {
    /// The model as a point of `runs`.
    fn mark(&self, runs: &[FinishedRun], at: (f64, f64)) -> Mark {
        let shape = match self.model.role {
            ModelRole::Teacher => MarkShape::Square,
            ModelRole::Student => MarkShape::Circle,
            ModelRole::Baseline => MarkShape::Triangle,
        };
        let colour = if runs.len() > 1 { self.run } else { self.colour };
        Mark { name: self.model.name.clone(), at, colour, shape }
    }
}

/// Every model of every run.
fn models<'a>(runs: &'a [FinishedRun]) -> impl Iterator<Item = ShownModel<'a>> {
    let of_run = move |(at, run): (usize, &'a FinishedRun)| {
        run.summary.models.iter().map(move |model| ShownModel {
            model,
            name: within(runs, at, &model.name),
            colour: colour(runs, at, &model.name),
            run: at,
        })
    };
    runs.iter().enumerate().flat_map(of_run)
}

/// The index of the colour of a model, or of the stage that trains it: the same in every figure, and fainter in each
/// further run.
fn colour(runs: &[FinishedRun], place: usize, name: &str) -> usize {
    let name = match name {
        "train-teacher" => "teacher",
        "distil" | "simcse" | "am-softmax" => "student",
        "static-start" => "static, untrained",
        "static-trained" => "static, trained",
        other => other,
    };
    let models = runs.iter().flat_map(|run| &run.summary.models);
    let names: IndexSet<&str> = models.map(|model| model.name.as_str()).collect();
    place * COLOURS + names.get_index_of(name).unwrap_or(names.len()) % COLOURS
}

/// A legend of the runs, where there are several.
fn legend_of_runs(runs: &[FinishedRun]) -> Vec<(String, usize)> {
    if runs.len() > 1 { runs.iter().enumerate().map(|(at, run)| (run.name.clone(), at)).collect() } else { Vec::new() }
}

/// The text of a figure, `-` without one.
fn cell(figure: Option<f64>, text: impl FnOnce(f64) -> String) -> String {
    figure.map_or_else(|| "-".to_owned(), text)
}

/// A value in a table, exact enough to draw the figure again.
fn exact(value: f64) -> String {
    format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned()
}
