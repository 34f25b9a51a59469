//! Training a teacher by SimCSE: a BERT as a learner of [`limbeck_training::contrastive`], and what is saved of it.

mod encoder;
mod engine;
mod learner;
mod settings;

use candle_core::Device;
use limbeck_data::Interrupt;
use limbeck_data::progress::Progress;
use limbeck_training::contrastive::{Job, Material, Summary, forget, train as learn};
use serde_json::json;

pub use self::learner::BertLearner;
pub use self::settings::{BertSettings, Head};
use crate::{Error, Pooler, Result, SavedTeacher, TeacherFolder};

/// Trains the model of `start` on `device` and writes it to the job's folder, as [`crate::save`] does. An interrupted training
/// goes on from its checkpoint there.
///
/// # Errors
/// Settings that can't be, what [`limbeck_training::contrastive::train`] refuses, and what [`crate::save`] does.
pub fn train(
    start: &TeacherFolder,
    settings: &BertSettings,
    job: &Job,
    device: &Device,
    (progress, interrupt): (&dyn Progress, &Interrupt),
) -> Result<Summary> {
    if matches!(job.material, Material::Texts(_)) && settings.dropout == 0.0 && settings.attention_dropout == 0.0 {
        progress.note(&format!("{}: warning: dropout is 0, so both views of a text are the same", job.stage));
    }
    let mut learner = BertLearner::new(start, settings, job.settings, device)?;
    let summary = learn(&mut learner, job, progress, interrupt)?;
    save(start, settings, job, &learner)?;
    forget(job.folder)?;
    Ok(summary)
}

/// Writes the trained model; a head that was for training alone is left out.
fn save(start: &TeacherFolder, settings: &BertSettings, job: &Job, learner: &BertLearner) -> Result<()> {
    let kept = |name: &str| start.pooler == Pooler::Cls || !name.starts_with("pooler.");
    let tensors = learner.parameters().iter().filter(|(name, _)| kept(name));
    let tensors: Vec<_> = tensors.map(|(name, variable)| (name.to_owned(), variable.as_tensor().clone())).collect();
    let mut config = start.config_json.clone();
    let objective = match job.material {
        Material::Texts(_) => "unsupervised SimCSE",
        Material::Examples(_) => "supervised SimCSE",
    };
    let how = json!({"objective": objective, "examples": job.material.len(), "simcse": job.settings, "bert": settings});
    config.insert("limbeck".into(), how);
    let tokenizer = std::fs::read(&start.tokenizer).map_err(Error::io(&start.tokenizer, "read"))?;
    let saved = SavedTeacher {
        config: &config,
        tensors: &tensors,
        tokenizer: &tokenizer,
        pooler: start.pooler,
        max_tokens: start.max_tokens,
        prefix: &start.prefix,
    };
    crate::save(job.folder, &saved)
}
