use std::path::Path;

use candle_core::Tensor;
use limbeck_data::Interrupt;
use limbeck_data::cache::Cache;
use limbeck_data::progress::Progress;
use limbeck_encoder::{Encoder, TokenBatch};
use limbeck_training::checkpoint::Stored;
use limbeck_training::contrastive::{Learner, Outcome};
use limbeck_training::random::Random;
use serde_json::{Value, json};

use super::centres::{Rows, Shape};
use super::loss::ClassLoss;
use super::settings::{AmSoftmaxSettings, CentreStart};
use crate::contrast::{StudentLearner, views};
use crate::distil::Targets;
use crate::encoder::embed;
use crate::error::{During, Error, Result};

/// The random stream of dropout.
const DROPOUT: u64 = 43;
/// How many sentences are encoded at once for the starting centres.
const BATCH: usize = 256;

/// Where the starting centres may come from.
pub struct Sources<'a> {
    /// The sentence of each class.
    pub texts: &'a [String],
    /// The cache that the sentences came from, and that of its held-out ones.
    pub cache: Option<(&'a Cache, Option<&'a Cache>)>,
    /// A hash of the vectors that centres begin at, where the teacher's are meant.
    pub vectors: Option<String>,
}

/// A student in training with every sentence its own class.
pub struct ClassLearner<'a> {
    student: StudentLearner<'a>,
    settings: &'a AmSoftmaxSettings,
    sources: Sources<'a>,
    folder: &'a Path,
    watch: (&'a dyn Progress, &'a Interrupt),
    /// There once the training has begun.
    classes: Option<ClassLoss>,
    /// The classes of the next batch.
    labels: Vec<u32>,
}

impl<'a> ClassLearner<'a> {
    /// `student`, about to learn; its centres lie in `folder`.
    pub fn new(
        student: StudentLearner<'a>,
        settings: &'a AmSoftmaxSettings,
        sources: Sources<'a>,
        folder: &'a Path,
        watch: (&'a dyn Progress, &'a Interrupt),
    ) -> Self {
        Self { student, settings, sources, folder, watch, classes: None, labels: Vec::new() }
    }

    /// The student as it is.
    pub fn into_student(self) -> StudentLearner<'a> {
        self.student
    }

    fn shape(&self) -> Shape {
        Shape { classes: self.sources.texts.len(), dimension: self.student.model.config.dimension }
    }

    fn fill(&self, rows: &mut Rows) -> Result<()> {
        let (texts, (progress, interrupt)) = (self.sources.texts, self.watch);
        let bar = progress.stage("class centres", Some(texts.len() as u64), "classes");
        match self.settings.centres {
            CentreStart::Student => {
                for batch in texts.chunks(BATCH) {
                    interrupt.check()?;
                    let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
                    let vectors = embed(&self.student.model, &self.student.tokenizer, self.student.graph, &batch)?;
                    vectors.chunks(self.shape().dimension).try_for_each(|row| rows.push(row))?;
                    bar.add(batch.len() as u64);
                }
                Ok(())
            }
            CentreStart::Random => (0..texts.len()).try_for_each(|_| rows.push_random()),
            CentreStart::Teacher => {
                let (cache, held_out) = self.sources.cache.ok_or_else(needs_cache)?;
                let (tokenizer, max_tokens) = (&self.student.tokenizer, self.student.model.config.max_tokens);
                let targets = Targets { cache, held_out, tokenizer, max_tokens };
                for shard in 0..cache.shards() {
                    interrupt.check()?;
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

/// The teacher's vectors are wanted, and there is no cache.
pub fn needs_cache() -> Error {
    let allowed = "student or random where there is no cache with the teacher's vectors".into();
    Error::Setting { name: "am_softmax.centres", value: "teacher".into(), allowed }
}

impl Learner for ClassLearner<'_> {
    type Error = Error;

    fn tokenise(&self, texts: &[&str]) -> Result<TokenBatch> {
        self.student.tokenise(texts)
    }

    fn begin(&mut self, after: Option<u64>) -> Result<()> {
        let (shape, settings) = (self.shape(), (self.settings.classes(), self.settings.seed));
        self.classes = Some(match after {
            Some(step) => ClassLoss::take_back(self.folder, shape, settings, step)?,
            None => ClassLoss::create(self.folder, shape, settings, |rows| self.fill(rows))?,
        });
        Ok(())
    }

    fn next_examples(&mut self, examples: &[u32]) {
        self.labels = examples.to_vec();
    }

    fn keep(&mut self, step: u64) -> Result<()> {
        self.classes.as_ref().map_or(Ok(()), |classes| classes.keep(step))
    }

    fn kept(&mut self, step: u64) -> Result<()> {
        self.classes.as_ref().map_or(Ok(()), |classes| classes.kept(step))
    }

    fn step(&mut self, batch: &TokenBatch, views_in_batch: usize, step: u64, rate: f64) -> Result<Outcome> {
        let Self { student, settings, classes, labels, .. } = self;
        let unready = || candle_core::Error::Msg("the training has not begun".into());
        let classes = classes.as_mut().ok_or_else(unready).during("AM-softmax")?;
        // The loop brings each text twice, for SimCSE; one is enough to make all views of.
        let once: TokenBatch = (0..batch.rows() / views_in_batch).map(|row| batch.row(row)).collect();
        let rows = student.model.rows(&once)?;
        let mut random = Random::new(settings.seed, &[DROPOUT, step]);
        let count = settings.views;
        let all = views(&student.model, student.graph, (&once, &rows), count, &settings.contrast(), &mut random)?;
        let each = (0..count).map(|view| all.narrow(0, view * once.rows(), once.rows()));
        let each: Vec<Tensor> = each.collect::<candle_core::Result<_>>().during("views")?;
        let classified = classes.classify::<f32>(&each, labels, step)?;
        if !classified.is_finite() {
            return Ok(Outcome { loss: f64::NAN, gradient_norm: f64::NAN });
        }
        let outcome = student.learn(&classified.loss, &rows, step, rate)?;
        if outcome.is_finite() {
            classes.learn(&classified, rate / settings.learning_rate);
        }
        Ok(outcome)
    }

    fn weights(&self) -> Result<Vec<(String, Stored<'_>)>> {
        self.student.weights()
    }

    fn moments(&self) -> Result<Vec<(String, Stored<'_>)>> {
        self.student.moments()
    }

    fn set_weights(&mut self, find: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.student.set_weights(find)
    }

    fn set_moments(&mut self, find: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.student.set_moments(find)
    }

    fn encoder(&self) -> Box<dyn Encoder + '_> {
        self.student.encoder()
    }

    fn identity(&self) -> Value {
        json!({"student": self.student.identity(), "am_softmax": self.settings, "vectors": self.sources.vectors})
    }
}
