//! Figures of training: losses, agreement with the teacher, and alignment against uniformity.

use super::super::history::History;
use super::super::plot::{Axes, Baseline, Curve, Mark, Plane, Scale, TickFormat, lines, plane};
use super::super::run::FinishedRun;
use super::{Figure, axis, colour, exact, legend_of_runs, models, place_of, shape, within};
use crate::error::Result;
use crate::summary::TableCells;
use crate::summary::format::thousands;

/// The stage that trains a teacher; its loss is on another scale than the students'.
const TEACHERS_STAGE: &str = "train-teacher";

/// The curves of the stages that `wanted` takes.
fn curves(runs: &[FinishedRun], wanted: fn(&History) -> bool, points: fn(&History) -> &Vec<(f64, f64)>) -> Vec<Curve> {
    let histories = runs.iter().flat_map(|run| run.histories.iter().map(move |history| (run, history)));
    histories
        .filter(|(_, history)| wanted(history))
        .map(|(run, history)| Curve {
            name: within(runs, run, &history.stage),
            colour: colour(runs, run, &history.stage),
            points: points(history).clone(),
        })
        .filter(|line| !line.points.is_empty())
        .collect()
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

/// What a figure of curves says.
struct CurveTexts {
    id: &'static str,
    title: &'static str,
    note: String,
    value: &'static str,
}

fn figure(texts: CurveTexts, curves: Vec<Curve>) -> Result<Option<Figure>> {
    if curves.is_empty() {
        return Ok(None);
    }
    let CurveTexts { id, title, note, value } = texts;
    let axes = Axes { x: axis("training step", TickFormat::Whole), y: axis(value, TickFormat::Decimal) };
    Ok(Some(Figure {
        id,
        title: title.into(),
        note,
        legend: curves.iter().map(|curve| (curve.name.clone(), curve.colour)).collect(),
        svg: lines(title, axes, &curves, Baseline::Data)?,
        table: table(&curves, value),
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
    let note = loss_note(runs, of_students);
    let texts = CurveTexts { id: "loss", title: "Loss of distillation", note, value: "loss" };
    figure(texts, curves(runs, of_students, |history| &history.loss))
}

/// The students' agreement with their targets on held-out text during training.
pub(super) fn held_out(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let texts = CurveTexts {
        id: "held-out",
        title: "Held-out cosine during training",
        note: "The mean cosine with the teacher's vectors of texts that are not trained on; the best state is kept."
            .into(),
        value: "cosine with the teacher",
    };
    figure(texts, curves(runs, of_students, |history| &history.cosine))
}

/// The loss of a teacher that was trained here.
pub(super) fn teachers_loss(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let note = loss_note(runs, of_teachers);
    let texts = CurveTexts { id: "teacher-loss", title: "Loss of the teacher's training", note, value: "loss" };
    figure(texts, curves(runs, of_teachers, |history| &history.loss))
}

/// The development score of a teacher that was trained here.
pub(super) fn teachers_dev(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let texts = CurveTexts {
        id: "teacher-dev",
        title: "Development score of the teacher",
        note: "Spearman × 100 on the development set during the teacher's training; the best state is kept.".into(),
        value: "dev Spearman",
    };
    figure(texts, curves(runs, of_teachers, |history| &history.dev))
}

/// Alignment against uniformity: the finished models, and the paths of trainings that logged both.
pub(super) fn space(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let mut table = TableCells::new(["model or stage", "evaluation", "uniformity", "alignment"]);
    let mut paths: Vec<Curve> = Vec::new();
    for run in runs {
        for history in run.histories.iter().filter(|history| !history.space.is_empty()) {
            let colour = if runs.len() > 1 { place_of(runs, run) } else { colour(runs, run, &history.stage) };
            paths.push(Curve { name: within(runs, run, &history.stage), colour, points: history.space.clone() });
        }
    }
    for path in &paths {
        for (at, (uniformity, alignment)) in path.points.iter().enumerate() {
            table.push([path.name.clone(), (at + 1).to_string(), exact(*uniformity), exact(*alignment)]);
        }
    }
    let mut marks = Vec::new();
    for (run, model) in models(runs) {
        let (Some(uniformity), Some(alignment)) = (model.uniformity, model.alignment) else { continue };
        table.push([within(runs, run, &model.name), "end".into(), exact(uniformity), exact(alignment)]);
        let colour = if runs.len() > 1 { place_of(runs, run) } else { colour(runs, run, &model.name) };
        marks.push(Mark { name: model.name.clone(), at: (uniformity, alignment), colour, shape: shape(model) });
    }
    if marks.is_empty() && paths.is_empty() {
        return Ok(None);
    }
    let title = "Alignment against uniformity";
    let axes = Axes {
        x: axis("uniformity (lower is better)", TickFormat::Decimal),
        y: axis("alignment (lower is better)", TickFormat::Decimal),
    };
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
    let svg = plane(Plane { title, axes, scale: Scale::Linear, marks: &marks, paths: &paths })?;
    Ok(Some(Figure { id: "space", title: title.into(), note, legend, svg, table }))
}
