//! A student that learns by SimCSE itself, without a teacher: a TextCNN as a learner of [`limbeck_training::contrastive`].
//!
//! On text alone two dropout masks make a text's two views; on labelled pairs or triples the same loss fine-tunes a student.

mod learner;
mod views;

use candle_core::Device;
use limbeck_data::Interrupt;
use limbeck_data::progress::Progress;
use limbeck_encoder::Tokenizer;
use limbeck_training::contrastive::{Job, Material, Summary, forget, train as learn};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use self::learner::StudentLearner;
pub(crate) use self::learner::weights_hash;
pub(crate) use self::views::views;
use crate::config::StudentConfig;
use crate::error::{Error, Result};
use crate::folder::StudentFolder;
use crate::start::Cooccurrence;

/// How a student goes through a SimCSE training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContrastSettings {
    /// Dropout rate on the pooled features.
    pub dropout: f64,
    /// Dropout rate on the embeddings: a view has one mask a token, the same wherever the token stands.
    pub embedding_dropout: f64,
}

impl Default for ContrastSettings {
    fn default() -> Self {
        Self { dropout: 0.1, embedding_dropout: 0.0 }
    }
}

impl ContrastSettings {
    /// Refuses settings that can't be.
    pub fn check(&self) -> Result<()> {
        for (name, value) in [("simcse.dropout", self.dropout), ("simcse.embedding_dropout", self.embedding_dropout)] {
            if !(0.0..1.0).contains(&value) {
                return Err(Error::Setting { name, value: value.to_string(), allowed: "from 0 to below 1".into() });
            }
        }
        Ok(())
    }

    /// Whether two views of a text differ for a student of this shape: of its features it must have some for dropout to drop.
    pub fn varies(&self, config: &StudentConfig) -> bool {
        self.embedding_dropout > 0.0 || (self.dropout > 0.0 && config.has_features())
    }
}

/// Trains `student` and writes it to the job's folder. An interrupted training goes on from its checkpoint there.
///
/// # Errors
/// Settings that can't be, what [`limbeck_training::contrastive::train`] refuses, and files that can't be written.
pub fn train(
    student: StudentFolder,
    settings: &ContrastSettings,
    job: &Job,
    (progress, interrupt): (&dyn Progress, &Interrupt),
) -> Result<Summary> {
    settings.check()?;
    let objective = match job.material {
        Material::Texts(_) => "unsupervised SimCSE",
        Material::Examples(_) => "supervised SimCSE",
    };
    if matches!(job.material, Material::Texts(_)) && !settings.varies(&student.model.config) {
        progress.note(&format!("{}: warning: nothing is dropped, so both views of a text are the same", job.stage));
    }
    let origin = json!({"objective": objective, "examples": job.material.len(), "simcse": job.settings,
                        "dropout": settings, "start": student.origin});
    let mut learner = StudentLearner::new(student, settings, job.settings)?;
    let summary = learn(&mut learner, job, progress, interrupt)?;
    let (model, tokenizer) = learner.into_parts();
    StudentFolder { model, tokenizer, origin }.save(job.folder)?;
    forget(job.folder)?;
    Ok(summary)
}

/// A student of this shape whose table holds word vectors that were counted from text: a static model in a space of its own.
///
/// # Errors
/// A shape that can't be, and tensor errors.
pub fn of_words(
    config: StudentConfig,
    tokenizer: Tokenizer,
    neighbours: Cooccurrence,
    seed: u64,
) -> Result<StudentFolder> {
    let start = neighbours.start(config.embedding, config.dimension, seed)?;
    let model = start.student(config, seed, &Device::Cpu)?;
    Ok(StudentFolder { model, tokenizer, origin: json!({"start": "word vectors", "seed": seed}) })
}

/// A student of this shape that has learned nothing: a random table, and random weights.
///
/// # Errors
/// A shape that can't be, and tensor errors.
pub fn unlearned(config: StudentConfig, tokenizer: Tokenizer, seed: u64) -> Result<StudentFolder> {
    let model = learner::random(config, seed, &Device::Cpu)?;
    Ok(StudentFolder { model, tokenizer, origin: json!({"start": "random", "seed": seed}) })
}
