//! AM-softmax with every sentence its own class: a student learns to tell a sentence's dropout views from all other sentences.
//!
//! ```text
//! sentences ─► class centres, in a mapped file ─► for each batch: pool once ─► k dropout views ─► AM-softmax over the batch's
//!              classes and a random share of the others ─► the student by AdamW, the sampled centres by SGD
//! ```
//!
//! Steps, order, dev set and checkpoints are those of [`limbeck_training::contrastive`]. Memory holds the sentences, their
//! tokens and the rows of a step; centres, which take more than both, stay in their file.

mod centres;
mod learner;
mod loss;
mod sample;
mod settings;

use std::path::{Path, PathBuf};

use limbeck_data::cache::Cache;
use limbeck_data::progress::Progress;
use limbeck_data::{Interrupt, files};
use limbeck_training::contrastive::{Dev, Job, Material, Summary, forget, train as learn};
use serde_json::json;

use self::learner::{ClassLearner, Sources, needs_cache};
pub use self::settings::{AmSoftmaxLoss, AmSoftmaxSettings, CentreStart};
use crate::contrast::StudentLearner;
use crate::distil::Targets;
use crate::error::{Error, Result};
use crate::folder::StudentFolder;

pub(crate) use self::centres::{Rows, Shape, forget as forget_centres};
pub(crate) use self::loss::ClassLoss;

/// What the classes are.
#[derive(Debug, Clone, Copy)]
pub enum Sentences<'a> {
    Texts(&'a [String]),
    /// Those of a cache that distillation would train on: all but the held-out ones, which may have a cache of their own.
    Cache {
        cache: &'a Cache,
        held_out: Option<&'a Cache>,
    },
}

/// One training.
pub struct AmSoftmaxJob<'a> {
    pub sentences: Sentences<'a>,
    pub settings: &'a AmSoftmaxSettings,
    /// The dev set; without one the last step's weights are taken.
    pub dev: Option<&'a dyn Dev>,
    /// The trained student's folder: checkpoints and centres lie here while it learns.
    pub folder: &'a Path,
    /// Where the metrics are logged, and as which stage.
    pub metrics: PathBuf,
    pub stage: &'a str,
}

/// Trains `student` and writes it to the job's folder. An interrupted training goes on from its checkpoint there.
///
/// # Errors
/// Settings that can't be, fewer than two sentences, centres that are to begin at vectors that aren't there or of another width,
/// what [`limbeck_training::contrastive::train`] refuses, and files that can't be read or written.
pub fn train(student: StudentFolder, job: &AmSoftmaxJob, watch: (&dyn Progress, &Interrupt)) -> Result<Summary> {
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
    let (contrast, schedule) = (settings.contrast(), settings.schedule());
    let learner = StudentLearner::new(student, &contrast, &schedule)?;
    let sources = Sources { texts, cache, vectors };
    let mut learner = ClassLearner::new(learner, settings, sources, job.folder, watch);
    let of_loop = Job {
        material: Material::Texts(texts),
        settings: &schedule,
        dev: job.dev,
        folder: job.folder,
        metrics: job.metrics.clone(),
        stage: job.stage,
    };
    let summary = learn(&mut learner, &of_loop, watch.0, watch.1)?;
    let (model, tokenizer) = learner.into_student().into_parts();
    StudentFolder { model, tokenizer, origin }.save(job.folder)?;
    forget(job.folder)?;
    centres::forget(job.folder)?;
    Ok(summary)
}

/// A hash of all vectors of the cache, which must be `dimension` wide.
fn hash_of_vectors(cache: &Cache, dimension: usize) -> Result<String> {
    if cache.dimension() != dimension {
        let reason = format!("has vectors of {} numbers, the student's have {dimension}", cache.dimension());
        return Err(Error::Targets { path: cache.path().to_path_buf(), reason });
    }
    let mut hash = String::new();
    for shard in 0..cache.shards() {
        let numbers = cache.read(shard)?.embeddings;
        hash = files::sha256_bytes(&[hash.as_bytes(), bytemuck::cast_slice(&numbers)].concat());
    }
    Ok(hash)
}

#[cfg(test)]
mod tests;
