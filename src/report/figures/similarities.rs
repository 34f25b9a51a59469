//! How similar pairs of held-out texts are, by each model.

use super::super::plot::{Line, lines};
use super::super::run::Run;
use super::{Figure, Table, axis, colour, within};
use crate::error::Result;
use crate::evaluate::held_out::BINS;
use crate::summary::Role;
use crate::summary::table::thousands;

/// The histogram of similarities; of several runs the teachers and the students alone.
pub fn histogram(runs: &[Run]) -> Result<Option<Figure>> {
    let mut series: Vec<(String, usize, Vec<f64>)> = Vec::new();
    for run in runs {
        let Some(figures) = &run.held_out else { continue };
        for (model, counts) in &figures.similarities {
            let both = [Role::Teacher.name(), Role::Student.name()].contains(&model.as_str());
            let in_precision_again = model.starts_with("student ");
            if in_precision_again || runs.len() > 1 && !both {
                continue;
            }
            let all = counts.iter().sum::<u64>().max(1) as f64;
            let shares = counts.iter().map(|&count| 100.0 * count as f64 / all).collect();
            series.push((within(runs, run, model), colour(runs, run, model), shares));
        }
    }
    // Bins that no model has anything in are left out at both ends.
    let filled = |bin: &usize| series.iter().any(|(_, _, shares)| shares.get(*bin).is_some_and(|&share| share > 0.0));
    let (Some(first), Some(last)) = ((0..BINS).find(filled), (0..BINS).rev().find(filled)) else { return Ok(None) };

    let head = ["cosine from", "to"].map(str::to_owned).into_iter();
    let mut table = Table::new(head.chain(series.iter().map(|(name, _, _)| format!("{name}, %"))));
    let edge = |bin: usize| 2.0 * bin as f64 / BINS as f64 - 1.0;
    for bin in first..=last {
        let cells = series.iter().map(|(_, _, shares)| format!("{:.3}", shares.get(bin).copied().unwrap_or(0.0)));
        table.push([format!("{:.2}", edge(bin)), format!("{:.2}", edge(bin + 1))].into_iter().chain(cells));
    }
    let curves: Vec<Line> = series
        .into_iter()
        .map(|(name, colour, shares)| {
            let steps = (first..=last).flat_map(|bin| {
                let share = shares.get(bin).copied().unwrap_or(0.0);
                [(edge(bin), share), (edge(bin + 1), share)]
            });
            Line { name, colour, points: steps.collect() }
        })
        .collect();
    let title = "Similarities of held-out texts";
    let axes = (
        axis("cosine of two texts", |value| format!("{value:.1}")),
        axis("share of pairs (%)", |value| format!("{value:.0}")),
    );
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
            "How often two texts, drawn at random, are so similar ({}). A student whose curve lies on its teacher's \
             has learned its scale too.",
            pairs.join("; ")
        ),
        legend: curves.iter().map(|line| (line.name.clone(), line.colour)).collect(),
        svg: lines(title, axes, &curves, true)?,
        table,
    }))
}
