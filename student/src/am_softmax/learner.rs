//! A student that learns to tell sentences apart, each its own class.

use std::path::Path;

use candle_core::Tensor;
use limbeck_data::Monitor;
use limbeck_data::cache::Cache;
use limbeck_encoder::TokenBatch;
use limbeck_training::checkpoint::{NamedTensors, SavedTensors};
use limbeck_training::contrastive::ExampleBatch;
use limbeck_training::random::Random;
use limbeck_training::{Learner, Measurement, StepOutcome};
use serde_json::{Value, json};

use super::centres::{CentreRows, CentreShape};
use super::loss::ClassLoss;
use super::settings::{AmSoftmaxSettings, CentreStart};
use crate::contrast::{EncodingStudent, views};
use crate::distil::Targets;
use crate::error::{Error, Result};

/// The random stream of dropout.
const DROPOUT: u64 = 43;
/// How many sentences are embedded at once for the starting centres.
const BATCH: usize = 256;

/// The sources of the starting centres.
pub(super) struct CentreSources<'a> {
    /// The sentence of each class.
    pub(super) texts: &'a [String],
    /// The cache that the sentences come from, and that of its held-out ones.
    pub(super) cache: Option<(&'a Cache, Option<&'a Cache>)>,
    /// A hash of the teacher's vectors, where centres start at them.
    pub(super) vectors: Option<String>,
}

/// A student in training with every sentence as its own class.
pub(super) struct ClassLearner<'a> {
    student: EncodingStudent<'a>,
    settings: &'a AmSoftmaxSettings,
    sources: CentreSources<'a>,
    folder: &'a Path,
    /// The class centres, once the training has started.
    classes: Option<ClassLoss>,
}

impl<'a> ClassLearner<'a> {
    /// `student` before its first step; its centres lie in `folder`.
    pub(super) fn new(
        student: EncodingStudent<'a>,
        settings: &'a AmSoftmaxSettings,
        sources: CentreSources<'a>,
        folder: &'a Path,
    ) -> Self {
        Self { student, settings, sources, folder, classes: None }
    }

    /// The student as it is.
    pub(super) fn into_student(self) -> EncodingStudent<'a> {
        self.student
    }

    fn shape(&self) -> CentreShape {
        CentreShape { classes: self.sources.texts.len(), dimension: self.student.config().dimension }
    }

    /// The starting centres, in the order of the sentences.
    fn fill(&self, rows: &mut CentreRows, monitor: Monitor) -> Result<()> {
        let texts = self.sources.texts;
        let bar = monitor.stage("class centres", Some(texts.len() as u64), "classes");
        match self.settings.centres {
            CentreStart::Student => {
                for batch in texts.chunks(BATCH) {
                    monitor.check()?;
                    let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
                    let vectors = self.student.embed(&batch)?;
                    vectors.chunks(self.shape().dimension).try_for_each(|row| rows.push(row))?;
                    bar.add(batch.len() as u64);
                }
                Ok(())
            }
            CentreStart::Random => rows.fill_random(),
            CentreStart::Teacher => {
                let (cache, held_out) = self.sources.cache.ok_or_else(needs_cache)?;
                let (tokenizer, max_tokens) = (&self.student.tokenizer, self.student.config().max_tokens);
                let targets = Targets { cache, held_out, tokenizer, max_tokens };
                for shard in 0..cache.shards() {
                    monitor.check()?;
                    let shard = cache.read(shard)?;
                    for (text, vector) in shard.texts.iter().zip(shard.embeddings.chunks_exact(cache.dimension())) {
                        if rows.written() < texts.len() && targets.trains_on(text) {
                            rows.push(vector)?;
                        }
                    }
                    bar.add(shard.texts.len() as u64);
                }
                Ok(())
            }
        }
    }
}

/// The error when centres start at the teacher's vectors and there is no cache.
pub(super) fn needs_cache() -> Error {
    let allowed = "student or random where there is no cache with the teacher's vectors".into();
    Error::Setting { name: "am_softmax.centres", value: "teacher".into(), allowed }
}

impl Learner for ClassLearner<'_> {
    type Batch = ExampleBatch;
    type Error = Error;

    fn identity(&self) -> Value {
        json!({"student": self.student.identity(), "am_softmax": self.settings, "vectors": self.sources.vectors})
    }

    fn start(&mut self, monitor: Monitor) -> Result<()> {
        let (shape, loss, seed) = (self.shape(), self.settings.loss(), self.settings.seed);
        self.classes = Some(ClassLoss::create(self.folder, shape, loss, seed, |rows| self.fill(rows, monitor))?);
        Ok(())
    }

    fn restore(&mut self, step: u64) -> Result<()> {
        let (shape, loss, seed) = (self.shape(), self.settings.loss(), self.settings.seed);
        self.classes = Some(ClassLoss::restore(self.folder, shape, loss, seed, step)?);
        Ok(())
    }

    fn step(&mut self, batch: &ExampleBatch, step: u64, rate: f64) -> Result<StepOutcome> {
        let Self { student, settings, classes, .. } = self;
        let failed = Error::tensor;
        let none = || failed("AM-softmax")(candle_core::Error::Msg("the class centres are missing".into()));
        let classes = classes.as_mut().ok_or_else(none)?;
        let texts: &TokenBatch = &batch.views[0];
        let rows = student.student.model.rows(texts)?;
        let mut random = Random::new(settings.seed, &[DROPOUT, step]);
        let all = views(&student.student, (texts, &rows), settings.views, &settings.contrast(), &mut random)?;
        let each = (0..settings.views).map(|view| all.narrow(0, view * texts.rows(), texts.rows()));
        let each: Vec<Tensor> = each.collect::<candle_core::Result<_>>().map_err(failed("dropout views"))?;
        let loss = classes.value::<f32>(&each, &batch.examples, step)?;
        let outcome = student.student.update(&loss, &rows, step, rate)?;
        if outcome.is_finite() {
            classes.update(rate / settings.learning_rate);
        }
        Ok(outcome)
    }

    fn measure(&self, _monitor: Monitor) -> Result<Option<Measurement>> {
        self.student.measure()
    }

    fn weights(&self) -> Result<NamedTensors<'_>> {
        Ok(self.student.student.weights())
    }

    fn moments(&self) -> Result<NamedTensors<'_>> {
        Ok(self.student.student.moments())
    }

    fn set_weights(&mut self, saved: &SavedTensors) -> Result<()> {
        self.student.student.set_weights(saved)
    }

    fn set_moments(&mut self, saved: &SavedTensors) -> Result<()> {
        self.student.student.set_moments(saved)
    }

    fn before_checkpoint(&mut self, step: u64) -> Result<()> {
        self.classes.as_ref().map_or(Ok(()), |classes| classes.before_checkpoint(step))
    }

    fn after_checkpoint(&mut self, step: u64) -> Result<()> {
        self.classes.as_ref().map_or(Ok(()), |classes| classes.after_checkpoint(step))
    }
}
