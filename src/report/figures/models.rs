//! Figures of the models side by side: speed, scores, agreement, sizes.

use super::super::plot::{Bar, Group, Mark, Shape, bars, plane};
use super::super::run::Run;
use super::{Figure, Table, axis, exact, models, plain, within};
use crate::error::Result;
use crate::summary::table::{count, size, speed, thousands};
use crate::summary::{ModelSummary, Role, extra};

/// A figure of a model as a share.
fn share(model: &ModelSummary, key: &str) -> Option<f64> {
    model.extra.get(key)?.as_f64()
}

/// Quality against speed, every model a point.
pub fn speed_and_quality(runs: &[Run]) -> Result<Option<Figure>> {
    let has_scores = models(runs).any(|(_, model)| model.average.is_some());
    let (name, short) = if has_scores {
        ("STS: mean Spearman × 100", "STS average")
    } else {
        ("agreement with the teacher: Spearman × 100", "agreement")
    };
    let quality = |model: &ModelSummary| {
        if has_scores { model.average } else { model.fidelity.map(|fidelity| 100.0 * fidelity.spearman) }
    };
    let mut table =
        Table::new(["model", "sentences/s", "p50 alone, ms", "p99 alone, ms", "threads", "engine", "precision", short]);
    let mut marks = Vec::new();
    for (run, model) in models(runs) {
        let alone = |which: &str| {
            let milliseconds = model.extra.get(extra::MILLISECONDS_ALONE).and_then(|alone| alone[which].as_f64());
            milliseconds.map_or_else(|| "-".to_owned(), |milliseconds| format!("{milliseconds:.3}"))
        };
        table.push([
            within(runs, run, &model.name),
            model.sentences_per_second.map_or_else(|| "-".to_owned(), speed),
            alone("p50"),
            alone("p99"),
            model.threads.to_string(),
            model.engine.clone(),
            model.precision.clone(),
            quality(model).map_or_else(|| "-".to_owned(), |quality| format!("{quality:.2}")),
        ]);
        if let (Some(speed), Some(quality)) = (model.sentences_per_second.filter(|&speed| speed > 0.0), quality(model))
        {
            let shape = match model.role {
                Role::Teacher => Shape::Square,
                Role::Student => Shape::Circle,
                Role::Baseline => Shape::Triangle,
            };
            let of_run = runs.iter().position(|other| std::ptr::eq(other, run)).unwrap_or_default();
            let colour = if runs.len() > 1 { of_run } else { marks.len() };
            marks.push(Mark { name: model.name.clone(), at: (speed, quality), colour, shape });
        }
    }
    if marks.is_empty() {
        return Ok(None);
    }
    let axes = (axis("sentences a second (logarithmic)", thousands), axis(name, plain));
    let title = "Quality against speed";
    let legend =
        if runs.len() > 1 { runs.iter().enumerate().map(|(at, run)| (run.name.clone(), at)).collect() } else { vec![] };
    Ok(Some(Figure {
        id: "speed",
        title: title.into(),
        note: "Right is faster, up is better. Squares are teachers, circles students, triangles static models. \
               Every model read the same text on the same machine, in turn."
            .into(),
        legend,
        svg: plane(title, axes, &marks, &[], true)?,
        table,
    }))
}

/// The models as series: their names, and the places of their colours.
fn legend(runs: &[Run], wanted: impl Fn(&ModelSummary) -> bool) -> Vec<(String, usize)> {
    models(runs)
        .enumerate()
        .filter(|(_, (_, model))| wanted(model))
        .map(|(at, (run, model))| (within(runs, run, &model.name), at))
        .collect()
}

/// Groups of bars, one for each of `kinds`, a bar a model that `figure` is known of; and the same as a table.
fn grouped(
    runs: &[Run],
    kinds: &[String],
    what: &str,
    figure: impl Fn(&ModelSummary, &str) -> Option<f64>,
) -> (Vec<Group>, Table) {
    let head = [what.to_owned()].into_iter().chain(models(runs).map(|(run, model)| within(runs, run, &model.name)));
    let (mut groups, mut table) = (Vec::new(), Table::new(head));
    for kind in kinds {
        let figures: Vec<Option<f64>> = models(runs).map(|(_, model)| figure(model, kind)).collect();
        let known = figures.iter().enumerate().filter_map(|(at, value)| Some(Bar { value: (*value)?, colour: at }));
        groups.push(Group { name: kind.clone(), bars: known.collect() });
        let cells = figures.iter().map(|value| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}")));
        table.push([kind.clone()].into_iter().chain(cells));
    }
    (groups, table)
}

