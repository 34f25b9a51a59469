use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo, TokenBatch, Tokenizer};
use limbeck_training::contrastive::{ContrastiveSettings, Learner, Outcome, loss};
use limbeck_training::optimiser::{AdamW, AdamWSettings, SparseTable};
use limbeck_training::random::Random;
use serde_json::{Value, json};

use super::ContrastSettings;
use super::views::{dropped_embeddings, views as dropped_views};
use crate::config::StudentConfig;
use crate::encoder::{embed, info};
use crate::error::{During, Error, Result};
use crate::folder::StudentFolder;
use crate::graph::{Graph, pool};
use crate::model::{Dense, Rows, TextCnn};
use crate::tokens::tokenise;

/// Random streams, by number.
const DROPOUT: u64 = 31;
const TABLE: u64 = 32;

/// A student in training.
pub struct StudentLearner<'a> {
    pub(crate) model: TextCnn,
    pub(crate) tokenizer: Tokenizer,
    settings: &'a ContrastSettings,
    simcse: &'a ContrastiveSettings,
    adam: AdamWSettings,
    optimiser: AdamW,
    pub(crate) graph: Graph,
    /// The start's weights, hashed.
    start: String,
}

/// A hash of all weights.
pub(crate) fn weights_hash(model: &TextCnn) -> Result<String> {
    let mut bytes: Vec<u8> = bytemuck::cast_slice(model.table.values()).to_vec();
    for (_, variable) in model.dense.iter() {
        let numbers: Vec<f32> = variable.flatten_all().and_then(|all| all.to_vec1()).during("reading weights")?;
        bytes.extend_from_slice(bytemuck::cast_slice(&numbers));
    }
    Ok(limbeck_data::files::sha256_bytes(&bytes))
}

impl<'a> StudentLearner<'a> {
    /// `student`, about to learn.
    pub fn new(
        student: StudentFolder,
        settings: &'a ContrastSettings,
        simcse: &'a ContrastiveSettings,
    ) -> Result<Self> {
        let StudentFolder { model, tokenizer, .. } = student;
        let adam = AdamWSettings { weight_decay: simcse.weight_decay, ..AdamWSettings::default() };
        let named = model.dense.iter().map(|(name, variable)| (name.to_string(), variable.clone()));
        let optimiser = AdamW::new(named.collect::<Vec<_>>(), adam, |_| true)?;
        let graph = if model.device.is_cpu() { Graph::Folded } else { Graph::Plain };
        let start = weights_hash(&model)?;
        Ok(Self { model, tokenizer, settings, simcse, adam, optimiser, graph, start })
    }

    /// The student as it is, and its tokenizer.
    pub fn into_parts(self) -> (TextCnn, Tokenizer) {
        (self.model, self.tokenizer)
    }

    /// Goes back from `loss`, which came from `rows`, and updates the student, unless something isn't finite.
    pub(crate) fn learn(&mut self, loss: &Tensor, rows: &Rows, step: u64, rate: f64) -> Result<Outcome> {
        let value = f64::from(loss.to_scalar::<f32>().during("loss")?);
        let gradients = loss.backward().during("gradients")?;
        let mut square = 0.0;
        for variable in self.model.dense.iter().map(|(_, variable)| variable).chain([&rows.variable]) {
            if let Some(gradient) = gradients.get(variable) {
                let sum = gradient.sqr().and_then(|g| g.sum_all()).and_then(|sum| sum.to_scalar::<f32>());
                square += f64::from(sum.during("the gradients' length")?);
            }
        }
        let outcome = Outcome { loss: value, gradient_norm: square.sqrt() };
        if outcome.is_finite() {
            self.optimiser.step(&gradients, rate, step)?;
            if let Some(gradient) = gradients.get(&rows.variable) {
                self.model.table.update(rows.tokens.tokens(), gradient, rate, step, &self.adam)?;
            }
        }
        Ok(outcome)
    }
}

