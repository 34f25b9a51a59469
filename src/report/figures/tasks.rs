//! Figures of the tasks beside graded pairs: search, classes, clusters.

use super::super::plot::bars;
use super::super::run::FinishedRun;
use super::models::{grouped, legend};
use super::{Figure, models};
use crate::error::Result;
use crate::summary::{ModelSummary, TaskFigure};

/// The words around a figure.
struct Words {
    id: &'static str,
    title: &'static str,
    note: String,
    axis: &'static str,
}

/// The search of each collection.
pub(super) fn search(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let sets = TaskFigure::Search.sets(models(runs).map(|shown| shown.model));
    let by_words = sets.iter().filter_map(|set| {
        let found = models(runs).find_map(|shown| TaskFigure::Words.of(&shown.model.tasks, set))?;
        Some(format!("{set} {found:.2}"))
    });
    let by_words: Vec<String> = by_words.collect();
    let note = format!(
        "nDCG of the first ten documents by people's judgements, × 100; higher is better. BM25 alone has: {}.",
        by_words.join(", ")
    );
    drawn(runs, TaskFigure::Search, Words { id: "search", title: "Search by set", note, axis: "nDCG@10 × 100" })
}

/// The classes of each set.
pub(super) fn classes(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let note = "The share of test texts whose label a logistic regression on the vectors finds, × 100.".to_owned();
    drawn(runs, TaskFigure::Classes, Words { id: "classes", title: "Classes by set", note, axis: "accuracy × 100" })
}

/// The clusters of each set.
pub(super) fn clusters(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let note = "Agreement of clusters by k-means with the labels, × 100; higher is better.".to_owned();
    drawn(runs, TaskFigure::Clusters, Words { id: "clusters", title: "Clusters by set", note, axis: "V-measure × 100" })
}

fn drawn(runs: &[FinishedRun], figure: TaskFigure, words: Words) -> Result<Option<Figure>> {
    let sets = figure.sets(models(runs).map(|shown| shown.model));
    if sets.is_empty() {
        return Ok(None);
    }
    let (groups, table) = grouped(runs, &sets, "set", |model, set| figure.of(&model.tasks, set));
    let is_measured = |model: &ModelSummary| !figure.sets([model]).is_empty();
    let Words { id, title, note, axis } = words;
    let svg = bars(title, axis, "set", &groups)?;
    Ok(Some(Figure { id, title, note, legend: legend(runs, is_measured), svg, table }))
}
