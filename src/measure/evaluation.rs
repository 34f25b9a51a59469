//! The quality of a run's models: one row of the table for each.

use std::path::Path;

use limbeck_data::{Monitor, files};
use limbeck_encoder::{Embeddings, Encoder, Precision};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::fidelity::Reference;
use super::held_out::{HeldOutCollector, HeldOutFigures};
use super::linear_probe::{TopicCorpus, topic_accuracy};
use super::model::NamedModel;
use super::retrieval::unjudged::UnjudgedSet;
use super::sts::{StsSet, sts};
use super::tasks::{TaskScores, TaskSets};
use super::word_order::{self, ReorderedPair};
use crate::error::{Error, Result};
use crate::json_file;
use crate::summary::{ModelRole, ModelSummary, extra};

/// A model of the table.
pub struct Candidate {
    /// The name in the table.
    pub name: String,
    /// The part in the run.
    pub role: ModelRole,
    /// The engine.
    pub encoder: Box<dyn Encoder>,
}

impl Candidate {
    /// A model of the table.
    pub fn new(name: impl Into<String>, role: ModelRole, encoder: impl Encoder + 'static) -> Self {
        Self { name: name.into(), role, encoder: Box::new(encoder) }
    }

    /// Whether the model is the teacher that made the targets, in this precision where there are several.
    pub fn made_targets(&self, precision: Option<Precision>) -> bool {
        let is_it = |precision: Precision| self.encoder.info().precision == precision.name();
        self.role == ModelRole::Teacher && precision.is_none_or(is_it)
    }

    /// The model under its name.
    pub fn model(&self) -> NamedModel<'_> {
        NamedModel::new(&self.name, &*self.encoder)
    }
}

/// The data that all models are measured on.
pub struct EvaluationData {
    /// Graded pairs; without a set no STS score is measured.
    pub sets: Vec<StsSet>,
    /// The sets of other tasks. A teacher is measured on them only in the precision that made the targets.
    pub tasks: TaskSets,
    /// The text's own collection, in which search is measured without labels.
    pub unjudged: Option<UnjudgedSet>,
    /// The precision of the teacher that made the targets; `None` where there is but one.
    pub target_precision: Option<Precision>,
    /// Texts that no student was trained on.
    pub held_out: Vec<String>,
    /// The teacher's vectors of `held_out`.
    pub teacher: Reference,
    /// Sentences in another word order; without a pair no word order is measured.
    pub pairs: Vec<ReorderedPair>,
    /// Labelled documents; without them no topic accuracy is measured.
    pub topics: Option<TopicCorpus>,
}

/// The figures of a teacher, which several runs may share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TeacherFigures {
    /// The row of the table, without the speed.
    pub row: ModelSummary,
    /// The similarities of the reordered pairs, where word order is measured.
    pub order: Option<Vec<f64>>,
}

impl TeacherFigures {
    /// Reads the figures from `path`. Without that file they come from `measure` and are written there: a teacher is
    /// slow, and runs over one base have the same one.
    ///
    /// # Errors
    /// A file that cannot be read or written, or holds something else; an error of `measure`.
    pub fn read_or_measure(path: &Path, measure: impl FnOnce() -> Result<Self>) -> Result<Self> {
        let what = "teacher's figures";
        if let Some(stored) = json_file::read_if_present(path, what)? {
            return Ok(stored);
        }
        let measured = measure()?;
        files::write_bytes(path, &serde_json::to_vec(&measured).map_err(Error::json(what, path))?)?;
        Ok(measured)
    }
}

/// The rows of a run's table, and the figures of the held-out texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// A row a model, without the speeds.
    pub rows: Vec<ModelSummary>,
    /// What the report shows of the held-out texts.
    pub held_out: HeldOutFigures,
}

