//! Figures of training: losses, agreement with the teacher, and alignment against uniformity.

use super::super::history::History;
use super::super::plot::svg::COLOURS;
use super::super::plot::{Axes, Baseline, Curve, Scale, TickFormat, lines, plane};
use super::super::run::FinishedRun;
use super::{Figure, colour, exact, legend_of_runs, models, within};
use crate::error::Result;
use crate::summary::TableCells;
use crate::summary::format::thousands;

/// The stage that trains a teacher; its loss is on another scale than the students'.
const TEACHERS_STAGE: &str = "train-teacher";

/// The curves of the stages that `wanted` takes.
fn curves(runs: &[FinishedRun], wanted: fn(&History) -> bool, points: fn(&History) -> &Vec<(f64, f64)>) -> Vec<Curve> {
    let mut curves = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        for history in run.histories.iter().filter(|history| wanted(history) && !points(history).is_empty()) {
            let (name, colour) = (within(runs, at, &history.stage), colour(runs, at, &history.stage));
            curves.push(Curve { name, colour, points: points(history).clone() });
        }
    }
    curves
}

/// A row a point: the curve, the step and the value.
fn table(curves: &[Curve], value: &str) -> TableCells {
    let mut table = TableCells::new(["stage", "step", value]);
    for line in curves {
        for (step, value) in &line.points {
            table.push([line.name.clone(), thousands(*step), exact(*value)]);
        }
    }
    table
}

/// A figure of `curves`, which show `value`.
fn figure(
    id: &'static str,
    title: &'static str,
    note: String,
    value: &str,
    curves: &[Curve],
) -> Result<Option<Figure>> {
    if curves.is_empty() {
        return Ok(None);
    }
    let axes = Axes { x: "training step", ticks: TickFormat::Whole, y: Some(value) };
    Ok(Some(Figure {
        id,
        title,
        note,
        legend: curves.iter().map(|curve| (curve.name.clone(), curve.colour)).collect(),
        svg: lines(title, axes, curves, Baseline::Data)?,
        table: table(curves, value),
    }))
}

fn of_students(history: &History) -> bool {
    history.stage != TEACHERS_STAGE
}

fn of_teachers(history: &History) -> bool {
    history.stage == TEACHERS_STAGE
}

fn loss_note(runs: &[FinishedRun], wanted: fn(&History) -> bool) -> String {
    let histories = runs.iter().flat_map(|run| &run.histories).filter(|history| wanted(history));
    let most = histories.map(|history| history.steps_a_point).max().unwrap_or(1);
    match most {
        0 | 1 => "The loss of each step.".into(),
        most => format!("The loss; each point is the mean of at most {most} steps."),
    }
}

/// The students' loss.
pub(super) fn losses(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let curves = curves(runs, of_students, |history| &history.loss);
    figure("loss", "Loss of distillation", loss_note(runs, of_students), "loss", &curves)
}

/// The students' agreement with their targets on held-out text during training.
pub(super) fn held_out(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let curves = curves(runs, of_students, |history| &history.cosine);
    let note = "The mean cosine with the teacher's vectors of texts that are not trained on; the best state is kept.";
    figure("held-out", "Held-out cosine during training", note.into(), "cosine with the teacher", &curves)
}

/// The loss of a teacher that was trained here.
pub(super) fn teachers_loss(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let curves = curves(runs, of_teachers, |history| &history.loss);
    figure("teacher-loss", "Loss of the teacher's training", loss_note(runs, of_teachers), "loss", &curves)
}

/// The development score of a teacher that was trained here.
pub(super) fn teachers_dev(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let curves = curves(runs, of_teachers, |history| &history.dev);
    let note = "Spearman × 100 on the development set during the teacher's training; the best state is kept.";
    figure("teacher-dev", "Development score of the teacher", note.into(), "dev Spearman", &curves)
}

/// Alignment against uniformity: the finished models, and the paths of trainings that logged both.
pub(super) fn space(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let mut table = TableCells::new(["model or stage", "evaluation", "uniformity", "alignment"]);
    let mut paths = curves(runs, |_| true, |history| &history.space);
    for path in &mut paths {
        if runs.len() > 1 {
            // Of the run, as the legend says.
            path.colour /= COLOURS;
        }
        for (at, (uniformity, alignment)) in path.points.iter().enumerate() {
            table.push([path.name.clone(), (at + 1).to_string(), exact(*uniformity), exact(*alignment)]);
        }
    }
    let mut marks = Vec::new();
    for shown in models(runs) {
        let (Some(uniformity), Some(alignment)) = (shown.model.uniformity, shown.model.alignment) else { continue };
        table.push([shown.name.clone(), "end".into(), exact(uniformity), exact(alignment)]);
        marks.push(shown.mark(runs, (uniformity, alignment)));
    }
    if marks.is_empty() && paths.is_empty() {
        return Ok(None);
    }
    let title = "Alignment against uniformity";
    let (x, y) = ("uniformity (lower is better)", Some("alignment (lower is better)"));
    let axes = Axes { x, ticks: TickFormat::Decimal, y };
    let mut note = "Alignment is the mean squared distance of vectors of equal meaning; uniformity tells how evenly \
                    vectors cover the sphere (Wang and Isola 2020)."
        .to_owned();
    if !marks.is_empty() {
        note += " Points are the finished models on the STS sets.";
    }
    if !paths.is_empty() {
        note += " A path leads over the evaluations of training, from the hollow circle to the filled one. In a \
                 distillation these use held-out texts; a pair is the student's and the teacher's vector of one text.";
    }
    let mut legend = legend_of_runs(runs);
    if legend.is_empty() {
        legend.extend(paths.iter().map(|path| (path.name.clone(), path.colour)));
    }
    let svg = plane(title, axes, Scale::Linear, &marks, &paths)?;
    Ok(Some(Figure { id: "space", title, note, legend, svg, table }))
}
