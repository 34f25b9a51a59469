//! Training a teacher by SimCSE: a BERT as a learner of [`limbeck_training::contrastive`].

mod engine;
mod learner;
mod settings;

use candle_core::Device;
use limbeck_data::Monitor;
use limbeck_training::contrastive::{ContrastiveSummary, ExampleBatches, Job, TrainingExamples};
use limbeck_training::fit;
use limbeck_training::fit::remove_checkpoints;
use serde_json::json;

pub use self::learner::BertLearner;
pub use self::settings::{BertSettings, Head};
use crate::{Pooler, Result, SavedTeacher, TeacherFolder};

/// Trains the model of `start` on `device` and writes it to the job's folder, as [`crate::save`] does. A training that
/// was stopped resumes from its checkpoint there.
///
/// # Errors
/// Settings that are out of range, fewer than two examples, and those of [`limbeck_training::fit()`] and
/// [`crate::save`].
pub fn train(
    start: &TeacherFolder,
    settings: &BertSettings,
    job: &Job,
    device: &Device,
    monitor: Monitor,
) -> Result<ContrastiveSummary> {
    job.settings.check(job.examples.has_hard_negatives())?;
    let texts_alone = matches!(job.examples, TrainingExamples::Texts(_));
    if texts_alone && settings.dropout == 0.0 && settings.attention_dropout == 0.0 {
        monitor.note(&format!("{}: warning: dropout is 0, so both views of a text are the same", job.stage));
    }
    let mut learner = BertLearner::new(start, settings, job.settings, job.dev, device)?;
    let training = job.settings.training();
    let batches = ExampleBatches::new(job.examples, &training, |texts| learner.tokenise(texts))?;
    let summary = fit(&mut learner, &batches, &training, &job.fit_job(), monitor)?;
    save(start, settings, job, &learner)?;
    remove_checkpoints(job.folder)?;
    Ok(ContrastiveSummary::new(job.examples.len(), summary))
}

/// Writes the trained model; a head that was for training alone is left out.
fn save(start: &TeacherFolder, settings: &BertSettings, job: &Job, learner: &BertLearner) -> Result<()> {
    let kept = |name: &str| start.pooler == Pooler::Cls || !name.starts_with("pooler.");
    let tensors = learner.parameters().iter().filter(|(name, _)| kept(name));
    let tensors: Vec<_> = tensors.map(|(name, variable)| (name.to_owned(), variable.as_tensor().clone())).collect();
    let mut config = start.config_json.clone();
    let how = json!({"objective": job.examples.objective(), "examples": job.examples.len(), "simcse": job.settings,
                     "bert": settings});
    config.insert("limbeck".into(), how);
    let tokenizer = start.open_tokenizer()?;
    let saved = SavedTeacher {
        config: &config,
        tensors: &tensors,
        tokenizer: tokenizer.json(),
        pooler: start.pooler,
        max_tokens: start.max_tokens,
        prefix: &start.prefix,
    };
    crate::save(job.folder, &saved)
}
