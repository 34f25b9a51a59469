use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo, TokenBatch, Tokenizer};
use limbeck_training::contrastive::{ContrastiveSettings, Learner, Outcome, loss};
use limbeck_training::optimiser::{AdamW, AdamWSettings, SparseTable};
use limbeck_training::random::Random;
use serde_json::{Value, json};

use super::ContrastSettings;
use crate::config::StudentConfig;
use crate::encoder::{embed, info};
use crate::error::{During, Error, Result};
use crate::folder::StudentFolder;
use crate::graph::{DistinctTokens, Graph, pool};
use crate::model::{Dense, TextCnn};
use crate::tokens::tokenise;

/// Random streams, by number.
const DROPOUT: u64 = 31;
const TABLE: u64 = 32;

/// A student in training.
pub struct StudentLearner<'a> {
    model: TextCnn,
    tokenizer: Tokenizer,
    settings: &'a ContrastSettings,
    simcse: &'a ContrastiveSettings,
    adam: AdamWSettings,
    optimiser: AdamW,
    graph: Graph,
    /// The start's weights, hashed.
    start: String,
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
        let mut bytes: Vec<u8> = bytemuck::cast_slice(model.table.values()).to_vec();
        for (_, variable) in model.dense.iter() {
            let numbers: Vec<f32> = variable.flatten_all().and_then(|all| all.to_vec1()).during("reading weights")?;
            bytes.extend_from_slice(bytemuck::cast_slice(&numbers));
        }
        let start = limbeck_data::files::sha256_bytes(&bytes);
        Ok(Self { model, tokenizer, settings, simcse, adam, optimiser, graph, start })
    }

    /// The student as it is, and its tokenizer.
    pub fn into_parts(self) -> (TextCnn, Tokenizer) {
        (self.model, self.tokenizer)
    }

    /// The batch with a token of its own for each token of each view, and their embeddings: `rows` (`[distinct, d]`), dropped
    /// from by a mask of the view's own.
    fn dropped_embeddings(
        &self,
        rows: &Tensor,
        tokens: &DistinctTokens,
        views: usize,
        random: &mut Random,
    ) -> Result<(Tensor, DistinctTokens)> {
        let mut masked = || -> Result<Tensor> {
            let rate = self.settings.embedding_dropout;
            let mask = random.dropout_mask(rows.dims(), rate, DType::F32, &self.model.device)?;
            rows.mul(&mask).during("dropout of embeddings")
        };
        let tables = (0..views).map(|_| masked()).collect::<Result<Vec<_>>>()?;
        let (each, distinct) = (tokens.texts() / views, tokens.tokens().len() as u32);
        let own = |text: usize| -> Vec<u32> {
            let shift = (text / each) as u32 * distinct;
            tokens.local()[tokens.span(text)].iter().map(|local| local + shift).collect()
        };
        let batch: Vec<Vec<u32>> = (0..tokens.texts()).map(own).collect();
        let tokens = DistinctTokens::new(&batch.iter().map(Vec::as_slice).collect());
        let which = Tensor::new(tokens.tokens(), &self.model.device);
        let table = which.and_then(|which| Tensor::cat(&tables, 0)?.index_select(&which, 0));
        Ok((table.during("dropout of embeddings")?, tokens))
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
        let tokens = DistinctTokens::new(batch);
        let rows = self.model.table.rows(tokens.tokens(), &self.model.device)?;
        let distinct = tokens.tokens().to_vec();
        let same = views == 2 && (0..each).all(|row| batch.row(row) == batch.row(row + each));
        let config = &self.model.config;
        let vectors = if same && self.settings.embedding_dropout == 0.0 {
            // Two masks over one pooling: the second view is nearly free.
            let once: TokenBatch = (0..each).map(|row| batch.row(row)).collect();
            let tokens = Arc::new(DistinctTokens::new(&once));
            let pooled = pool(self.graph, config, &self.model.dense, rows.as_tensor(), &tokens)?;
            let mut view = || -> Result<Tensor> {
                let masks = self.model.masks(each, self.settings.dropout, &mut random)?;
                self.model.project(&pooled, masks.as_ref())
            };
            Tensor::cat(&[view()?, view()?], 0).during("views")?
        } else {
            let (table, tokens) = match self.settings.embedding_dropout > 0.0 {
                true => self.dropped_embeddings(rows.as_tensor(), &tokens, views, &mut random)?,
                false => (rows.as_tensor().clone(), tokens),
            };
            let pooled = pool(self.graph, config, &self.model.dense, &table, &Arc::new(tokens))?;
            let masks = self.model.masks(batch.rows(), self.settings.dropout, &mut random)?;
            self.model.project(&pooled, masks.as_ref())?
        };
        let loss = loss(self.simcse, &vectors, views)?;
        let value = f64::from(loss.to_scalar::<f32>().during("loss")?);
        let gradients = loss.backward().during("gradients")?;
        let mut square = 0.0;
        for variable in self.model.dense.iter().map(|(_, variable)| variable).chain([&rows]) {
            if let Some(gradient) = gradients.get(variable) {
                let sum = gradient.sqr().and_then(|g| g.sum_all()).and_then(|sum| sum.to_scalar::<f32>());
                square += f64::from(sum.during("the gradients' length")?);
            }
        }
        let outcome = Outcome { loss: value, gradient_norm: square.sqrt() };
        if outcome.is_finite() {
            self.optimiser.step(&gradients, rate, step)?;
            if let Some(gradient) = gradients.get(&rows) {
                self.model.table.update(&distinct, gradient, rate, step, &self.adam)?;
            }
        }
        Ok(outcome)
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
