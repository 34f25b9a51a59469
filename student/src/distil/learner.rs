//! A student that learns a teacher's vectors.

use candle_core::Tensor;
use limbeck_data::Monitor;
use limbeck_encoder::TokenBatch;
use limbeck_training::checkpoint::{NamedTensors, SavedTensors};
use limbeck_training::random::Random;
use limbeck_training::{Learner, Measurement, StepOutcome};
use serde_json::{Value, json};

use super::held_out::HeldOutBatches;
use super::job::DistilJob;
use super::losses::{LossInput, Losses};
use super::settings::DistilSettings;
use super::targets::Survey;
use super::windows::DistilBatch;
use crate::am_softmax::{CentreRows, CentreShape, CentreStart, Centres, ClassLoss};
use crate::error::{Error, Result};
use crate::model::TextCnn;
use crate::trainable::TrainableStudent;

/// The random stream of dropout.
const DROPOUT: u64 = 12;
/// How many texts are embedded at once for the starting centres.
const BATCH: usize = 256;

/// A student in distillation.
pub(super) struct DistilLearner<'a> {
    job: &'a DistilJob<'a>,
    survey: &'a Survey,
    pub(super) student: TrainableStudent,
    held_out: HeldOutBatches,
    /// The mean of all targets, `[1, dimension]`.
    mean: Tensor,
    /// The class centres, once the training has started and where AM-softmax has a weight.
    classes: Option<ClassLoss>,
}

impl<'a> DistilLearner<'a> {
    /// `model` before its first step.
    pub(super) fn new(job: &'a DistilJob, survey: &'a Survey, model: TextCnn) -> Result<Self> {
        let student = TrainableStudent::new(model, job.settings.weight_decay)?;
        let mean = Tensor::from_slice(&survey.mean, (1, job.config.dimension), &job.device);
        let mean = mean.map_err(Error::tensor("mean of the targets"))?;
        let held_out = HeldOutBatches::new(job, &survey.held_out)?;
        Ok(Self { job, survey, student, held_out, mean, classes: None })
    }

    /// AM-softmax over the centres that `open` returns, one class a text to train on; `None` where it has no weight, or
    /// there is no step to take.
    fn class_loss(&self, open: impl FnOnce(CentreShape) -> Result<Centres>) -> Result<Option<ClassLoss>> {
        let &DistilSettings { epochs, seed, losses: Losses { am_softmax, .. }, .. } = self.job.settings;
        if am_softmax.is_off() || epochs == 0 {
            return Ok(None);
        }
        let shape = CentreShape { classes: self.survey.train_rows.iter().sum(), dimension: self.job.config.dimension };
        Ok(Some(ClassLoss::new(open(shape)?, am_softmax, seed)))
    }

    /// The starting centres, in the order of the texts.
    fn fill_centres(&self, rows: &mut CentreRows, start: CentreStart, monitor: Monitor) -> Result<()> {
        let (targets, dimension) = (&self.job.targets, self.job.config.dimension);
        if start == CentreStart::Random {
            return rows.fill_random();
        }
        for shard in 0..targets.cache.shards() {
            monitor.check()?;
            let examples = targets.examples(&targets.cache.read(shard)?)?;
            if start == CentreStart::Teacher {
                examples.targets.chunks(dimension).try_for_each(|row| rows.push(row))?;
                continue;
            }
            for first in (0..examples.tokens.rows()).step_by(BATCH) {
                let last = (first + BATCH).min(examples.tokens.rows());
                let batch: TokenBatch = (first..last).map(|row| examples.tokens.row(row)).collect();
                let vectors = self.student.model.embed(&batch, self.student.backend)?;
                let vectors = vectors.flatten_all().and_then(|all| all.to_vec1::<f32>());
                let vectors = vectors.map_err(Error::tensor("class centres"))?;
                vectors.chunks(dimension).try_for_each(|row| rows.push(row))?;
            }
        }
        Ok(())
    }
}

impl Learner for DistilLearner<'_> {
    type Batch = DistilBatch;
    type Error = Error;

    fn identity(&self) -> Value {
        json!({
            "config": self.job.config, "settings": self.job.settings, "start": self.student.start_hash,
            "held_out": self.survey.held_out.hash(),
        })
    }

    fn start(&mut self, monitor: Monitor) -> Result<()> {
        let DistilSettings { seed, losses, .. } = self.job.settings;
        let fill = |rows: &mut CentreRows| self.fill_centres(rows, losses.am_softmax.centres, monitor);
        self.classes = self.class_loss(|shape| Centres::create(self.job.folder, shape, *seed, fill))?;
        Ok(())
    }

    fn restore(&mut self, saved: &SavedTensors, step: u64) -> Result<()> {
        self.student.restore(saved)?;
        self.classes = self.class_loss(|shape| Centres::restore(self.job.folder, shape, step))?;
        Ok(())
    }

    fn step(&mut self, batch: &DistilBatch, step: u64, rate: f64) -> Result<StepOutcome> {
        let settings = self.job.settings;
        let mut random = Random::new(settings.seed, &[DROPOUT, step]);
        let rows = self.student.model.rows(&batch.tokens)?;
        let pooled = self.student.model.pool(&rows, self.student.backend)?;
        // Every view has its own mask over the one pooling.
        let mut view = || self.student.masked(&pooled, batch.tokens.rows(), settings.dropout, &mut random);
        let output = view()?;
        let loss = settings.losses.value(&mut LossInput {
            output: &output,
            targets: &batch.targets,
            mean: &self.mean,
            another_view: &mut view,
            classes: self.classes.as_mut().map(|classes| (classes, &batch.classes[..])),
            step,
        })?;
        let outcome = self.student.update(&loss, &rows, step, rate)?;
        if let Some(classes) = self.classes.as_mut().filter(|_| outcome.is_finite()) {
            classes.update(rate / settings.learning_rate);
        }
        Ok(outcome)
    }

    fn measure(&self, monitor: Monitor) -> Result<Option<Measurement>> {
        self.held_out.measure(&self.student.model, self.student.backend, monitor).map(Some)
    }

    fn weights(&self) -> NamedTensors<'_> {
        self.student.model.weights()
    }

    fn moments(&self) -> NamedTensors<'_> {
        self.student.moments()
    }

    fn set_weights(&mut self, saved: &SavedTensors) -> Result<()> {
        self.student.set_weights(saved)
    }

    fn before_checkpoint(&mut self, step: u64) -> Result<()> {
        self.classes.as_ref().map_or(Ok(()), |classes| classes.centres.save_copy(step))
    }

    fn after_checkpoint(&mut self, step: u64) -> Result<()> {
        self.classes.as_ref().map_or(Ok(()), |classes| classes.centres.remove_other_copies(step))
    }
}
