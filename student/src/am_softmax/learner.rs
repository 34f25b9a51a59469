//! A student that learns to tell sentences apart, each its own class.

use std::path::Path;

use limbeck_data::Monitor;
use limbeck_data::cache::Cache;
use limbeck_encoder::TokenBatch;
use limbeck_training::checkpoint::{NamedTensors, SavedTensors};
use limbeck_training::contrastive::ExampleBatch;
use limbeck_training::random::Random;
use limbeck_training::{Learner, Measurement, StepOutcome};
use serde_json::{Value, json};

use super::centres::{CentreRows, CentreShape, Centres};
use super::loss::{ClassLoss, no_centres};
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
    pub(super) student: EncodingStudent<'a>,
    pub(super) settings: &'a AmSoftmaxSettings,
    pub(super) sources: CentreSources<'a>,
    /// The folder of the centres.
    pub(super) folder: &'a Path,
    /// The class centres, once the training has started.
    pub(super) classes: Option<ClassLoss>,
}

impl ClassLearner<'_> {
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
                let trains_on = Targets { cache, held_out, tokenizer, max_tokens }.training_filter();
                for shard in 0..cache.shards() {
                    monitor.check()?;
                    let shard = cache.read(shard)?;
                    for (text, vector) in shard.texts.iter().zip(shard.embeddings.chunks_exact(cache.dimension())) {
                        if rows.written < texts.len() && trains_on(text) {
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
    let allowed = "student or random where there is no cache with the teacher's vectors";
    Error::setting("am_softmax.centres", "teacher", allowed)
}

impl Learner for ClassLearner<'_> {
    type Batch = ExampleBatch;
    type Error = Error;

    fn identity(&self) -> Value {
        json!({"student": self.student.identity(), "am_softmax": self.settings, "vectors": self.sources.vectors})
    }

    fn start(&mut self, monitor: Monitor) -> Result<()> {
        let seed = self.settings.seed;
        let centres = Centres::create(self.folder, self.shape(), seed, |rows| self.fill(rows, monitor))?;
        self.classes = Some(ClassLoss::new(centres, self.settings.loss(), seed));
        Ok(())
    }

    fn restore(&mut self, saved: &SavedTensors, step: u64) -> Result<()> {
        self.student.student.restore(saved)?;
        let centres = Centres::restore(self.folder, self.shape(), step)?;
        self.classes = Some(ClassLoss::new(centres, self.settings.loss(), self.settings.seed));
        Ok(())
    }

    fn step(&mut self, batch: &ExampleBatch, step: u64, rate: f64) -> Result<StepOutcome> {
        let Self { student, settings, classes, .. } = self;
        let classes = classes.as_mut().ok_or_else(no_centres)?;
        let texts: &TokenBatch = &batch.views[0];
        let rows = student.student.model.rows(texts)?;
        let mut random = Random::new(settings.seed, &[DROPOUT, step]);
        let all = views(&student.student, (texts, &rows), settings.views, &settings.contrast(), &mut random)?;
        let each = all.chunk(settings.views, 0).map_err(Error::tensor("dropout views"))?;
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

    fn weights(&self) -> NamedTensors<'_> {
        self.student.student.model.weights()
    }

    fn moments(&self) -> NamedTensors<'_> {
        self.student.student.moments()
    }

    fn set_weights(&mut self, saved: &SavedTensors) -> Result<()> {
        self.student.student.set_weights(saved)
    }

    fn before_checkpoint(&mut self, step: u64) -> Result<()> {
        self.classes.as_ref().map_or(Ok(()), |classes| classes.centres.save_copy(step))
    }

    fn after_checkpoint(&mut self, step: u64) -> Result<()> {
        self.classes.as_ref().map_or(Ok(()), |classes| classes.centres.remove_other_copies(step))
    }
}
