//! Figures of the models side by side: speed, scores, agreement, sizes.

use super::super::plot::svg::COLOURS;
use super::super::plot::{Axes, BarGroup, BarValue, Scale, TickFormat, bars, plane};
use super::super::run::FinishedRun;
use super::{Figure, ShownModel, cell, legend_of_runs, models};
use crate::error::Result;
use crate::summary::format::{count, size, speed, thousands};
use crate::summary::{ModelSummary, TableCells, extra, sts_sets};

/// Quality against speed; every model is a point.
pub(super) fn speed_and_quality(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    // All models are shown by one measure: STS scores, unless more models have an agreement with the teacher.
    let having = |wanted: fn(&ModelSummary) -> bool| models(runs).filter(|shown| wanted(shown.model)).count();
    let has_scores = having(|model| model.average.is_some()) >= having(|model| model.fidelity.is_some()).max(1);
    let (name, short) = if has_scores {
        ("STS: mean Spearman × 100", "STS average")
    } else {
        ("Spearman with the teacher × 100", "agreement")
    };
    let quality = |model: &ModelSummary| {
        if has_scores { model.average } else { model.fidelity.map(|fidelity| 100.0 * fidelity.spearman) }
    };
    let mut table = TableCells::new([
        "model",
        "sentences/s",
        "p50 alone, ms",
        "p99 alone, ms",
        "threads",
        "engine",
        "precision",
        short,
    ]);
    let mut marks = Vec::new();
    for shown in models(runs) {
        let model = shown.model;
        let latency = |percentile: &str| cell(model.latency(percentile), |milliseconds| format!("{milliseconds:.3}"));
        table.push([
            shown.name.clone(),
            cell(model.sentences_per_second, speed),
            latency("p50"),
            latency("p99"),
            model.threads.to_string(),
            model.engine.clone(),
            model.precision.clone(),
            cell(quality(model), |quality| format!("{quality:.2}")),
        ]);
        if let (Some(speed), Some(quality)) = (model.sentences_per_second.filter(|&speed| speed > 0.0), quality(model))
        {
            marks.push(shown.mark(runs, (speed, quality)));
        }
    }
    if marks.is_empty() {
        return Ok(None);
    }
    let axes = Axes { x: "sentences a second (logarithmic)", ticks: TickFormat::Prefixed, y: Some(name) };
    let title = "Quality against speed";
    let mut note =
        "Right is faster, up is better. Squares are teachers, circles students, triangles static models. The \
                    models of a run read the same text on the same machine in turn."
            .to_owned();
    let sets = |model: &ModelSummary| model.scores.keys().cloned().collect::<Vec<_>>();
    let mut averaged = models(runs).filter(|shown| shown.model.average.is_some()).map(|shown| sets(shown.model));
    let first = averaged.next();
    if has_scores && averaged.any(|sets| Some(&sets) != first.as_ref()) {
        note += " The runs averaged over different sets, so their averages cannot be compared.";
    }
    Ok(Some(Figure {
        id: "speed",
        title,
        note,
        legend: legend_of_runs(runs),
        svg: plane(title, axes, Scale::Logarithmic, &marks, &[])?,
        table,
    }))
}

/// The models; those of one name in several runs stand side by side.
fn by_name(runs: &[FinishedRun]) -> Vec<ShownModel<'_>> {
    let mut all: Vec<_> = models(runs).collect();
    all.sort_by_key(|shown| shown.colour % COLOURS);
    all
}

/// The models as series: their names and the indices of their colours.
pub(super) fn legend(runs: &[FinishedRun], wanted: impl Fn(&ModelSummary) -> bool) -> Vec<(String, usize)> {
    let wanted = by_name(runs).into_iter().filter(|shown| wanted(shown.model));
    wanted.map(|shown| (shown.name, shown.colour)).collect()
}