/// Measures `candidates` on `data`. Teachers come before the models that are compared with them; `teacher_figures`
/// measures a teacher by [`measure_teacher`] or gives the figures that an earlier run measured.
///
/// # Errors
/// Too little data, what encoding gives, an error of `teacher_figures`, or an interrupt.
pub fn evaluate(
    candidates: &[Candidate],
    data: &EvaluationData,
    teacher_figures: impl Fn(&Candidate) -> Result<TeacherFigures>,
    monitor: Monitor<'_>,
) -> Result<Evaluation> {
    let mut held_out = HeldOutCollector::new(&data.held_out);
    held_out.add_with_neighbours(ModelRole::Teacher.name(), &data.teacher.vectors)?;
    let (mut rows, mut order) = (Vec::new(), None);
    for candidate in candidates {
        monitor.check()?;
        if candidate.role == ModelRole::Teacher {
            let figures = teacher_figures(candidate)?;
            order = order.or(figures.order);
            rows.push(figures.row);
            continue;
        }
        let (row, vectors) = measure_row(candidate, data, order.as_deref(), monitor)?;
        match candidate.name == ModelRole::Student.name() {
            // Neighbours are the dense half's, which the same student without a lexical half has.
            _ if candidate.encoder.lexical().is_some() => {}
            true => held_out.add_with_neighbours(&candidate.name, &vectors)?,
            false => held_out.add(&candidate.name, &vectors)?,
        }
        rows.push(row);
    }
    Ok(Evaluation { rows, held_out: held_out.figures })
}

/// Measures a teacher: the row, and the similarities that the students' word order is compared with.
///
/// # Errors
/// Too little data, or what encoding gives.
pub fn measure_teacher(teacher: &Candidate, data: &EvaluationData, monitor: Monitor<'_>) -> Result<TeacherFigures> {
    let similarities = || word_order::similarities(&teacher.model(), &data.pairs, monitor);
    let order = (!data.pairs.is_empty()).then(similarities).transpose()?;
    Ok(TeacherFigures { row: measure_row(teacher, data, None, monitor)?.0, order })
}

