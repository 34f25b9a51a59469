use std::path::{Path, PathBuf};
use std::sync::mpsc;

use candle_core::{Device, Tensor};
use limbeck_data::Interrupt;
use limbeck_data::cache::{SHARD_ROWS, Slice};
use limbeck_data::progress::Progress;
use limbeck_encoder::TokenBatch;
use limbeck_training::checkpoint::Files;
use limbeck_training::metrics::MetricsLog;
use limbeck_training::optimiser::{AdamW, AdamWSettings};
use limbeck_training::schedule::Schedule;
use limbeck_training::space;
use ndarray::ArrayView2;
use serde_json::json;

use super::begin::{self, Beginning};
use super::checkpoint::{Progressed, resume, save, save_best, take_best};
use super::order::{Window, windows};
use super::settings::DistilSettings;
use super::step::{Batch, Stepper};
use super::targets::{Examples, HeldOut, Targets};
use crate::am_softmax::forget_centres;
use crate::config::StudentConfig;
use crate::error::{During, Error, Result};
use crate::graph::Backend;
use crate::model::TextCnn;

/// One distillation.
pub struct DistilJob<'a> {
    pub targets: Targets<'a>,
    /// The student's shape; vocabulary and dimension are those of the targets.
    pub config: StudentConfig,
    pub settings: &'a DistilSettings,
    /// A student of this shape to go on from, in place of the static start.
    pub student: Option<&'a TextCnn>,
    /// The student's folder: checkpoints lie here while it learns.
    pub folder: &'a Path,
    /// Where the metrics are logged, and as which stage.
    pub metrics: PathBuf,
    pub stage: &'a str,
    pub device: Device,
}

