//! Figures of the models side by side: speed, scores, agreement, sizes.

use super::super::plot::svg::COLOURS;
use super::super::plot::{Bar, Group, Mark, bars, plane};
use super::super::run::Run;
use super::{Figure, Table, axis, colour, exact, legend_of_runs, models, place_of, plain, shape, within};
use crate::error::Result;
use crate::summary::table::{count, size, speed, thousands};
use crate::summary::{ModelSummary, extra};

/// A figure of a model as a share.
fn share(model: &ModelSummary, key: &str) -> Option<f64> {
    model.extra.get(key)?.as_f64()
}

/// Quality against speed, every model a point.
pub fn speed_and_quality(runs: &[Run]) -> Result<Option<Figure>> {
    // One measure for all: of runs with and without STS sets that which more of the models have.
    let having = |wanted: fn(&ModelSummary) -> bool| models(runs).filter(|(_, model)| wanted(model)).count();
    let has_scores = having(|model| model.average.is_some()) >= having(|model| model.fidelity.is_some()).max(1);
    let (name, short) = if has_scores {
        ("STS: mean Spearman × 100", "STS average")
    } else {
        ("Spearman with the teacher × 100", "agreement")
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
            let colour = if runs.len() > 1 { place_of(runs, run) } else { colour(runs, run, &model.name) };
            marks.push(Mark { name: model.name.clone(), at: (speed, quality), colour, shape: shape(model) });
        }
    }
    if marks.is_empty() {
        return Ok(None);
    }
    let axes = (axis("sentences a second (logarithmic)", in_few_letters), axis(name, plain));
    let title = "Quality against speed";
    let mut note =
        "Right is faster, up is better. Squares are teachers, circles students, triangles static models. The \
                    models of a run read the same text on the same machine, in turn."
            .to_owned();
    let sets = |model: &ModelSummary| model.scores.keys().cloned().collect::<Vec<_>>();
    let mut averaged = models(runs).filter(|(_, model)| model.average.is_some()).map(|(_, model)| sets(model));
    let first = averaged.next();
    if has_scores && averaged.any(|sets| Some(&sets) != first.as_ref()) {
        note += " The means are over different sets, run by run, and can't be compared between runs.";
    }
    Ok(Some(Figure {
        id: "speed",
        title: title.into(),
        note,
        legend: legend_of_runs(runs),
        svg: plane(title, axes, &marks, &[], true)?,
        table,
    }))
}

/// The models, those of one name in different runs beside one another.
fn by_name(runs: &[Run]) -> Vec<(&Run, &ModelSummary)> {
    let mut all: Vec<_> = models(runs).collect();
    all.sort_by_key(|(run, model)| colour(runs, run, &model.name) % COLOURS);
    all
}

/// The models as series: their names, and the places of their colours.
fn legend(runs: &[Run], wanted: impl Fn(&ModelSummary) -> bool) -> Vec<(String, usize)> {
    by_name(runs)
        .into_iter()
        .filter(|(_, model)| wanted(model))
        .map(|(run, model)| (within(runs, run, &model.name), colour(runs, run, &model.name)))
        .collect()
}

/// Groups of bars, one for each of `kinds`, a bar a model that `figure` is known of; and the same as a table.
fn grouped(
    runs: &[Run],
    kinds: &[String],
    what: &str,
    figure: impl Fn(&ModelSummary, &str) -> Option<f64>,
) -> (Vec<Group>, Table) {
    let all = by_name(runs);
    let names = all.iter().map(|(run, model)| within(runs, run, &model.name));
    let head = [what.to_owned()].into_iter().chain(names);
    let (mut groups, mut table) = (Vec::new(), Table::new(head));
    for kind in kinds {
        let figures: Vec<Option<f64>> = all.iter().map(|(_, model)| figure(model, kind)).collect();
        let known = all
            .iter()
            .zip(&figures)
            .filter_map(|((run, model), value)| Some(Bar { value: (*value)?, colour: colour(runs, run, &model.name) }));
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
    let (groups, table) = grouped(runs, &kinds, "measure", figure);
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
        svg: bars(title, (axis("share or correlation × 100", tenths), axis("measure", plain)), &groups)?,
        table,
    }))
}

/// How large the models are.
pub fn sizes(runs: &[Run]) -> Result<Option<Figure>> {
    let mut table = Table::new(["model", "size", "bytes", "parameters", "vector"]);
    let mut groups = Vec::new();
    for (run, model) in by_name(runs).into_iter().filter(|(_, model)| model.bytes > 0) {
        let name = within(runs, run, &model.name);
        groups.push(Group {
            name: name.clone(),
            bars: vec![Bar { value: model.bytes as f64 / 1e6, colour: colour(runs, run, &model.name) }],
        });
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

/// A power of ten in few letters, for an axis: 1 k, 10 M.
fn in_few_letters(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.0} M", value / 1e6),
        value if value >= 1e3 => format!("{:.0} k", value / 1e3),
        value => plain(value),
    }
}