impl Learner for StudentLearner<'_> {
    type Error = Error;

    fn tokenise(&self, texts: &[&str]) -> Result<TokenBatch> {
        let config = &self.model.config;
        tokenise(&self.tokenizer, texts, config.max_tokens, config.empty_token())
    }

    fn step(&mut self, batch: &TokenBatch, views: usize, step: u64, rate: f64) -> Result<Outcome> {
        let mut random = Random::new(self.simcse.seed, &[DROPOUT, step]);
        let each = batch.rows() / views;
        let same = views == 2 && (0..each).all(|row| batch.row(row) == batch.row(row + each));
        let (rows, vectors);
        if same {
            let once: TokenBatch = (0..each).map(|row| batch.row(row)).collect();
            rows = self.model.rows(&once)?;
            vectors = dropped_views(&self.model, self.graph, (&once, &rows), views, self.settings, &mut random)?;
        } else {
            rows = self.model.rows(batch)?;
            let config = &self.model.config;
            let (table, tokens) = match self.settings.embedding_dropout {
                0.0 => (rows.variable.as_tensor().clone(), rows.tokens.clone()),
                rate => {
                    let (table, tokens) = dropped_embeddings(&rows, &rows.tokens, views, rate, &mut random)?;
                    (table, Arc::new(tokens))
                }
            };
            let pooled = pool(self.graph, config, &self.model.dense, &table, &tokens)?;
            let masks = self.model.masks(batch.rows(), self.settings.dropout, &mut random)?;
            vectors = self.model.project(&pooled, masks.as_ref())?;
        }
        let loss = loss(self.simcse, &vectors, views)?;
        self.learn(&loss, &rows, step, rate)
    }

    fn weights(&self) -> Result<Vec<(String, Tensor)>> {
        let mut tensors = self.model.table.state("embedding.weight")?;
        tensors.truncate(1);
        tensors.extend(self.model.dense.iter().map(|(name, v)| (name.to_string(), v.as_tensor().clone())));
        Ok(tensors)
    }

    fn moments(&self) -> Result<Vec<(String, Tensor)>> {
        let mut tensors = self.model.table.state("embedding.weight")?.split_off(1);
        tensors.extend(self.optimiser.state());
        Ok(tensors)
    }

    fn set_weights(&mut self, find: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        let broken = |name: &str| Error::Setting {
            name: "the checkpoint",
            value: format!("without a fitting {name}"),
            allowed: "what an earlier run of the same settings left".into(),
        };
        for (name, variable) in self.model.dense.iter() {
            let tensor = find(name).filter(|tensor| tensor.dims() == variable.dims()).ok_or_else(|| broken(name))?;
            self.model.dense.set(name, &tensor)?;
        }
        let table = find("embedding.weight").filter(|table| table.elem_count() == self.model.table.values().len());
        let table = table.ok_or_else(|| broken("embedding.weight"))?;
        let values = table.flatten_all().and_then(|table| table.to_vec1()).during("the table")?;
        self.model.table = SparseTable::new(values, self.model.config.embedding)?;
        Ok(())
    }

    fn set_moments(&mut self, find: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.model.table.restore("embedding.weight", find)?;
        Ok(self.optimiser.restore(find)?)
    }

    fn encoder(&self) -> Box<dyn Encoder + '_> {
        Box::new(Snapshot(self))
    }

    fn identity(&self) -> Value {
        json!({"student": self.model.config, "dropout": self.settings, "start": self.start})
    }
}

/// The student as it is now.
struct Snapshot<'a>(&'a StudentLearner<'a>);

impl Encoder for Snapshot<'_> {
    fn encode(&self, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        let learner = self.0;
        let vectors = embed(&learner.model, &learner.tokenizer, learner.graph, texts)?;
        Ok(Embeddings::new(vectors, learner.model.config.dimension))
    }

    fn info(&self) -> EncoderInfo {
        info(&self.0.model.config)
    }
}

/// A student of random weights: the table uniform with the variance of a unit vector's numbers, the rest as PyTorch begins.
pub fn random(config: StudentConfig, seed: u64, device: &Device) -> Result<TextCnn> {
    let bound = (3.0 / config.embedding as f64).sqrt();
    let shape = [config.vocabulary, config.embedding];
    let table = Random::new(seed, &[TABLE]).uniform_tensor(&shape, bound, DType::F32, &Device::Cpu)?;
    let table = table.flatten_all().and_then(|table| table.to_vec1()).during("a random table")?;
    let dense = Dense::random(&config, seed, DType::F32, device)?;
    TextCnn::new(config, table, dense, device.clone())
}
