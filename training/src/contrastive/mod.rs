//! SimCSE (Gao, Yao and Chen 2021), whatever learns by it: unsupervised, where dropout makes a text's second view, and
//! supervised, on labelled pairs or triples with hard negatives.
//!
//! ```text
//! examples ─► tokens ─► for each epoch, batch: views side by side ─► the learner's step (vectors, InfoNCE, gradients)
//!                         every so often: Spearman, alignment and uniformity of a dev set (best kept), checkpoint
//! ```
//!
//! The order of the examples is a function of seed and epoch, dropout one of seed and step. A training that was killed goes on
//! from its last checkpoint and ends in the same bytes.

mod checkpoint;
mod loss;
mod material;
mod settings;

use std::path::{Path, PathBuf};

use candle_core::Tensor;
use limbeck_data::progress::Progress;
use limbeck_data::{Interrupt, files};
use limbeck_encoder::{Encoder, TokenBatch};
use serde_json::{Value, json};

use self::checkpoint::{Progressed, resume, save, save_best, take_best};
pub use self::loss::{loss, loss_and_gradient};
pub use self::material::Material;
use self::material::{Order, Views};
pub use self::settings::ContrastiveSettings;
use crate::checkpoint::{Files, Stored};
use crate::error::{Error, Result};
use crate::metrics::MetricsLog;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    pub loss: f64,
    /// The length of all gradients together, before they are clipped.
    pub gradient_norm: f64,
}

impl Outcome {
    /// Whether both are numbers.
    pub fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.gradient_norm.is_finite()
    }
}

/// What learns.
pub trait Learner {
    /// What can go wrong with it.
    type Error: From<Error> + std::error::Error + Send + Sync + 'static;

    /// The tokens of texts, as it reads them.
    fn tokenise(&self, texts: &[&str]) -> std::result::Result<TokenBatch, Self::Error>;

    /// Told before the first step: anew (`None`), or going on after the step that a checkpoint holds.
    fn begin(&mut self, _after: Option<u64>) -> std::result::Result<(), Self::Error> {
        Ok(())
    }

    /// Told before each step which examples its batch holds, by their numbers in the material.
    fn next_examples(&mut self, _examples: &[u32]) {}

    /// Told before a checkpoint of `step` is written: the time to put down what of the learner's lies in files of its own.
    fn keep(&mut self, _step: u64) -> std::result::Result<(), Self::Error> {
        Ok(())
    }

    /// Told once that checkpoint is in its place: what older ones needed may go.
    fn kept(&mut self, _step: u64) -> std::result::Result<(), Self::Error> {
        Ok(())
    }

    /// Step number `step` (from 1) on `batch`, which holds `views` views of each example, one view after another. Where the
    /// loss or the gradients aren't finite, nothing is updated.
    fn step(
        &mut self,
        batch: &TokenBatch,
        views: usize,
        step: u64,
        rate: f64,
    ) -> std::result::Result<Outcome, Self::Error>;

    /// Its weights by name.
    fn weights(&self) -> std::result::Result<Vec<(String, Stored<'_>)>, Self::Error>;

    /// What it takes to go on beside the weights: the optimiser's moments.
    fn moments(&self) -> std::result::Result<Vec<(String, Stored<'_>)>, Self::Error>;

    /// Puts weights back. `find` gives the tensor of a name.
    fn set_weights(&mut self, find: &dyn Fn(&str) -> Option<Tensor>) -> std::result::Result<(), Self::Error>;

    /// Puts moments back.
    fn set_moments(&mut self, find: &dyn Fn(&str) -> Option<Tensor>) -> std::result::Result<(), Self::Error>;

    /// Itself as an encoder, as it is now.
    fn encoder(&self) -> Box<dyn Encoder + '_>;

    /// What beside settings and examples makes a checkpoint its own: its shape, what it starts from.
    fn identity(&self) -> Value;
}

/// How a model does on a dev set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DevScores {
    /// Spearman × 100.
    pub spearman: f64,
    pub alignment: Option<f64>,
    pub uniformity: Option<f64>,
}

/// What a model in training is looked at by, every so often.
pub trait Dev {
    /// How the model does, as it is now; errors are passed on.
    fn scores(&self, model: &dyn Encoder) -> std::result::Result<DevScores, Box<dyn std::error::Error + Send + Sync>>;

    /// A hash of what it looks at: scores of another one are not compared with its.
    fn hash(&self) -> String;
}

/// One training.
pub struct Job<'a> {
    pub material: Material<'a>,
    pub settings: &'a ContrastiveSettings,
    /// The dev set; without one the last step's weights are taken.
    pub dev: Option<&'a dyn Dev>,
    /// Where checkpoints lie while it learns.
    pub folder: &'a Path,
    /// Where the metrics are logged, and as which stage.
    pub metrics: PathBuf,
    pub stage: &'a str,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    pub steps: u64,
    pub examples: usize,
    /// Dev Spearman before the first step.
    pub start: Option<f64>,
    /// The best dev Spearman and the step that gave it.
    pub best: Option<(f64, u64)>,
}

