//! The student before its first step: the static start, or a student that was trained before.

use limbeck_data::Monitor;
use limbeck_encoder::{TokenBatch, normalise};

use super::job::DistilJob;
use super::targets::Survey;
use crate::dense::DenseParameters;
use crate::error::{Error, Result};
use crate::model::TextCnn;
use crate::start::{Bags, Start, from_token_vectors, least_squares};

/// The least-squares start is made of about this many texts at most.
const START_TEXTS: usize = 131_072;

/// The student that [`super::distil`] starts from.
///
/// # Errors
/// As for [`super::distil`].
pub fn start_student(job: &DistilJob, monitor: Monitor) -> Result<TextCnn> {
    job.check()?;
    let survey = job.targets.survey(job.documents, monitor)?;
    Ok(start(job, &survey, monitor)?.model)
}

/// What a distillation starts from.
pub(super) struct Initial {
    pub(super) model: TextCnn,
    /// The target of the empty text, `dimension` values.
    pub(super) empty_target: Vec<f32>,
}

/// A copy of the student to start from, or one at the static start.
pub(super) fn start(job: &DistilJob, survey: &Survey, monitor: Monitor) -> Result<Initial> {
    if let Some(student) = job.student {
        return Ok(Initial { model: copy(job, student)?, empty_target: empty_target(job, survey)? });
    }
    let start = static_start(job, survey, monitor)?;
    let model = start.student(job.config.clone(), job.settings.seed, &job.device)?;
    Ok(Initial { model, empty_target: start.empty_target })
}

/// The target of the empty text, as the static start has it: the teacher's vector of it, or the mean of the targets.
fn empty_target(job: &DistilJob, survey: &Survey) -> Result<Vec<f32>> {
    if let Some(vectors) = job.targets.token_vectors()? {
        return Ok(vectors.embeddings[vectors.embeddings.len() - vectors.dimension..].to_vec());
    }
    let mut mean = survey.mean.clone();
    normalise(&mut mean);
    Ok(mean)
}

/// The static start: from the teacher's token vectors where the cache has them, else by least squares.
fn static_start(job: &DistilJob, survey: &Survey, monitor: Monitor) -> Result<Start> {
    let width = job.config.embedding;
    if let Some(vectors) = job.targets.token_vectors()? {
        return from_token_vectors(&vectors, &survey.frequencies, width);
    }
    monitor.note(
        "the cache has no vectors of the tokenizer's tokens: the start is the least-squares model of the targets",
    );
    let dimension = job.targets.dimension();
    let mut bags =
        Bags { tokens: TokenBatch::new(), targets: Vec::new(), dimension, vocabulary: job.targets.vocabulary() };
    // From all over the cache: its first texts would be of one source.
    let every = (job.targets.cache.rows() as usize).div_ceil(START_TEXTS);
    for slice in survey.slices.iter().step_by(every) {
        let examples = job.targets.examples(&job.targets.cache.read_slice(slice)?)?;
        examples.tokens.iter().for_each(|row| bags.tokens.push(row));
        bags.targets.extend_from_slice(&examples.targets);
    }
    least_squares(&bags, width)
}

/// A copy of `student`, which must be of the job's shape.
fn copy(job: &DistilJob, student: &TextCnn) -> Result<TextCnn> {
    let name = "the student to go on from";
    let allowed = "of the shape that [student] and the targets ask for";
    Error::require(student.config == job.config, name, "of another shape", allowed)?;
    let of = |tokens, dimensions| format!("of {tokens} tokens and {dimensions} numbers");
    let found = of(student.config.vocabulary, student.config.dimension);
    let wanted = of(job.targets.vocabulary(), job.targets.dimension());
    Error::require(found == wanted, name, &found, format!("{wanted}, as the targets are"))?;
    let find = |name: &str| student.dense.get(name).ok().and_then(|tensor| tensor.copy().ok());
    let dense = DenseParameters::new(&job.config, find)?;
    TextCnn::new(job.config.clone(), student.table.values().to_vec(), dense, job.device.clone())
}
