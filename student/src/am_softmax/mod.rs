//! AM-softmax with every sentence as its own class: a student learns to tell a sentence's dropout views from all other
//! sentences.
//!
//! ```text
//! sentences ─► class centres, in a mapped file ─► for each batch: pool once ─► k dropout views ─►
//!     AM-softmax over the batch's classes and a random share of the others ─► student by AdamW, centres by SGD
//! ```
//!
//! The loop is [`limbeck_training::fit()`]; order and dev set are those of [`limbeck_training::contrastive`]. Memory
//! holds the sentences, their tokens and the rows of a step. The centres take more than both and stay in their file.

mod centres;
mod learner;
mod loss;
mod sample;
mod settings;

use std::path::{Path, PathBuf};

use limbeck_data::cache::Cache;
use limbeck_data::{Monitor, files};
use limbeck_training::contrastive::{ContrastiveSummary, Dev, ExampleBatches, TrainingExamples};
use limbeck_training::fit::{FitJob, fit, remove_checkpoints};
use serde_json::json;

pub(crate) use self::centres::{CentreRows, CentreShape, Centres, remove_centres};
use self::learner::{CentreSources, ClassLearner, needs_cache};
pub(crate) use self::loss::{ClassLoss, no_centres};
pub use self::settings::{AmSoftmaxLoss, AmSoftmaxSettings, CentreStart};
use crate::contrast::EncodingStudent;
use crate::distil::Targets;
use crate::error::{Error, Result};
use crate::folder::StudentFolder;

/// The sentences that are the classes.
#[derive(Debug, Clone, Copy)]
pub enum Sentences<'a> {
    /// These.
    Texts(&'a [String]),
    /// Those of a cache that distillation would train on.
    Cache {
        /// The cache.
        cache: &'a Cache,
        /// A cache of the held-out texts, where they have one of their own.
        held_out: Option<&'a Cache>,
    },
}

/// One training.
pub struct AmSoftmaxJob<'a> {
    /// The sentences.
    pub sentences: Sentences<'a>,
    /// How they are learned.
    pub settings: &'a AmSoftmaxSettings,
    /// The dev set; without one the weights of the last step are taken.
    pub dev: Option<&'a dyn Dev>,
    /// The trained student's folder: checkpoints and centres lie here meanwhile.
    pub folder: &'a Path,
    /// The metrics log.
    pub metrics: PathBuf,
    /// The stage's name in the log.
    pub stage: &'a str,
}

/// Trains `student` and writes it to the job's folder. A training that was stopped resumes from its checkpoint there.
///
/// # Errors
/// Settings that are out of range, fewer than two sentences, a teacher's vectors that are missing or of another width,
/// files that can't be read or written, and those of [`limbeck_training::fit()`].
pub fn train(student: StudentFolder, job: &AmSoftmaxJob, monitor: Monitor) -> Result<ContrastiveSummary> {
    let settings = job.settings;
    settings.check_for(&student.model.config)?;
    let limit = settings.limit.unwrap_or(usize::MAX);
    let read;
    let (texts, cache) = match job.sentences {
        Sentences::Texts(texts) => (&texts[..limit.min(texts.len())], None),
        Sentences::Cache { cache, held_out } => {
            let max_tokens = student.model.config.max_tokens;
            let targets = Targets { cache, held_out, tokenizer: &student.tokenizer, max_tokens };
            read = targets.training_texts(limit)?;
            (&read[..], Some((cache, held_out)))
        }
    };
    let vectors = (settings.centres == CentreStart::Teacher)
        .then(|| hash_of_vectors(cache.ok_or_else(needs_cache)?.0, student.model.config.dimension))
        .transpose()?;
    let origin = json!({"objective": "AM-softmax", "classes": texts.len(), "am_softmax": settings,
                        "start": student.origin});
    let training = settings.training();
    let student = EncodingStudent::new(student, training.weight_decay, job.dev)?;
    let examples = TrainingExamples::Texts(texts);
    let batches = ExampleBatches::new(examples, &training, |texts| student.tokenise(texts))?;
    let sources = CentreSources { texts, cache, vectors };
    let mut learner = ClassLearner { student, settings, sources, folder: job.folder, classes: None };
    let of_fit = FitJob { folder: job.folder, metrics: &job.metrics, stage: job.stage, patience: settings.patience };
    let summary = fit(&mut learner, &batches, &training, &of_fit, monitor)?;
    learner.student.into_folder(origin).save(job.folder)?;
    remove_checkpoints(job.folder)?;
    remove_centres(job.folder)?;
    Ok(ContrastiveSummary::new(texts.len(), summary))
}

/// A hash of all vectors of the cache, which must be `dimension` wide.
fn hash_of_vectors(cache: &Cache, dimension: usize) -> Result<String> {
    if cache.dimension() != dimension {
        let reason = format!("has vectors of {} numbers, the student's have {dimension}", cache.dimension());
        return Err(Error::targets(cache.path(), reason));
    }
    let mut hash = String::new();
    for shard in 0..cache.shards() {
        let vectors = cache.read(shard)?.embeddings;
        hash = files::sha256_bytes(&[hash.as_bytes(), bytemuck::cast_slice(&vectors)].concat());
    }
    Ok(hash)
}

#[cfg(test)]
mod tests;