/// A group of bars for each of `kinds`, with a bar for each model that has the figure; and the same as a table.
pub(super) fn grouped(
    runs: &[FinishedRun],
    kinds: &[&str],
    what: &str,
    figure: impl Fn(&ModelSummary, &str) -> Option<f64>,
) -> (Vec<BarGroup>, TableCells) {
    let all = by_name(runs);
    let head = [what].into_iter().chain(all.iter().map(|shown| shown.name.as_str()));
    let (mut groups, mut table) = (Vec::new(), TableCells::new(head));
    for kind in kinds {
        let bar = |shown: &ShownModel<'_>| Some(BarValue { value: figure(shown.model, kind)?, colour: shown.colour });
        groups.push(BarGroup { name: kind.to_string(), bars: all.iter().filter_map(bar).collect() });
        let cells = all.iter().map(|shown| cell(figure(shown.model, kind), |value| format!("{value:.2}")));
        table.push([kind.to_string()].into_iter().chain(cells));
    }
    (groups, table)
}

/// The scores of each STS set.
pub(super) fn scores(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let sets = sts_sets(models(runs).map(|shown| shown.model));
    if sets.is_empty() {
        return Ok(None);
    }
    let (groups, table) = grouped(runs, &sets, "set", |model, set| model.scores.get(set).map(|score| score.spearman));
    let title = "Scores by set";
    Ok(Some(Figure {
        id: "scores",
        title,
        note: "Spearman's rank correlation of cosines with people's grades, × 100; higher is better.".into(),
        legend: legend(runs, |model| !model.scores.is_empty()),
        svg: bars(title, "Spearman × 100", "STS set", &groups)?,
        table,
    }))
}

/// Agreement with the teacher on held-out text.
pub(super) fn agreement(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    const KINDS: [&str; 5] = ["cosine", "pairs", "neighbours", "shared space", "topics"];
    let figure = |model: &ModelSummary, kind: &str| {
        let fidelity = model.fidelity;
        let part = match kind {
            "cosine" => fidelity?.cosine,
            "pairs" => Some(fidelity?.spearman),
            "neighbours" => Some(fidelity?.neighbours_at_10),
            "shared space" => model.extra_number(extra::SHARED_SPACE),
            _ => model.extra_number(extra::TOPIC_ACCURACY),
        };
        part.map(|part| 100.0 * part)
    };
    let is_known = |kind: &&str| models(runs).any(|shown| figure(shown.model, kind).is_some());
    let kinds: Vec<&str> = KINDS.into_iter().filter(is_known).collect();
    if kinds.is_empty() {
        return Ok(None);
    }
    let (groups, table) = grouped(runs, &kinds, "measure", figure);
    let title = "Agreement with the teacher";
    Ok(Some(Figure {
        id: "agreement",
        title,
        note: "On held-out text, × 100. Cosine: with the teacher's vector of the same text. Pairs: Spearman of the \
               similarities of pairs of texts. Neighbours: the share of the teacher's ten nearest neighbours that are \
               among the model's ten. Shared space: the same share where the model embeds the query and the teacher \
               the documents. Topics: accuracy of a linear probe on labelled documents."
            .into(),
        legend: legend(runs, |model| model.fidelity.is_some()),
        svg: bars(title, "share or correlation × 100", "measure", &groups)?,
        table,
    }))
}

/// The sizes of the models.
pub(super) fn sizes(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let mut table = TableCells::new(["model", "size", "bytes", "parameters", "vector"]);
    let mut groups = Vec::new();
    for ShownModel { name, model, colour, .. } in by_name(runs).into_iter().filter(|shown| shown.model.bytes > 0) {
        let bars = vec![BarValue { value: model.bytes as f64 / 1e6, colour }];
        groups.push(BarGroup { name: name.clone(), bars });
        let parameters = if model.parameters > 0 { count(model.parameters) } else { "-".into() };
        table.push([name, size(model.bytes), thousands(model.bytes as f64), parameters, model.dimension.to_string()]);
    }
    if groups.is_empty() {
        return Ok(None);
    }
    let title = "Sizes";
    Ok(Some(Figure {
        id: "sizes",
        title,
        note: "The size of each model's file.".into(),
        legend: Vec::new(),
        svg: bars(title, "megabytes (MB)", "model", &groups)?,
        table,
    }))
}
