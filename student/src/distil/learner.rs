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
use super::losses::LossInput;
use super::targets::Survey;
use super::windows::DistilBatch;
use crate::am_softmax::{AmSoftmaxLoss, CentreRows, CentreShape, CentreStart, ClassLoss};
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
    student: TrainableStudent,
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

    /// The student as it is.
    pub(super) fn into_model(self) -> TextCnn {
        self.student.model
    }

    /// The settings of AM-softmax, where class centres are needed: it has a weight, and there is a step to take.
    fn class_settings(&self) -> Option<AmSoftmaxLoss> {
        let settings = self.job.settings.losses.am_softmax;
        (settings.weight > 0.0 && self.job.settings.epochs > 0).then_some(settings)
    }

    /// The class centres as `open` makes them, one class a text to train on.
    fn open_classes(
        &self,
        open: impl FnOnce(CentreShape, AmSoftmaxLoss, u64) -> Result<ClassLoss>,
    ) -> Result<Option<ClassLoss>> {
        let Some(settings) = self.class_settings() else { return Ok(None) };
        let shape = CentreShape { classes: self.survey.train_rows.iter().sum(), dimension: self.job.config.dimension };
        open(shape, settings, self.job.settings.seed).map(Some)
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
            "config": self.job.config, "settings": self.job.settings, "start": self.student.start_hash(),
            "held_out": self.survey.held_out.hash(),
        })
    }

    fn start(&mut self, monitor: Monitor) -> Result<()> {
        self.classes = self.open_classes(|shape, settings, seed| {
            let fill = |rows: &mut CentreRows| self.fill_centres(rows, settings.centres, monitor);
            ClassLoss::create(self.job.folder, shape, settings, seed, fill)
        })?;
        Ok(())
    }

    fn restore(&mut self, step: u64) -> Result<()> {
        let restore = |shape, settings, seed| ClassLoss::restore(self.job.folder, shape, settings, seed, step);
        self.classes = self.open_classes(restore)?;
        Ok(())
    }

    fn step(&mut self, batch: &DistilBatch, step: u64, rate: f64) -> Result<StepOutcome> {
        let settings = self.job.settings;
        let mut random = Random::new(settings.seed, &[DROPOUT, step]);
        let model = &self.student.model;
        let rows = model.rows(&batch.tokens)?;
        let pooled = model.pool(&rows, self.student.backend)?;
        // Every view has its own mask over the one pooling.
        let mut view = || -> Result<Tensor> {
            let mask = model.masks(batch.tokens.rows(), settings.dropout, &mut random)?;
            model.project(&pooled, mask.as_ref())
        };
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

    fn weights(&self) -> Result<NamedTensors<'_>> {
        Ok(self.student.weights())
    }

    fn moments(&self) -> Result<NamedTensors<'_>> {
        Ok(self.student.moments())
    }

    fn set_weights(&mut self, saved: &SavedTensors) -> Result<()> {
        self.student.set_weights(saved)
    }

    fn set_moments(&mut self, saved: &SavedTensors) -> Result<()> {
        self.student.set_moments(saved)
    }

    fn before_checkpoint(&mut self, step: u64) -> Result<()> {
        self.classes.as_ref().map_or(Ok(()), |classes| classes.before_checkpoint(step))
    }

    fn after_checkpoint(&mut self, step: u64) -> Result<()> {
        self.classes.as_ref().map_or(Ok(()), |classes| classes.after_checkpoint(step))
    }
}
