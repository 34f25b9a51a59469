//! Training a teacher by SimCSE (Gao, Yao and Chen 2021): unsupervised, where dropout makes a text's second view, and
//! supervised, on labelled pairs or triples with hard negatives.
//!
//! ```text
//! examples ─► tokens ─► for each epoch, batch: views side by side ─► vectors ─► InfoNCE ─► gradients ─► clip ─► AdamW
//!                         every so often: Spearman, alignment and uniformity of a dev set (best kept), checkpoint
//! ```
//!
//! The order of the examples is a function of seed and epoch, dropout one of seed and step. A training that was killed goes on
//! from its last checkpoint and ends in the same bytes.

mod checkpoint;
mod encoder;
mod engine;
mod settings;
mod step;
mod views;

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use limbeck_data::Interrupt;
use limbeck_data::files;
use limbeck_data::progress::Progress;
use limbeck_encoder::{Encoder, Tokenizer};
use limbeck_training::metrics::MetricsLog;
use limbeck_training::optimiser::{AdamW, AdamWSettings};
use limbeck_training::random::Random;
use limbeck_training::schedule::Schedule;
use serde_json::json;

use self::checkpoint::{Files, Progressed};
use self::encoder::Snapshot;
use self::engine::Model;
pub use self::settings::{Head, TrainSettings};
pub use self::views::Material;
use self::views::{Order, Views};
use crate::backprop::Parameters;
use crate::{Error, Pooler, Result, SavedTeacher, TeacherFolder};

/// The random stream of a head that the start doesn't have.
const HEAD: u64 = 22;

/// How a model does on a dev set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DevScores {
    /// Spearman × 100.
    pub spearman: f64,
    pub alignment: Option<f64>,
    pub uniformity: Option<f64>,
}

/// Looks at a model as it is; its errors are passed on.
pub type Look<'a> =
    &'a dyn Fn(&dyn Encoder) -> std::result::Result<DevScores, Box<dyn std::error::Error + Send + Sync>>;

/// One training.
pub struct TrainJob<'a> {
    /// What it starts from; its pooler, prefix and longest input are those of the trained model too.
    pub start: &'a TeacherFolder,
    pub material: Material<'a>,
    pub settings: &'a TrainSettings,
    /// Looks at the dev set; without one the last step's weights are taken.
    pub dev: Option<Look<'a>>,
    /// Where checkpoints lie while it learns.
    pub folder: &'a Path,
    /// Where the metrics are logged, and as which stage.
    pub metrics: PathBuf,
    pub stage: &'a str,
    pub device: Device,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainSummary {
    pub steps: u64,
    pub examples: usize,
    /// Dev Spearman before the first step.
    pub start: Option<f64>,
    /// The best dev Spearman and the step that gave it.
    pub best: Option<(f64, u64)>,
}

