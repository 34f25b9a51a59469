use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo, TokenBatch, Tokenizer};
use limbeck_training::checkpoint::Stored;
use limbeck_training::contrastive::{ContrastiveSettings, Learner, Outcome, loss};
use limbeck_training::optimiser::{AdamW, AdamWSettings};
use limbeck_training::random::Random;
use serde_json::{Value, json};

use super::ContrastSettings;
use super::views::{dropped_embeddings, views as dropped_views};
use crate::config::StudentConfig;
use crate::dense::DenseParameters;
use crate::encoder::{embed, info};
use crate::error::{During, Error, Result};
use crate::folder::StudentFolder;
use crate::graph::{Backend, pool};
use crate::model::{TABLE, TextCnn, TokenRows};
use crate::tokenise::tokenise;

/// Random streams, by number.
const DROPOUT: u64 = 31;
const RANDOM_TABLE: u64 = 32;

/// A student in training.
pub struct StudentLearner<'a> {
    pub(crate) model: TextCnn,
    pub(crate) tokenizer: Tokenizer,
    settings: &'a ContrastSettings,
    simcse: &'a ContrastiveSettings,
    adam: AdamWSettings,
    optimiser: AdamW,
    pub(crate) graph: Backend,
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
        let graph = Backend::of(&model.device);
        let start = weights_hash(&model)?;
        Ok(Self { model, tokenizer, settings, simcse, adam, optimiser, graph, start })
    }

    /// The student as it is, and its tokenizer.
    pub fn into_parts(self) -> (TextCnn, Tokenizer) {
        (self.model, self.tokenizer)
    }

    /// Goes back from `loss`, which came from `rows`, and updates the student, unless something isn't finite.
    pub(crate) fn learn(&mut self, loss: &Tensor, rows: &TokenRows, step: u64, rate: f64) -> Result<Outcome> {
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

    fn weights(&self) -> Result<Vec<(String, Stored<'_>)>> {
        Ok(self.model.weights())
    }

    fn moments(&self) -> Result<Vec<(String, Stored<'_>)>> {
        Ok(self.model.table.moments(TABLE).into_iter().chain(self.optimiser.moments()).collect())
    }

    fn set_weights(&mut self, find: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.model.set_weights(find, |name| Error::Setting {
            name: "the checkpoint",
            value: format!("without a fitting {name}"),
            allowed: "what an earlier run of the same settings left".into(),
        })
    }

    fn set_moments(&mut self, find: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.model.table.restore(TABLE, find)?;
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
    let table = Random::new(seed, &[RANDOM_TABLE]).uniform_tensor(&shape, bound, DType::F32, &Device::Cpu)?;
    let table = table.flatten_all().and_then(|table| table.to_vec1()).during("a random table")?;
    let dense = DenseParameters::random(&config, seed, DType::F32, device)?;
    TextCnn::new(config, table, dense, device.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ARCHITECTURE, AttentionConfig, ConvolutionConfig};

    const TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 1, "b": 2, "c": 3, "d": 4, "e": 5}, "unk_token": "[UNK]"}}"#;

    fn student() -> StudentFolder {
        let config = StudentConfig {
            architecture: ARCHITECTURE.into(),
            vocabulary: 7,
            embedding: 8,
            dimension: 12,
            convolutions: vec![ConvolutionConfig { width: 3, filters: 6 }],
            attention: Some(AttentionConfig { heads: 2, width: 3, filters: 4, values: None }),
            skip: true,
            max_tokens: None,
        };
        let tokenizer = Tokenizer::from_bytes(TOKENIZER.as_bytes(), std::path::Path::new("t.json")).unwrap();
        StudentFolder { model: random(config, 3, &Device::Cpu).unwrap(), tokenizer, origin: Value::Null }
    }

    fn batch(learner: &StudentLearner) -> TokenBatch {
        let texts = ["a b c", "d", "e a e b", "c c", "a b c", "d", "e a e b", "c c"];
        learner.tokenise(&texts).unwrap()
    }

    fn close(a: &[(String, Stored)], b: &[(String, Stored)]) -> f32 {
        let numbers = |stored: &Stored| stored.to_tensor().unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let off = |((_, a), (_, b)): (&(String, Stored), &(String, Stored))| {
            numbers(a).iter().zip(numbers(b)).fold(0f32, |off, (x, y)| off.max((x - y).abs()))
        };
        a.iter().zip(b).map(off).fold(0f32, f32::max)
    }

    #[test]
    fn both_ways_to_a_second_view_agree_where_nothing_is_dropped() {
        let simcse = ContrastiveSettings::default();
        // A rate so small that no number of so few is dropped takes the way of embeddings with masks of their own.
        let tiny = ContrastSettings { dropout: 0.0, embedding_dropout: 1e-9 };
        let none = ContrastSettings { dropout: 0.0, embedding_dropout: 0.0 };
        let mut shared = StudentLearner::new(student(), &none, &simcse).unwrap();
        let mut apart = StudentLearner::new(student(), &tiny, &simcse).unwrap();
        let batch = batch(&shared);
        let [one, two] = [&mut shared, &mut apart].map(|learner| learner.step(&batch, 2, 1, 1e-3).unwrap());
        assert!((one.loss - two.loss).abs() < 1e-5, "{one:?}, {two:?}");
        assert!((one.gradient_norm - two.gradient_norm).abs() < 1e-4 * one.gradient_norm, "{one:?}, {two:?}");
        assert!(close(&shared.moments().unwrap(), &apart.moments().unwrap()) < 1e-5);
    }

    #[test]
    fn views_differ_by_either_dropout_and_the_loss_falls() {
        let simcse = ContrastiveSettings::default();
        for (dropout, embedding_dropout) in [(0.3, 0.0), (0.0, 0.3), (0.2, 0.2)] {
            let settings = ContrastSettings { dropout, embedding_dropout };
            let mut learner = StudentLearner::new(student(), &settings, &simcse).unwrap();
            let batch = batch(&learner);
            let losses: Vec<f64> = (1..=60).map(|step| learner.step(&batch, 2, step, 5e-3).unwrap().loss).collect();
            let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
            assert_ne!(losses[0], losses[1]);
            assert!(mean(&losses[50..]) < 0.9 * mean(&losses[..10]), "{losses:?}");
        }
    }

    #[test]
    fn a_learner_put_back_goes_on_in_the_same_bits() {
        let (simcse, settings) = (ContrastiveSettings::default(), ContrastSettings::default());
        let mut whole = StudentLearner::new(student(), &settings, &simcse).unwrap();
        let batch = batch(&whole);
        for step in 1..=2 {
            whole.step(&batch, 2, step, 1e-2).unwrap();
        }
        let mut kept = whole.weights().unwrap();
        kept.extend(whole.moments().unwrap());
        let kept: Vec<(String, Tensor)> =
            kept.into_iter().map(|(name, stored)| (name, stored.to_tensor().unwrap().copy().unwrap())).collect();
        let find = |name: &str| kept.iter().find(|(other, _)| other == name).map(|(_, tensor)| tensor.clone());
        let mut resumed = StudentLearner::new(student(), &settings, &simcse).unwrap();
        resumed.set_weights(&find).unwrap();
        resumed.set_moments(&find).unwrap();
        for learner in [&mut whole, &mut resumed] {
            learner.step(&batch, 2, 3, 1e-2).unwrap();
        }
        assert_eq!(close(&whole.weights().unwrap(), &resumed.weights().unwrap()), 0.0);
    }
}