/// The row of a model and its vectors of the held-out texts; word order is compared with `order`, the teacher's
/// similarities. What a teacher's vectors are compared with is a dense half: a row with a lexical half has no fidelity
/// and no word order, which the row of the same student without it has.
fn measure_row(
    candidate: &Candidate,
    data: &EvaluationData,
    order: Option<&[f64]>,
    monitor: Monitor<'_>,
) -> Result<(ModelSummary, Embeddings)> {
    let (model, info) = (candidate.model(), candidate.encoder.info());
    let texts: Vec<&str> = data.held_out.iter().map(String::as_str).collect();
    let vectors = model.encode(&texts, "held-out texts", monitor)?;
    let is_dense = candidate.encoder.lexical().is_none();
    let fidelity = is_dense.then(|| data.teacher.compare(&vectors)).transpose()?;
    let mut more = Map::new();
    if let Some(centred) = fidelity.as_ref().and_then(|fidelity| fidelity.cosine_centred) {
        more.insert(extra::COSINE_CENTRED.into(), json!(centred));
    }
    let share = fidelity.as_ref().and_then(|fidelity| fidelity.shared_space_at_10);
    if let (Some(share), true) = (share, candidate.role != ModelRole::Teacher) {
        more.insert(extra::SHARED_SPACE.into(), json!(share));
    }
    if let Some(order) = order.filter(|_| is_dense) {
        let own = word_order::similarities(&model, &data.pairs, monitor)?;
        let score = word_order::score(&data.pairs, &own, order)?;
        more.insert(extra::WORD_ORDER.into(), json!(score.average));
        more.insert(extra::WORD_ORDER_KINDS.into(), json!(score.kinds));
    }
    if let Some(topics) = &data.topics {
        more.insert(extra::TOPIC_ACCURACY.into(), json!(topic_accuracy(&model, topics, monitor)?.accuracy));
    }
    if let (Some(unjudged), true) = (&data.unjudged, is_dense && candidate.role != ModelRole::Teacher) {
        more.insert(extra::LABEL_FREE.into(), json!(unjudged.score(&model, monitor)?));
    }
    let is_wanted = candidate.role != ModelRole::Teacher || candidate.made_targets(data.target_precision);
    let tasks = if is_wanted { data.tasks.score(&model, None, monitor)? } else { TaskScores::default() };
    let scores = (!data.sets.is_empty()).then(|| sts(&model, &data.sets, monitor)).transpose()?;
    let row = ModelSummary {
        name: candidate.name.clone(),
        role: candidate.role,
        parameters: info.parameters,
        bytes: info.bytes,
        dimension: info.dimension,
        sentences_per_second: None,
        average: scores.as_ref().map(|scores| scores.average),
        alignment: scores.as_ref().and_then(|scores| scores.alignment),
        uniformity: scores.as_ref().and_then(|scores| scores.uniformity),
        scores: scores.map(|scores| scores.scores).unwrap_or_default(),
        tasks,
        fidelity: fidelity.map(|fidelity| fidelity.agreement),
        engine: info.engine.into(),
        precision: info.precision.into(),
        threads: info.threads,
        extra: more,
    };
    Ok((row, vectors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::test_support::{FakeEncoder, bag, bag_of_bigrams, silent};

    fn data() -> EvaluationData {
        let held_out: Vec<String> =
            (0..60).map(|at| format!("{at} dogs saw {} cats in town {}", at * 7 % 31, at % 5)).collect();
        let sentences: Vec<&str> = held_out.iter().map(String::as_str).collect();
        let vectors = NamedModel::new("teacher", &FakeEncoder::new(bag_of_bigrams)).encode(&sentences, "", silent());
        let pairs = word_order::pairs(&sentences, 1);
        let teacher = Reference::new(vectors.unwrap()).unwrap();
        let (sets, tasks, topics) = (Vec::new(), TaskSets::default(), None);
        EvaluationData { sets, tasks, unjudged: None, target_precision: None, teacher, pairs, topics, held_out }
    }

    fn evaluation() -> Evaluation {
        let data = data();
        let candidates = [
            Candidate::new("teacher", ModelRole::Teacher, FakeEncoder::new(bag_of_bigrams)),
            Candidate::new("student", ModelRole::Student, FakeEncoder::new(bag_of_bigrams)),
            Candidate::new("static", ModelRole::Baseline, FakeEncoder::new(bag)),
        ];
        evaluate(&candidates, &data, |teacher| measure_teacher(teacher, &data, silent()), silent()).unwrap()
    }

    #[test]
    fn each_candidate_has_a_row_in_order() {
        let names: Vec<String> = evaluation().rows.into_iter().map(|row| row.name).collect();
        assert_eq!(names, ["teacher", "student", "static"]);
    }

    #[test]
    fn word_order_is_compared_with_the_first_teacher() {
        let orders: Vec<Option<f64>> =
            evaluation().rows.iter().map(|row| row.extra_number(extra::WORD_ORDER)).collect();
        assert!(orders[0].is_none() && orders[1].unwrap() > 0.999, "{orders:?}");
        assert_eq!(orders[2], Some(0.0));
    }

    #[test]
    fn of_two_teachers_one_made_the_targets_and_an_only_one_did_whatever_its_precision() {
        let teacher = Candidate::new("teacher", ModelRole::Teacher, FakeEncoder::new(bag));
        let made = [None, Some(Precision::F32), Some(Precision::Int8)].map(|precision| teacher.made_targets(precision));
        assert_eq!(made, [true, true, false]);
        assert!(!Candidate::new("student", ModelRole::Student, FakeEncoder::new(bag)).made_targets(None));
    }

    #[test]
    fn a_teacher_has_no_share_in_its_own_space() {
        let rows = evaluation().rows;
        assert!(rows[0].extra_number(extra::SHARED_SPACE).is_none());
        assert!(rows[1].extra_number(extra::SHARED_SPACE).unwrap() > 0.999);
    }

    #[test]
    fn a_teacher_is_measured_once_for_several_runs() {
        let folder = tempfile::tempdir().unwrap();
        let (path, data) = (folder.path().join("measured/teacher.json"), data());
        let teacher = Candidate::new("teacher", ModelRole::Teacher, FakeEncoder::new(bag_of_bigrams));
        let measured = TeacherFigures::read_or_measure(&path, || measure_teacher(&teacher, &data, silent())).unwrap();
        let again = TeacherFigures::read_or_measure(&path, || panic!("measured again")).unwrap();
        assert_eq!(measured, again);
    }

    #[test]
    fn neighbours_are_shown_of_the_teacher_and_the_student_alone() {
        let held_out = evaluation().held_out;
        assert!(held_out.similarities.keys().eq(["teacher", "student", "static"]));
        assert!(held_out.neighbours.iter().all(|shown| shown.by.keys().eq(["teacher", "student"])));
    }
}
