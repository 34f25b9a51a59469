//! SimCSE on a student itself, without a teacher: a TextCNN as a learner of [`limbeck_training::contrastive`].
//!
//! On text alone two dropout masks make a text's two views; on labelled pairs or triples the same loss fine-tunes a
//! student.

mod encoding;
mod learner;
mod views;

use candle_core::{DType, Device};
use limbeck_data::Monitor;
use limbeck_encoder::Tokenizer;
use limbeck_training::contrastive::{ContrastiveSummary, ExampleBatches, Job, TrainingExamples};
use limbeck_training::fit::{fit, remove_checkpoints};
use limbeck_training::random::Random;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub(crate) use self::encoding::EncodingStudent;
use self::learner::StudentLearner;
pub(crate) use self::views::views;
use crate::config::StudentConfig;
use crate::dense::DenseParameters;
use crate::error::{Error, Result};
use crate::folder::StudentFolder;
use crate::model::TextCnn;
use crate::start::Cooccurrence;

/// The random stream of a random table.
const RANDOM_TABLE: u64 = 32;

/// The dropout of a student in a SimCSE training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContrastSettings {
    /// Dropout rate on the pooled features.
    pub dropout: f64,
    /// Dropout rate on the embeddings: a view has one mask a token, the same at every occurrence of the token.
    pub embedding_dropout: f64,
}

impl Default for ContrastSettings {
    fn default() -> Self {
        Self { dropout: 0.1, embedding_dropout: 0.0 }
    }
}

impl ContrastSettings {
    /// Refuses rates that are out of range.
    ///
    /// # Errors
    /// Names the key.
    pub fn check(&self) -> Result<()> {
        check_rate("simcse.dropout", self.dropout)?;
        check_rate("simcse.embedding_dropout", self.embedding_dropout)
    }

    /// Whether two views of a text differ for a student of this shape: dropout needs features to drop.
    pub fn varies(&self, config: &StudentConfig) -> bool {
        self.embedding_dropout > 0.0 || (self.dropout > 0.0 && config.has_features())
    }
}

/// Refuses a dropout rate that is out of range.
pub(crate) fn check_rate(name: &'static str, rate: f64) -> Result<()> {
    Error::require((0.0..1.0).contains(&rate), name, rate, "from 0 to below 1")
}

/// Trains `student` and writes it to the job's folder. A training that was stopped resumes from its checkpoint there.
///
/// # Errors
/// Settings that are out of range, fewer than two examples, files that can't be written, and those of
/// [`limbeck_training::fit()`].
pub fn train(
    student: StudentFolder,
    settings: &ContrastSettings,
    job: &Job,
    monitor: Monitor,
) -> Result<ContrastiveSummary> {
    settings.check()?;
    job.settings.check(job.examples.has_hard_negatives())?;
    if matches!(job.examples, TrainingExamples::Texts(_)) && !settings.varies(&student.model.config) {
        monitor.note(&format!("{}: warning: nothing is dropped, so both views of a text are the same", job.stage));
    }
    let origin = json!({"objective": job.examples.objective(), "examples": job.examples.len(), "simcse": job.settings,
                        "dropout": settings, "start": student.origin});
    let training = job.settings.training();
    let student = EncodingStudent::new(student, training.weight_decay, job.dev)?;
    let batches = ExampleBatches::new(job.examples, &training, |texts| student.tokenise(texts))?;
    let mut learner = StudentLearner { student, settings, simcse: job.settings };
    let summary = fit(&mut learner, &batches, &training, &job.fit_job(), monitor)?;
    learner.student.into_folder(origin).save(job.folder)?;
    remove_checkpoints(job.folder)?;
    Ok(ContrastiveSummary::new(job.examples.len(), summary))
}

/// A student of this shape whose table holds word vectors from counted co-occurrences: a static model in a space of its
/// own.
///
/// # Errors
/// A shape that can't be built, and tensor errors.
pub fn of_words(
    config: StudentConfig,
    tokenizer: Tokenizer,
    neighbours: Cooccurrence,
    seed: u64,
) -> Result<StudentFolder> {
    let start = neighbours.start(config.embedding, config.dimension, seed)?;
    let model = start.student(config, seed, &Device::Cpu)?;
    Ok(StudentFolder { model, tokenizer, lexical: None, origin: json!({"start": "word vectors", "seed": seed}) })
}

/// An untrained student of this shape: the table is uniform with the variance of a unit vector's values, the rest is
/// initialised as PyTorch does.
///
/// # Errors
/// A shape that can't be built, and tensor errors.
pub fn unlearned(config: StudentConfig, tokenizer: Tokenizer, seed: u64) -> Result<StudentFolder> {
    let bound = (3.0 / config.embedding as f64).sqrt();
    let shape = [config.vocabulary, config.embedding];
    let table = Random::new(seed, &[RANDOM_TABLE]).uniform_tensor(&shape, bound, DType::F32, &Device::Cpu)?;
    let table = table.flatten_all().and_then(|table| table.to_vec1()).map_err(Error::tensor("a random table"))?;
    let dense = DenseParameters::random(&config, seed, DType::F32, &Device::Cpu)?;
    let model = TextCnn::new(config, table, dense, Device::Cpu)?;
    Ok(StudentFolder { model, tokenizer, lexical: None, origin: json!({"start": "random", "seed": seed}) })
}
