//! The distribution of similarities of held-out texts, by each model.

use super::super::plot::{Axes, Baseline, Curve, TickFormat, lines};
use super::super::run::FinishedRun;
use super::{Figure, axis, colour, within};
use crate::error::Result;
use crate::measure::held_out::BINS;
use crate::summary::format::thousands;
use crate::summary::{ModelRole, TableCells};

/// The histogram of similarities; of several runs, only of teachers and students.
pub(super) fn histogram(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let mut series: Vec<(String, usize, Vec<f64>)> = Vec::new();
    for run in runs {
        let Some(figures) = &run.held_out else { continue };
        for (model, counts) in &figures.similarities {
            let is_main = [ModelRole::Teacher.name(), ModelRole::Student.name()].contains(&model.as_str());
            let is_other_precision = model.starts_with("student ");
            if is_other_precision || runs.len() > 1 && !is_main {
                continue;
            }
            let all = counts.iter().sum::<u64>().max(1) as f64;
            let shares = counts.iter().map(|&count| 100.0 * count as f64 / all).collect();
            series.push((within(runs, run, model), colour(runs, run, model), shares));
        }
    }
    // Empty bins at both ends are left out.
    let filled = |bin: &usize| series.iter().any(|(_, _, shares)| shares.get(*bin).is_some_and(|&share| share > 0.0));
    let (Some(first), Some(last)) = ((0..BINS).find(filled), (0..BINS).rev().find(filled)) else { return Ok(None) };

    let head = ["cosine from", "to"].map(str::to_owned).into_iter();
    let mut table = TableCells::new(head.chain(series.iter().map(|(name, _, _)| format!("{name}, %"))));
    let edge = |bin: usize| 2.0 * bin as f64 / BINS as f64 - 1.0;
    for bin in first..=last {
        let cells = series.iter().map(|(_, _, shares)| format!("{:.3}", shares.get(bin).copied().unwrap_or(0.0)));
        table.push([format!("{:.2}", edge(bin)), format!("{:.2}", edge(bin + 1))].into_iter().chain(cells));
    }
    let curves: Vec<Curve> = series
        .into_iter()
        .map(|(name, colour, shares)| {
            let steps = (first..=last).flat_map(|bin| {
                let share = shares.get(bin).copied().unwrap_or(0.0);
                [(edge(bin), share), (edge(bin + 1), share)]
            });
            Curve { name, colour, points: steps.collect() }
        })
        .collect();
    let title = "Similarities of held-out texts";
    let axes = Axes {
        x: axis("cosine of two texts", TickFormat::Decimal),
        y: axis("share of pairs (%)", TickFormat::Decimal),
    };
    let pairs: Vec<String> = runs
        .iter()
        .filter_map(|run| run.held_out.as_ref())
        .map(|figures| {
            format!("{} pairs of {} texts", thousands(figures.pairs as f64), thousands(figures.texts as f64))
        })
        .collect();
    Ok(Some(Figure {
        id: "similarities",
        title: title.into(),
        note: format!(
            "The distribution of the cosines of random pairs ({}). A student whose curve lies on its teacher's has \
             learned the scale of the similarities too.",
            pairs.join("; ")
        ),
        legend: curves.iter().map(|line| (line.name.clone(), line.colour)).collect(),
        svg: lines(title, axes, &curves, Baseline::Zero)?,
        table,
    }))
}