impl DistilJob<'_> {
    /// Refuses what can't be, or would be of no use, before any work.
    pub(super) fn check(&self) -> Result<()> {
        self.settings.check_for(&self.config)?;
        self.config.check_folds()?;
        self.settings.losses.matryoshka.check(self.config.dimension)
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct DistilSummary {
    pub steps: u64,
    /// Held-out fidelity before the first step: mean cosine to the teacher's vectors.
    pub start: f64,
    /// The best held-out fidelity, and the step that gave it.
    pub best: f64,
    pub best_step: u64,
    pub texts: usize,
}

/// Distils a student. An interrupted run goes on from its checkpoint; the student of the best held-out fidelity comes back.
pub fn distil(job: &DistilJob, progress: &dyn Progress, interrupt: &Interrupt) -> Result<(TextCnn, DistilSummary)> {
    job.check()?;
    limbeck_data::files::remove_leftovers(job.folder)?;
    let survey = job.targets.survey(progress, interrupt)?;
    let Beginning { mut model, empty_target } = begin::begin(job, &survey, progress)?;
    let adam = AdamWSettings { weight_decay: job.settings.weight_decay, ..AdamWSettings::default() };
    let named = model.dense.iter().map(|(name, variable)| (name.to_string(), variable.clone()));
    let optimiser = AdamW::new(named.collect::<Vec<_>>(), adam, |_| true)?;
    let graph = Backend::of(&job.device);
    let mean =
        Tensor::from_slice(&survey.mean, (1, job.config.dimension), &job.device).during("mean of the targets")?;
    let mut stepper = Stepper { settings: job.settings, optimiser, adam, graph, classes: None, mean };

    let (batch, most) = (job.settings.batch, job.settings.window.saturating_mul(SHARD_ROWS));
    let windows = windows(&survey.train_rows, job.settings.epochs, batch, most, job.settings.seed);
    let total = windows.last().map_or(0, |window| window.steps.end - 1);
    let files = Files::new(job.folder);
    let identity = begin::identity(job, &survey)?;
    let held_out = HeldOutBatches::new(job, &survey.held_out)?;
    let start_fidelity = held_out.measure(&model, graph, 0)?.cosine;
    let resumed = resume(&files, &mut model, &mut stepper.optimiser, &identity)?;
    if !job.settings.losses.am_softmax.is_off() && total > 0 {
        let after = resumed.as_ref().map(|progressed| progressed.step);
        stepper.classes = Some(begin::classes(job, &survey, (&model, graph), after, interrupt)?);
    }
    let mut progressed = match resumed {
        Some(progressed) => progressed,
        None => {
            save_best(&files, &model, 0)?;
            Progressed { identity, step: 0, best: Some((start_fidelity, 0)) }
        }
    };
    // The line of step 0 is logged below, whether or not it was before.
    let after = (progressed.step > 0).then_some(progressed.step);
    let mut log = MetricsLog::resume(&job.metrics, job.stage, after)?;
    if progressed.step == 0 {
        log.log(&json!({"stage": job.stage, "step": 0, "epoch": 0, "fidelity_cosine": start_fidelity}))?;
    }
    if total > 0 {
        let schedule = Schedule::new(job.settings.learning_rate, job.settings.warm_up, total, job.settings.decay)?;
        let left: Vec<Window> = windows.into_iter().filter(|window| window.steps.end > progressed.step + 1).collect();
        let bar = progress.stage(job.stage, Some(total), "steps");
        bar.add(progressed.step);
        let mut learn = |window: &Window, examples: &Examples| -> Result<()> {
            let order = window.permutation(job.settings.seed);
            let classes = stepper.classes.is_some().then(|| window.numbers(&survey.train_rows));
            for step in window.steps.clone().filter(|&step| step > progressed.step).collect::<Vec<_>>() {
                let rows = &order[window.batch(step)];
                let batch = job.batch(examples, (rows, classes.as_deref()), &empty_target)?;
                let rate = schedule.learning_rate(step);
                let loss = stepper.step(&mut model, &batch, rate, step)?;
                progressed.step = step;
                let mut entry = json!({"stage": job.stage, "step": step, "epoch": window.epoch, "loss": loss, "learning_rate": rate});
                if step % job.settings.evaluate_every == 0 || step == total {
                    let measured = held_out.measure(&model, graph, step)?;
                    let fidelity = measured.cosine;
                    entry["fidelity_cosine"] = json!(fidelity);
                    // A text's two vectors, the student's and the teacher's, are the equals that alignment asks for.
                    entry["alignment"] = json!(2.0 - 2.0 * fidelity);
                    entry["uniformity"] = json!(measured.uniformity);
                    bar.set(&format!("loss {loss:.4}, held-out cosine {fidelity:.4}"));
                    if progressed.best.is_none_or(|(best, _)| fidelity > best) {
                        progressed.best = Some((fidelity, step));
                        save_best(&files, &model, step)?;
                    }
                }
                log.log(&entry)?;
                bar.add(1);
                let stop = interrupt.is_set();
                if stop || (step % job.settings.checkpoint_every == 0 && step < total) {
                    stepper.classes.as_ref().map_or(Ok(()), |classes| classes.keep(step))?;
                    save(&files, &model, &stepper.optimiser, &progressed)?;
                    stepper.classes.as_ref().map_or(Ok(()), |classes| classes.kept(step))?;
                }
                if stop && step < total {
                    return Err(Error::Interrupted { step, total });
                }
            }
            Ok(())
        };
        read_ahead((&job.targets, &survey.slices), &left, &mut learn)?;
    }
    let (best, best_step) = progressed.best.unwrap_or((start_fidelity, 0));
    take_best(&files, &mut model, best_step)?;
    let texts = survey.train_rows.iter().sum();
    Ok((model, DistilSummary { steps: total, start: start_fidelity, best, best_step, texts }))
}

/// Removes what a distillation kept to go on from; call it once the student is saved.
pub fn forget(folder: &Path) -> Result<()> {
    Files::new(folder).remove()?;
    forget_centres(folder)
}

/// Reads the next window while `learn` works on the last; memory holds two.
fn read_ahead(
    source: (&Targets, &[Slice]),
    windows: &[Window],
    learn: &mut dyn FnMut(&Window, &Examples) -> Result<()>,
) -> Result<()> {
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel::<Result<Examples>>(0);
        scope.spawn(move || {
            for window in windows {
                // A closed channel: the learning side has stopped, with an error of its own.
                if sender.send(read(source, window)).is_err() {
                    return;
                }
            }
        });
        for (window, examples) in windows.iter().zip(receiver) {
            learn(window, &examples?)?;
        }
        Ok(())
    })
}

