//! Figures of training: losses, agreement while it went on, and the space's shape.

use super::super::history::History;
use super::super::plot::{Line, Mark, lines, plane};
use super::super::run::Run;
use super::{Figure, Table, axis, colour, exact, legend_of_runs, models, place_of, shape, within};
use crate::error::Result;
use crate::summary::table::thousands;

/// The stage in which a teacher is trained; its loss is another than the students'.
const TEACHERS_STAGE: &str = "train-teacher";

/// The curves of the stages that `wanted` takes.
fn curves(runs: &[Run], wanted: fn(&History) -> bool, points: fn(&History) -> &Vec<(f64, f64)>) -> Vec<Line> {
    let histories = runs.iter().flat_map(|run| run.histories.iter().map(move |history| (run, history)));
    histories
        .filter(|(_, history)| wanted(history))
        .map(|(run, history)| Line {
            name: within(runs, run, &history.stage),
            colour: colour(runs, run, &history.stage),
            points: points(history).clone(),
        })
        .filter(|line| !line.points.is_empty())
        .collect()
}

/// A row a point: the curve, the step and the value.
fn table(curves: &[Line], value: &str) -> Table {
    let mut table = Table::new(["stage", "step", value]);
    for line in curves {
        for (step, value) in &line.points {
            table.push([line.name.clone(), thousands(*step), exact(*value)]);
        }
    }
    table
}

struct Words {
    id: &'static str,
    title: &'static str,
    note: String,
    value: &'static str,
}

fn figure(words: Words, curves: Vec<Line>, digits: fn(f64) -> String) -> Result<Option<Figure>> {
    if curves.is_empty() {
        return Ok(None);
    }
    let Words { id, title, note, value } = words;
    Ok(Some(Figure {
        id,
        title: title.into(),
        note,
        legend: curves.iter().map(|line| (line.name.clone(), line.colour)).collect(),
        svg: lines(title, (axis("training step", thousands), axis(value, digits)), &curves, false)?,
        table: table(&curves, value),
    }))
}

fn of_students(history: &History) -> bool {
    history.stage != TEACHERS_STAGE
}

fn of_teachers(history: &History) -> bool {
    history.stage == TEACHERS_STAGE
}

fn loss_note(runs: &[Run], wanted: fn(&History) -> bool) -> String {
    let histories = runs.iter().flat_map(|run| &run.histories).filter(|history| wanted(history));
    let most = histories.map(|history| history.steps_a_point).max().unwrap_or(1);
    match most {
        0 | 1 => "The loss of each step.".into(),
        most => format!("The loss; each point is the mean of at most {most} steps."),
    }
}

/// The students' loss.
pub fn losses(runs: &[Run]) -> Result<Option<Figure>> {
    let note = loss_note(runs, of_students);
    let words = Words { id: "loss", title: "Loss of distillation", note, value: "loss" };
    figure(words, curves(runs, of_students, |history| &history.loss), |value| format!("{value:.2}"))
}

/// The students' agreement with their targets on held-out text while they learn.
pub fn held_out(runs: &[Run]) -> Result<Option<Figure>> {
    let words = Words {
        id: "held-out",
        title: "Held-out cosine while learning",
        note: "The mean cosine to the teacher's vectors of texts that are not trained on; the best state is kept."
            .into(),
        value: "cosine to the teacher",
    };
    figure(words, curves(runs, of_students, |history| &history.cosine), |value| format!("{value:.2}"))
}

/// The loss of a teacher that was trained here.
pub fn teachers_loss(runs: &[Run]) -> Result<Option<Figure>> {
    let note = loss_note(runs, of_teachers);
    let words = Words { id: "teacher-loss", title: "Loss of the teacher's training", note, value: "loss" };
    figure(words, curves(runs, of_teachers, |history| &history.loss), |value| format!("{value:.2}"))
}

/// The development score of a teacher that was trained here.
pub fn teachers_dev(runs: &[Run]) -> Result<Option<Figure>> {
    let words = Words {
        id: "teacher-dev",
        title: "Development score of the teacher",
        note: "Spearman on the development set while the teacher is trained; the best state is kept.".into(),
        value: "dev Spearman",
    };
    figure(words, curves(runs, of_teachers, |history| &history.dev), exact)
}

/// Alignment against uniformity: paths of training where they were logged, and the finished models.
pub fn space(runs: &[Run]) -> Result<Option<Figure>> {
    let mut table = Table::new(["model or stage", "evaluation", "uniformity", "alignment"]);
    let mut paths: Vec<Line> = Vec::new();
    for run in runs {
        for history in run.histories.iter().filter(|history| !history.space.is_empty()) {
            let colour = if runs.len() > 1 { place_of(runs, run) } else { colour(runs, run, &history.stage) };
            paths.push(Line { name: within(runs, run, &history.stage), colour, points: history.space.clone() });
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
    let axes = (
        axis("uniformity (lower: the sphere is used more)", |value| format!("{value:.1}")),
        axis("alignment (lower: equals are nearer)", |value| format!("{value:.2}")),
    );
    let mut note = "Wang and Isola's two measures on the STS sets: left and down is better.".to_owned();
    if !paths.is_empty() {
        note += " A path leads from the hollow circle to the filled one, over the evaluations of training; a distillation's is \
                 over held-out texts, the student's and the teacher's vector of a text taken as equals.";
    }
    let mut legend = legend_of_runs(runs);
    if legend.is_empty() {
        legend.extend(paths.iter().map(|path| (path.name.clone(), path.colour)));
    }
    let svg = plane(title, axes, &marks, &paths, false)?;
    Ok(Some(Figure { id: "space", title: title.into(), note, legend, svg, table }))
}
