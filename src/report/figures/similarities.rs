//! The distribution of similarities of held-out texts, by each model.

use super::super::plot::{Axes, Baseline, Curve, TickFormat, lines};
use super::super::run::FinishedRun;
use super::{Figure, colour, within};
use crate::error::Result;
use crate::measure::held_out::BINS;
use crate::summary::format::thousands;
use crate::summary::{ModelRole, TableCells};

/// The histogram of similarities; of several runs, only of teachers and students.
pub(super) fn histogram(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let mut curves: Vec<Curve> = Vec::new();
    let mut shares: Vec<Vec<f64>> = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        for (model, counts) in run.held_out.iter().flat_map(|figures| &figures.similarities) {
            let is_main = [ModelRole::Teacher, ModelRole::Student].iter().any(|role| role.name() == model);
            let is_other_precision = model.starts_with("student ");
            if is_other_precision || runs.len() > 1 && !is_main {
                continue;
            }
            let all = counts.iter().sum::<u64>().max(1) as f64;
            let share = |bin: usize| 100.0 * counts.get(bin).map_or(0.0, |&count| count as f64) / all;
            shares.push((0..BINS).map(share).collect());
            curves.push(Curve { name: within(runs, at, model), colour: colour(runs, at, model), points: Vec::new() });
        }
    }
    // Empty bins at both ends are left out.
    let filled = |bin: &usize| shares.iter().any(|shares| shares[*bin] > 0.0);
    let (Some(first), Some(last)) = ((0..BINS).find(filled), (0..BINS).rev().find(filled)) else { return Ok(None) };

    let head = ["cosine from", "to"].map(str::to_owned).into_iter();
    let mut table = TableCells::new(head.chain(curves.iter().map(|curve| format!("{}, %", curve.name))));
    let edge = |bin: usize| 2.0 * bin as f64 / BINS as f64 - 1.0;
    for bin in first..=last {
        let cells = shares.iter().map(|shares| format!("{:.3}", shares[bin]));
        table.push([edge(bin), edge(bin + 1)].map(|edge| format!("{edge:.2}")).into_iter().chain(cells));
        for (curve, shares) in curves.iter_mut().zip(&shares) {
            curve.points.extend([(edge(bin), shares[bin]), (edge(bin + 1), shares[bin])]);
        }
    }
    let title = "Similarities of held-out texts";
    let axes = Axes { x: "cosine of two texts", ticks: TickFormat::Decimal, y: Some("share of pairs (%)") };
    let pairs: Vec<String> = runs
        .iter()
        .filter_map(|run| run.held_out.as_ref())
        .map(|figures| {
            format!("{} pairs of {} texts", thousands(figures.pairs as f64), thousands(figures.texts as f64))
        })
        .collect();
    Ok(Some(Figure {
        id: "similarities",
        title,
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