fn read((targets, slices): (&Targets, &[Slice]), window: &Window) -> Result<Examples> {
    let mut all =
        Examples { tokens: TokenBatch::new(), targets: Vec::with_capacity(window.rows * targets.dimension()) };
    for &slice in &window.slices {
        let examples = targets.examples(&targets.cache.read_slice(&slices[slice])?)?;
        examples.tokens.iter().for_each(|row| all.tokens.push(row));
        all.targets.extend_from_slice(&examples.targets);
    }
    if all.tokens.rows() != window.rows {
        let reason = format!("changed while it was read: {} texts instead of {}", all.tokens.rows(), window.rows);
        return Err(Error::Targets { path: targets.cache.path().to_path_buf(), reason });
    }
    Ok(all)
}

impl DistilJob<'_> {
    /// The examples of `rows` and their targets; the empty text stands at the end of every batch, so that it is learned.
    /// `classes` are those of all examples.
    fn batch(
        &self,
        examples: &Examples,
        (rows, classes): (&[u32], Option<&[u32]>),
        empty_target: &[f32],
    ) -> Result<Batch> {
        let dimension = self.config.dimension;
        let mut tokens = TokenBatch::new();
        let mut targets = Vec::with_capacity((rows.len() + 1) * dimension);
        for &row in rows {
            tokens.push(examples.tokens.row(row as usize));
            targets.extend_from_slice(&examples.targets[row as usize * dimension..(row as usize + 1) * dimension]);
        }
        tokens.push(&[self.config.empty_token()]);
        targets.extend_from_slice(empty_target);
        let targets = Tensor::from_vec(targets, (rows.len() + 1, dimension), &self.device).during("targets")?;
        let classes = classes.map(|classes| rows.iter().map(|&row| classes[row as usize]).collect());
        Ok(Batch { tokens, targets, classes: classes.unwrap_or_default() })
    }
}

/// The held-out texts, tokenised and cut into batches once.
struct HeldOutBatches {
    batches: Vec<(TokenBatch, Tensor)>,
    texts: usize,
}

impl HeldOutBatches {
    fn new(job: &DistilJob, held_out: &HeldOut) -> Result<Self> {
        let texts: Vec<&str> = held_out.texts.iter().map(String::as_str).collect();
        let mut batches = Vec::new();
        for (texts, vectors) in texts.chunks(512).zip(held_out.vectors.chunks(512 * held_out.dimension)) {
            let targets = Tensor::from_slice(vectors, (texts.len(), held_out.dimension), &job.device);
            batches.push((job.targets.tokenise(texts)?, targets.during("held-out targets")?));
        }
        Ok(Self { batches, texts: texts.len() })
    }

    /// `step` is the last one that was taken.
    fn measure(&self, model: &TextCnn, graph: Backend, step: u64) -> Result<Measured> {
        let mut sum = 0.0;
        let mut uniformity = None;
        for (tokens, targets) in &self.batches {
            let vectors = model.embed(tokens, graph)?;
            let product = vectors.mul(targets).and_then(|p| p.sum_all());
            sum += f64::from(product.and_then(|p| p.to_scalar::<f32>()).during("held-out fidelity")?);
            if uniformity.is_none() {
                let numbers =
                    vectors.flatten_all().and_then(|vectors| vectors.to_vec1::<f32>()).during("uniformity")?;
                let rows = ArrayView2::from_shape(vectors.dims2().during("uniformity")?, &numbers);
                uniformity = rows.ok().and_then(space::uniformity);
            }
        }
        let cosine = sum / self.texts as f64;
        match cosine.is_finite() {
            true => Ok(Measured { cosine, uniformity }),
            false => Err(Error::NotFinite { what: "a parameter", step }),
        }
    }
}

/// How a student does on the held-out texts.
struct Measured {
    /// Mean cosine of the student's vectors to the teacher's.
    cosine: f64,
    /// Of the first batch's vectors; none where it has one text only.
    uniformity: Option<f64>,
}