impl std::fmt::Display for TrainSummary {
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

/// Trains a teacher. An interrupted training goes on from its checkpoint; the weights of the best dev Spearman come back.
///
/// # Errors
/// Settings that can't be, fewer than two examples, texts that don't fit the model, and a loss that is no number: then the
/// batch is written to `diverged.tsv`, and the checkpoint holds the weights before that step.
pub fn train(job: &TrainJob, progress: &dyn Progress, interrupt: &Interrupt) -> Result<(Parameters, TrainSummary)> {
    let settings = job.settings;
    settings.check(job.start.pooler, job.material.has_hard_negatives())?;
    files::remove_leftovers(job.folder)?;
    if matches!(job.material, Material::Texts(_)) && settings.dropout == 0.0 && settings.attention_dropout == 0.0 {
        progress.note(&format!("{}: warning: dropout is 0, so both views of a text are the same", job.stage));
    }
    let tokenizer = Tokenizer::from_file(&job.start.tokenizer)?;
    let max_tokens = settings.max_tokens.min(job.start.config.max_position_embeddings);
    let views = Views::new(job.material, &tokenizer, &job.start.prefix, max_tokens)?;
    let mut order = Order::new(&views, settings)?;
    let total = order.steps(settings.epochs);
    let schedule = Schedule::new(settings.learning_rate, settings.warm_up, total, settings.decay)?;

    let head = settings.head == Head::Training;
    let parameters = parameters(job, head)?;
    let (config, pooler, by_hand) = (&job.start.config, job.start.pooler, job.device.is_cpu());
    let model = Model { config, parameters: &parameters, pooler, head, by_hand };
    let mut optimiser = optimiser(&parameters, settings)?;
    let snapshot =
        Snapshot { model: &model, tokenizer: &tokenizer, prefix: &job.start.prefix, max_tokens: job.start.max_tokens };
    let look = || job.dev.map(|dev| dev(&snapshot).map_err(Error::Evaluation)).transpose();

    let files = Files::new(job.folder);
    let identity = identity(job, &views)?;
    let resumed = files.resume(&parameters, &mut optimiser, &identity)?;
    if resumed.is_none() && files.any() {
        progress.note(&format!("{}: the checkpoint there is of another training; beginning anew", job.stage));
    }
    let mut log = MetricsLog::resume(&job.metrics, job.stage, resumed.as_ref().map_or(0, |resumed| resumed.step))?;
    let mut progressed = match resumed {
        Some(progressed) => progressed,
        None => {
            let scores = look()?;
            let mut entry = json!({"stage": job.stage, "step": 0, "epoch": 0});
            scores.iter().for_each(|scores| scores.note_in(&mut entry));
            log.log(&entry)?;
            files.save_best(&parameters, 0)?;
            let start = scores.map(|scores| scores.spearman);
            let progressed = Progressed { identity, step: 0, start, best: start.map(|start| (start, 0)) };
            files.save(&parameters, &optimiser, &progressed)?;
            progressed
        }
    };

    let bar = progress.stage(job.stage, Some(total), "steps");
    bar.add(progressed.step);
    for step in progressed.step + 1..=total {
        let examples = order.batch(step);
        let batch = views.batch(examples);
        let rate = schedule.learning_rate(step);
        let outcome = step::step::<f32>(&model, settings, &mut optimiser, (&batch, views.count()), (step, rate))?;
        if !outcome.is_finite() {
            files.save(&parameters, &optimiser, &progressed)?;
            return Err(diverged(job, step, examples, files.checkpoint()));
        }
        progressed.step = step;
        let mut entry = json!({
            "stage": job.stage, "step": step, "epoch": order.epoch(step), "loss": outcome.loss, "learning_rate": rate,
            "gradient_norm": outcome.gradient_norm,
        });
        bar.set(&format!("loss {:.4}", outcome.loss));
        if step % settings.evaluate_every == 0 || step == total {
            if let Some(scores) = look()? {
                scores.note_in(&mut entry);
                bar.set(&format!("loss {:.4}, dev {scores}", outcome.loss));
                if progressed.best.is_none_or(|(best, _)| scores.spearman > best) {
                    progressed.best = Some((scores.spearman, step));
                    files.save_best(&parameters, step)?;
                }
                warn_of_falling(job, &progressed, scores.spearman, progress);
            }
        }
        log.log(&entry)?;
        bar.add(1);
        let stop = interrupt.is_set();
        if stop || (step % settings.checkpoint_every == 0 && step < total) {
            files.save(&parameters, &optimiser, &progressed)?;
        }
        if stop && step < total {
            return Err(Error::Interrupted { step, total });
        }
    }
    if let Some((_, best_step)) = progressed.best.filter(|(_, best_step)| *best_step < total) {
        files.take_best(&parameters, best_step)?;
    }
    let summary =
        TrainSummary { steps: total, examples: job.material.len(), start: progressed.start, best: progressed.best };
    Ok((parameters, summary))
}

/// Writes the trained teacher to `folder`, as [`crate::save`] does; a head that was for training alone is left out.
///
/// # Errors
/// As [`crate::save`].
pub fn save(folder: &Path, job: &TrainJob, parameters: &Parameters) -> Result<()> {
    let (start, settings) = (job.start, job.settings);
    let kept = |name: &str| start.pooler == Pooler::Cls || !name.starts_with("pooler.");
    let tensors = parameters.iter().filter(|(name, _)| kept(name));
    let tensors: Vec<_> = tensors.map(|(name, variable)| (name.to_owned(), variable.as_tensor().clone())).collect();
    let mut config = start.config_json.clone();
    let objective = match job.material {
        Material::Texts(_) => "unsupervised SimCSE",
        Material::Examples(_) => "supervised SimCSE",
    };
    config
        .insert("limbeck".into(), json!({"objective": objective, "examples": job.material.len(), "simcse": settings}));
    let tokenizer = std::fs::read(&start.tokenizer).map_err(Error::io(&start.tokenizer, "read"))?;
    crate::save(
        folder,
        &SavedTeacher {
            config: &config,
            tensors: &tensors,
            tokenizer: &tokenizer,
            pooler: start.pooler,
            max_tokens: start.max_tokens,
            prefix: &start.prefix,
        },
    )
}

/// Removes what a training kept to go on from; call it once the teacher is saved.
pub fn forget(folder: &Path) -> Result<()> {
    Files::new(folder).remove()
}

impl DevScores {
    fn note_in(&self, entry: &mut serde_json::Value) {
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

/// The start's weights as variables; a head that it doesn't have begins with small random numbers.
fn parameters(job: &TrainJob, head: bool) -> Result<Parameters> {
    let weights = &job.start.weights;
    let with_pooler = head || job.start.pooler == Pooler::Cls;
    let mut random = Random::new(job.settings.seed, &[HEAD]);
    Parameters::new(&job.start.config, with_pooler, &mut |name, shape| {
        if name.starts_with("pooler.") && !weights.contains(name) {
            // BERT's own way: normal with a deviation of 0.02, and no bias.
            let count = shape.iter().product();
            let numbers: Vec<f32> = match name.ends_with(".bias") {
                true => vec![0.0; count],
                false => (0..count).map(|_| (0.02 * random.normal()) as f32).collect(),
            };
            return Tensor::from_vec(numbers, shape, &job.device).map_err(Error::candle("a new head"));
        }
        weights.tensor(name, shape, DType::F32, &job.device)
    })
}

/// AdamW over all that learns; biases and LayerNorms don't decay.
fn optimiser(parameters: &Parameters, settings: &TrainSettings) -> Result<AdamW> {
    let learns = |name: &str| !(settings.freeze_words && name == "embeddings.word_embeddings.weight");
    let named = parameters.iter().filter(|(name, _)| learns(name));
    let named = named.map(|(name, variable)| (name.to_owned(), variable.clone()));
    let adam = AdamWSettings { weight_decay: settings.weight_decay, ..AdamWSettings::default() };
    let decays = |name: &str| !name.ends_with(".bias") && !name.contains("LayerNorm");
    Ok(AdamW::new(named.collect::<Vec<_>>(), adam, decays)?)
}

/// What must be the same for a checkpoint to be gone on from.
fn identity(job: &TrainJob, views: &Views) -> Result<String> {
    let start = job.start;
    let weights = files::sha256_file(start.weights.path())?;
    Ok(json!({
        "settings": job.settings, "weights": weights, "pooler": start.pooler, "prefix": start.prefix,
        "max_tokens": start.max_tokens, "examples": views.hash(), "dev": job.dev.is_some(),
    })
    .to_string())
}

fn warn_of_falling(job: &TrainJob, progressed: &Progressed, now: f64, progress: &dyn Progress) {
    let Some((best, best_step)) = progressed.best else { return };
    if progressed.step - best_step == job.settings.patience * job.settings.evaluate_every {
        progress.note(&format!(
            "{}: warning: the dev Spearman is {now:.2}; its best, {best:.2}, was at step {best_step}, and it has not been \
             reached since. Fewer steps or a lower learning rate may do better",
            job.stage
        ));
    }
}

/// Writes the batch down that a loss went astray on.
fn diverged(job: &TrainJob, step: u64, examples: &[u32], checkpoint: PathBuf) -> Error {
    let batch = job.folder.join("diverged.tsv");
    let mut sorted = examples.to_vec();
    sorted.sort_unstable();
    let lines = sorted.iter().map(|&at| format!("{}\t{}\n", at + 1, job.material.line(at as usize)));
    match files::write_bytes(&batch, lines.collect::<String>().as_bytes()) {
        Ok(()) => Error::Diverged { step, batch, checkpoint },
        Err(error) => error.into(),
    }
}