/// Trains. An interrupted training goes on from its checkpoint; in the end the learner has the weights of the best dev
/// Spearman.
///
/// # Errors
/// Settings that can't be, fewer than two examples, the learner's own errors, and a loss that is no number: then the batch is
/// written to `diverged.tsv`, and the checkpoint holds the weights before that step.
pub fn train<L: Learner>(
    learner: &mut L,
    job: &Job,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> std::result::Result<Summary, L::Error> {
    let settings = job.settings;
    settings.check(job.material.has_hard_negatives())?;
    files::remove_leftovers(job.folder).map_err(Error::from)?;
    let views = Views::new(job.material, &|texts| learner.tokenise(texts))?;
    let mut order = Order::new(&views, settings)?;
    let total = order.steps(settings.epochs)?;
    let schedule = settings.schedule(total)?;

    let files = Files::new(job.folder);
    let identity = json!({"settings": settings, "learner": learner.identity(), "examples": views.hash(), "dev": job.dev.map(Dev::hash)});
    let identity = identity.to_string();
    let resumed = resume(&files, learner, &identity)?;
    learner.begin(resumed.as_ref().map(|resumed| resumed.step))?;
    // The line of a step whose look was broken off is written once that is made up for.
    let logged = resumed.as_ref().and_then(|resumed| match resumed.unseen {
        Some(_) => resumed.step.checked_sub(1),
        None => Some(resumed.step),
    });
    let mut log = MetricsLog::resume(&job.metrics, job.stage, logged)?;
    let mut progressed = resumed.unwrap_or_else(|| {
        let entry = json!({"stage": job.stage, "step": 0, "epoch": 0});
        Progressed { identity, unseen: Some(entry), ..Progressed::default() }
    });

    let bar = progress.stage(job.stage, Some(total), "steps");
    bar.add(progressed.step);
    while progressed.step < total || progressed.unseen.is_some() {
        let mut entry = match progressed.unseen.take() {
            Some(entry) => entry,
            None => {
                let step = progressed.step + 1;
                let examples = order.batch(step);
                let rate = schedule.learning_rate(step);
                learner.next_examples(examples);
                let outcome = learner.step(&views.batch(examples), views.count(), step, rate)?;
                if !outcome.is_finite() {
                    save(&files, learner, &progressed)?;
                    return Err(diverged(job, step, examples, files.checkpoint()).into());
                }
                progressed.step = step;
                bar.add(1);
                json!({
                    "stage": job.stage, "step": step, "epoch": order.epoch(step), "loss": outcome.loss,
                    "learning_rate": rate, "gradient_norm": outcome.gradient_norm,
                })
            }
        };
        let step = progressed.step;
        let due = step % settings.evaluate_every == 0 || step == total;
        let mut told: Vec<String> = entry["loss"].as_f64().map(|loss| format!("loss {loss:.4}")).into_iter().collect();
        if let Some(dev) = job.dev.filter(|_| due) {
            let looked = dev.scores(&*learner.encoder());
            let scores = match looked {
                Ok(scores) => scores,
                Err(_) if interrupt.is_set() => {
                    progressed.unseen = Some(entry);
                    save(&files, learner, &progressed)?;
                    return Err(Error::Interrupted { step, total }.into());
                }
                Err(error) => return Err(Error::Evaluation(error).into()),
            };
            scores.note_in(&mut entry);
            told.push(format!("dev {scores}"));
            if step == 0 {
                progressed.start = Some(scores.spearman);
            }
            if progressed.best.is_none_or(|(best, _)| scores.spearman > best) {
                progressed.best = Some((scores.spearman, step));
                save_best(&files, learner, step)?;
            }
            warn_of_falling(job, &progressed, scores.spearman, progress);
        }
        if due && !told.is_empty() {
            bar.set(&told.join(", "));
        }
        log.log(&entry)?;
        let stop = interrupt.is_set();
        if stop || step == 0 || (step % settings.checkpoint_every == 0 && step < total) {
            save(&files, learner, &progressed)?;
        }
        if stop && step < total {
            return Err(Error::Interrupted { step, total }.into());
        }
    }
    if let Some((_, best_step)) = progressed.best.filter(|(_, best_step)| *best_step < total) {
        take_best(&files, learner, best_step)?;
    }
    Ok(Summary { steps: total, examples: job.material.len(), start: progressed.start, best: progressed.best })
}

/// Removes what a training kept to go on from; call it once its result is saved.
pub fn forget(folder: &Path) -> Result<()> {
    Files::new(folder).remove()
}

impl DevScores {
    fn note_in(&self, entry: &mut Value) {
        entry["dev_spearman"] = json!(self.spearman);
        entry["alignment"] = json!(self.alignment);
        entry["uniformity"] = json!(self.uniformity);
    }
}

impl std::fmt::Display for DevScores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2}", self.spearman)?;
        for (name, value) in [("alignment", self.alignment), ("uniformity", self.uniformity)] {
            value.map(|value| write!(f, ", {name} {value:.3}")).transpose()?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} examples, {} steps", self.examples, self.steps)?;
        match (self.start, self.best) {
            (Some(start), Some((best, step))) => {
                write!(f, "; dev Spearman {start:.2} at the start, {best:.2} at step {step}")
            }
            _ => Ok(()),
        }
    }
}

fn warn_of_falling(job: &Job, progressed: &Progressed, now: f64, progress: &dyn Progress) {
    let Some((best, best_step)) = progressed.best else { return };
    if progressed.step - best_step == job.settings.patience.saturating_mul(job.settings.evaluate_every) {
        progress.note(&format!(
            "{}: warning: the dev Spearman is {now:.2}; its best, {best:.2}, was at step {best_step}, and it has not been \
             reached since. Fewer steps or a lower learning rate may do better",
            job.stage
        ));
    }
}

/// Writes the batch down that a loss went astray on.
fn diverged(job: &Job, step: u64, examples: &[u32], checkpoint: PathBuf) -> Error {
    let batch = job.folder.join("diverged.tsv");
    let mut sorted = examples.to_vec();
    sorted.sort_unstable();
    let lines = sorted.iter().map(|&at| format!("{}\t{}\n", at + 1, job.material.line(at as usize)));
    match files::write_bytes(&batch, lines.collect::<String>().as_bytes()) {
        Ok(()) => Error::Diverged { step, batch, checkpoint },
        Err(error) => error.into(),
    }
}
