//! [`fit()`]: the one loop that every training runs in.

mod batches;
mod learner;
mod read_ahead;
mod state;
#[cfg(test)]
mod tests;

use std::path::Path;

use limbeck_data::{Monitor, files};
use serde_json::json;

pub use self::batches::{Batches, Span};
pub use self::learner::{Learner, Measurement, Metric, StepOutcome};
use self::read_ahead::ReadAhead;
pub use self::state::TrainingState;
use self::state::is_finite;
use crate::checkpoint::CheckpointFiles;
use crate::error::Error;
use crate::metrics::MetricsLog;
use crate::settings::TrainingSettings;

/// Where a training keeps its files, and what it is called.
#[derive(Debug, Clone, Copy)]
pub struct FitJob<'a> {
    /// The folder of the checkpoints, and of `diverged.tsv`.
    pub folder: &'a Path,
    /// The metrics log.
    pub metrics: &'a Path,
    /// The stage's name in the log and in messages.
    pub stage: &'a str,
    /// Evaluations without a new best score before a warning.
    pub patience: u64,
}

/// The result of a training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitSummary {
    /// All steps.
    pub steps: u64,
    /// The score before the first step.
    pub start: Option<f64>,
    /// The best score, and the step that gave it.
    pub best: Option<(f64, u64)>,
}

/// Trains `learner` on `batches`. A training that was stopped resumes from its checkpoint and ends in the same bytes.
/// At the end the learner has the weights of the best score, or those of the last step where nothing is measured.
///
/// # Errors
/// Settings that are out of range, a checkpoint of another training, the learner's own errors, an interruption, and a
/// loss that is not finite: then `diverged.tsv` holds the batch, and the checkpoint the weights before that step.
pub fn fit<L, B>(
    learner: &mut L,
    batches: &B,
    settings: &TrainingSettings,
    job: &FitJob,
    monitor: Monitor,
) -> Result<FitSummary, L::Error>
where
    L: Learner<Batch = B::Batch>,
    B: Batches,
    L::Error: From<B::Error>,
{
    files::remove_leftovers(job.folder).map_err(Error::from)?;
    let total = batches.steps();
    let schedule = settings.schedule(total)?;
    let files = CheckpointFiles::new(job.folder);
    let identity = json!({"learner": learner.identity(), "examples": batches.identity()}).to_string();
    let mut state = match TrainingState::resume(&files, learner, &identity)? {
        Some(state) => state,
        None => {
            learner.start(monitor)?;
            TrainingState::new(identity, job.stage)
        }
    };
    let mut log = MetricsLog::resume(job.metrics, job.stage, state.logged())?;
    let bar = monitor.stage(job.stage, Some(total), "steps");
    bar.add(state.step);

    std::thread::scope(|scope| -> Result<(), L::Error> {
        let mut windows = ReadAhead::new(scope, batches, state.step + 1);
        while state.step < total || state.pending.is_some() {
            let mut entry = match state.pending.take() {
                Some(entry) => entry,
                None => {
                    let step = state.step + 1;
                    let (span, window) = windows.window_of(step)?;
                    let rate = schedule.learning_rate(step);
                    let outcome = learner.step(&batches.batch(window, step)?, step, rate)?;
                    if !outcome.is_finite() {
                        let examples = batches.describe(window, step)?;
                        return Err(diverged(learner, &files, &state, job, &examples)?.into());
                    }
                    state.step = step;
                    bar.add(1);
                    json!({
                        "stage": job.stage, "step": step, "epoch": span.epoch, "loss": outcome.loss,
                        "learning_rate": rate, "gradient_norm": outcome.gradient_norm,
                    })
                }
            };
            let step = state.step;
            if step % settings.evaluate_every == 0 || step == total {
                let loss = entry["loss"].as_f64().map(|loss| format!("loss {loss:.4}"));
                let measured = match learner.measure(monitor) {
                    Err(_) if monitor.interrupt.is_set() => {
                        state.pending = Some(entry);
                        state.save(&files, learner)?;
                        return Err(Error::Interrupted { step, total }.into());
                    }
                    measured => measured?,
                };
                if let Some(measured) = &measured {
                    measured.log_in(&mut entry);
                    record(learner, &files, &mut state, measured)?;
                    warn_of_falling_score(measured, &state, settings, job, monitor);
                }
                let shown: Vec<String> =
                    loss.into_iter().chain(measured.map(|measured| measured.to_string())).collect();
                bar.set(&shown.join(", "));
            }
            log.log(&entry)?;
            let stop = monitor.interrupt.is_set();
            if stop || (step % settings.checkpoint_every == 0 && step < total) {
                state.save(&files, learner)?;
            }
            if stop && step < total {
                return Err(Error::Interrupted { step, total }.into());
            }
        }
        Ok(())
    })?;
    if let Some((_, best_step)) = state.best.filter(|(_, best_step)| *best_step < total) {
        learner.set_weights(&files.load_best(best_step)?)?;
    }
    Ok(FitSummary { steps: total, start: state.start, best: state.best })
}

/// Removes the checkpoints of a training; call it once its result is saved.
///
/// # Errors
/// A file that can't be removed.
pub fn remove_checkpoints(folder: &Path) -> crate::Result<()> {
    CheckpointFiles::new(folder).remove()
}

/// Takes down a score, and saves the weights where it is the best so far.
fn record<L: Learner>(
    learner: &mut L,
    files: &CheckpointFiles,
    state: &mut TrainingState,
    measured: &Measurement,
) -> Result<(), L::Error> {
    let (score, step) = (measured.score, state.step);
    if !score.is_finite() {
        return Err(Error::NotFinite { what: format!("the {}", measured.metric.name), step }.into());
    }
    if step == 0 {
        state.start = Some(score);
    }
    if state.best.is_none_or(|(best, _)| score > best) {
        state.best = Some((score, step));
        files.save_best(&learner.weights(), step)?;
    }
    Ok(())
}

fn warn_of_falling_score(
    measured: &Measurement,
    state: &TrainingState,
    settings: &TrainingSettings,
    job: &FitJob,
    monitor: Monitor,
) {
    let Some((best, best_step)) = state.best else { return };
    if state.step - best_step == job.patience.saturating_mul(settings.evaluate_every) {
        let Metric { name, decimals, .. } = measured.metric;
        monitor.note(&format!(
            "{}: warning: the {name} is {:.decimals$}; its best, {best:.decimals$}, was at step {best_step}, and it \
             has not been reached since. Fewer steps or a lower learning rate may do better",
            job.stage, measured.score
        ));
    }
}

/// Saves the state before a step that diverged, and the examples of that step; returns the error that names both.
fn diverged<L: Learner>(
    learner: &mut L,
    files: &CheckpointFiles,
    state: &TrainingState,
    job: &FitJob,
    examples: &str,
) -> Result<Error, L::Error> {
    let batch = job.folder.join("diverged.tsv");
    files::write_bytes(&batch, examples.as_bytes()).map_err(Error::from)?;
    // When the weights are not finite either, an older checkpoint is the one to keep.
    if is_finite(learner) {
        state.save(files, learner)?;
    }
    Ok(Error::Diverged { step: state.step + 1, batch, checkpoint: files.checkpoint() })
}