/// Scores set by set.
pub fn scores(runs: &[Run]) -> Result<Option<Figure>> {
    let mut sets: Vec<String> = Vec::new();
    for set in models(runs).flat_map(|(_, model)| model.scores.keys()) {
        if !sets.contains(set) {
            sets.push(set.clone());
        }
    }
    if sets.is_empty() {
        return Ok(None);
    }
    let (groups, table) = grouped(runs, &sets, "set", |model, set| model.scores.get(set).map(|score| score.spearman));
    let title = "Scores by set";
    Ok(Some(Figure {
        id: "scores",
        title: title.into(),
        note: "Spearman's rank correlation of cosines with people's grades, × 100; higher is better.".into(),
        legend: legend(runs, |model| !model.scores.is_empty()),
        svg: bars(title, (axis("Spearman × 100", tenths), axis("STS set", plain)), &groups)?,
        table,
    }))
}

fn tenths(value: f64) -> String {
    format!("{value:.1}")
}

/// Agreement with the teacher on held-out text.
pub fn agreement(runs: &[Run]) -> Result<Option<Figure>> {
    const KINDS: [&str; 5] = ["cosine", "pairs", "neighbours", "one space", "topics"];
    let figure = |model: &ModelSummary, kind: &str| {
        let fidelity = model.fidelity;
        let part = match kind {
            "cosine" => fidelity?.cosine,
            "pairs" => Some(fidelity?.spearman),
            "neighbours" => Some(fidelity?.neighbours_at_10),
            "one space" => share(model, extra::ONE_SPACE),
            _ => share(model, extra::TOPIC_ACCURACY),
        };
        part.map(|part| 100.0 * part)
    };
    let kinds: Vec<String> = KINDS
        .iter()
        .filter(|kind| models(runs).any(|(_, model)| figure(model, kind).is_some()))
        .map(|kind| kind.to_string())
        .collect();
    if kinds.is_empty() {
        return Ok(None);
    }
    let (groups, table) = grouped(runs, &kinds, "figure", figure);
    let title = "Agreement with the teacher";
    Ok(Some(Figure {
        id: "agreement",
        title: title.into(),
        note: "On held-out text, × 100. Cosine: to the teacher's vector of the same text. Pairs: Spearman of the \
               similarities of pairs of texts. Neighbours: the share of the teacher's ten nearest that the model finds \
               among its own vectors. One space: the same where the model embeds the query and the teacher the \
               documents. Topics: accuracy of a linear probe on labelled documents."
            .into(),
        legend: legend(runs, |model| model.fidelity.is_some()),
        svg: bars(title, (axis("× 100", tenths), axis("figure", plain)), &groups)?,
        table,
    }))
}

/// How large the models are.
pub fn sizes(runs: &[Run]) -> Result<Option<Figure>> {
    let mut table = Table::new(["model", "size", "bytes", "parameters", "vector"]);
    let mut groups = Vec::new();
    for (at, (run, model)) in models(runs).enumerate().filter(|(_, (_, model))| model.bytes > 0) {
        let name = within(runs, run, &model.name);
        groups.push(Group { name: name.clone(), bars: vec![Bar { value: model.bytes as f64 / 1e6, colour: at }] });
        let parameters = if model.parameters > 0 { count(model.parameters) } else { "-".into() };
        table.push([name, size(model.bytes), thousands(model.bytes as f64), parameters, model.dimension.to_string()]);
    }
    if groups.is_empty() {
        return Ok(None);
    }
    let title = "Sizes";
    Ok(Some(Figure {
        id: "sizes",
        title: title.into(),
        note: "What each model takes as a file.".into(),
        legend: Vec::new(),
        svg: bars(title, (axis("megabytes (MB)", |value| format!("{value:.1}")), axis("model", exact)), &groups)?,
        table,
    }))
}
