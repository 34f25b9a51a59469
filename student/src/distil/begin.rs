//! Where a distillation begins: the static start, or a student that has learned already; and the centres of its classes.

use limbeck_data::Interrupt;
use limbeck_data::progress::Progress;
use limbeck_encoder::TokenBatch;
use serde_json::json;

use super::order;
use super::targets::Survey;
use super::train::DistilJob;
use crate::am_softmax::{CentreStart, ClassLoss, Rows, Shape};
use crate::contrast::weights_hash;
use crate::dense::DenseParameters;
use crate::error::{During, Error, Result};
use crate::graph::Backend;
use crate::model::TextCnn;
use crate::start::{Bags, Start, from_token_vectors, least_squares};
use crate::unit::to_unit;

/// At most about this many texts make the least-squares start.
const START_TEXTS: usize = 131_072;
/// How many texts are encoded at once for the starting centres.
const BATCH: usize = 256;

/// The student before its first step: what [`super::distil`] begins with.
///
/// # Errors
/// As for [`super::distil`].
pub fn start_student(job: &DistilJob, progress: &dyn Progress, interrupt: &Interrupt) -> Result<TextCnn> {
    job.check()?;
    let survey = job.targets.survey(progress, interrupt)?;
    Ok(begin(job, &survey, progress)?.model)
}

/// What a distillation begins with.
pub struct Beginning {
    pub model: TextCnn,
    /// What the empty text is to become, `dimension` numbers.
    pub empty_target: Vec<f32>,
}

/// The student to go on from, or one at the static start.
pub fn begin(job: &DistilJob, survey: &Survey, progress: &dyn Progress) -> Result<Beginning> {
    if let Some(student) = job.student {
        return Ok(Beginning { model: copy(job, student)?, empty_target: empty_target(job, survey)? });
    }
    let start = start(job, survey, progress)?;
    let model = start.student(job.config.clone(), job.settings.seed, &job.device)?;
    Ok(Beginning { model, empty_target: start.empty_target })
}

/// As the start has it: the teacher's vector of the empty text, or the mean of the targets.
fn empty_target(job: &DistilJob, survey: &Survey) -> Result<Vec<f32>> {
    if let Some(vectors) = job.targets.token_vectors()? {
        return Ok(vectors.embeddings[vectors.embeddings.len() - vectors.dimension..].to_vec());
    }
    let mut mean = survey.mean.clone();
    to_unit(&mut mean);
    Ok(mean)
}

/// The start: from the teacher's token vectors where the cache has them, else by least squares.
fn start(job: &DistilJob, survey: &Survey, progress: &dyn Progress) -> Result<Start> {
    let width = job.config.embedding;
    if let Some(vectors) = job.targets.token_vectors()? {
        return from_token_vectors(&vectors, &survey.frequencies, width);
    }
    progress.note(
        "the cache has no vectors of the tokenizer's tokens: the start is the least-squares model of the targets",
    );
    let dimension = job.targets.dimension();
    let mut bags =
        Bags { tokens: TokenBatch::new(), targets: Vec::new(), dimension, vocabulary: job.targets.vocabulary() };
    // From all over the cache: its beginning would be of one source.
    let every = (job.targets.cache.rows() as usize).div_ceil(START_TEXTS);
    for slice in survey.slices.iter().step_by(every) {
        let examples = job.targets.examples(&job.targets.cache.read_slice(slice)?)?;
        examples.tokens.iter().for_each(|row| bags.tokens.push(row));
        bags.targets.extend_from_slice(&examples.targets);
    }
    least_squares(&bags, width)
}

/// What must be the same for a checkpoint to be gone on from.
pub fn identity(job: &DistilJob, survey: &Survey) -> Result<String> {
    let cache = job.targets.cache;
    let mut identity = json!({
        "config": job.config, "settings": job.settings, "rows": survey.train_rows,
        "order": order::VERSION, "targets": survey.hash, "dimension": cache.dimension(), "held_out": survey.held_out.hash(),
    });
    if let Some(student) = job.student {
        identity["start"] = json!(weights_hash(student)?);
    }
    Ok(identity.to_string())
}

/// A copy of `student`, which must be of the job's shape.
fn copy(job: &DistilJob, student: &TextCnn) -> Result<TextCnn> {
    if student.config != job.config {
        let allowed = "of the shape that [student] and the targets ask for".into();
        return Err(Error::Setting { name: "the student to go on from", value: "of another shape".into(), allowed });
    }
    let (rows, width) = (job.targets.vocabulary(), job.targets.dimension());
    if student.config.vocabulary != rows || student.config.dimension != width {
        let value = format!("of {} tokens and {} numbers", student.config.vocabulary, student.config.dimension);
        let allowed = format!("of {rows} tokens and {width} numbers, as the targets are");
        return Err(Error::Setting { name: "the student to go on from", value, allowed });
    }
    let find = |name: &str| student.dense.get(name).ok().and_then(|tensor| tensor.copy().ok());
    let dense = DenseParameters::new(&job.config, find)?;
    TextCnn::new(job.config.clone(), student.table.values().to_vec(), dense, job.device.clone())
}

/// The classes' centres: anew, or as they were after the step `after`. A text's class is its number among all texts to train
/// on.
pub fn classes(
    job: &DistilJob,
    survey: &Survey,
    (model, graph): (&TextCnn, Backend),
    after: Option<u64>,
    interrupt: &Interrupt,
) -> Result<ClassLoss> {
    let shape = Shape { classes: survey.train_rows.iter().sum(), dimension: job.config.dimension };
    let settings = job.settings.losses.am_softmax.classes();
    let seeded = (settings, job.settings.seed);
    if let Some(step) = after {
        return ClassLoss::take_back(job.folder, shape, seeded, step);
    }
    let fill = |rows: &mut Rows| -> Result<()> {
        if settings.centres == CentreStart::Random {
            return (0..shape.classes).try_for_each(|_| rows.push_random());
        }
        for shard in 0..job.targets.cache.shards() {
            interrupt.check()?;
            let examples = job.targets.examples(&job.targets.cache.read(shard)?)?;
            if settings.centres == CentreStart::Teacher {
                examples.targets.chunks(shape.dimension).try_for_each(|row| rows.push(row))?;
                continue;
            }
            for first in (0..examples.tokens.rows()).step_by(BATCH) {
                let last = (first + BATCH).min(examples.tokens.rows());
                let batch: TokenBatch = (first..last).map(|row| examples.tokens.row(row)).collect();
                let vectors = model.embed(&batch, graph)?.flatten_all().and_then(|all| all.to_vec1::<f32>());
                vectors.during("class centres")?.chunks(shape.dimension).try_for_each(|row| rows.push(row))?;
            }
        }
        Ok(())
    };
    ClassLoss::create(job.folder, shape, seeded, fill)
}
