//! A BERT that learns by SimCSE: its step, with GradCache where a batch is large, and the state that its checkpoint
//! holds.

use candle_core::{DType, Device, Tensor, Var};
use limbeck_data::Monitor;
use limbeck_encoder::TokenBatch;
use limbeck_training::checkpoint::{NamedTensors, SavedTensors, Stored};
use limbeck_training::contrastive::{ContrastiveSettings, Dev, ExampleBatch, loss_and_gradient, measure};
use limbeck_training::optimiser::{AdamW, AdamWSettings};
use limbeck_training::random::Random;
use limbeck_training::{Learner, Measurement, StepOutcome};
use serde_json::{Value, json};

use super::engine::BertInTraining;
use super::{BertSettings, Head};
use crate::backprop::Parameters;
use crate::{Error, Pooler, Result, TeacherFolder};

/// The random stream of a head that the starting model doesn't have.
const HEAD: u64 = 22;

/// A BERT in training.
pub struct BertLearner<'a> {
    model: BertInTraining<'a>,
    simcse: &'a ContrastiveSettings,
    optimiser: AdamW,
    dev: Option<&'a dyn Dev>,
    /// A hash of the starting weights.
    weights_hash: String,
}

impl<'a> BertLearner<'a> {
    /// The model of `start` on `device` before its first step. The trained model keeps its pooler, prefix and longest
    /// input.
    ///
    /// # Errors
    /// Settings that are out of range, a model that can't be trained here, and a folder whose weights or tokenizer
    /// can't be loaded.
    pub fn new(
        start: &'a TeacherFolder,
        bert: &'a BertSettings,
        simcse: &'a ContrastiveSettings,
        dev: Option<&'a dyn Dev>,
        device: &Device,
    ) -> Result<Self> {
        if !start.head.is_empty() || !Pooler::TRAINABLE.contains(&start.pooler) {
            let pooling = start.head.describe(start.pooler);
            return Err(Error::NotTrainable { path: start.path.clone(), pooling });
        }
        bert.check(start.pooler)?;
        start.config.check_trainable(&start.path.join("config.json"))?;
        let parameters = parameters(start, bert, simcse.seed, device)?;
        let optimiser = optimiser(&parameters, bert, simcse)?;
        let tokenizer = start.open_tokenizer()?;
        let weights_hash = start.weights.sha256()?;
        let (seed, by_hand) = (simcse.seed, device.is_cpu());
        let model = BertInTraining { start, settings: bert, seed, tokenizer, parameters, by_hand };
        Ok(Self { model, simcse, optimiser, dev, weights_hash })
    }

    /// The weights as they are.
    pub fn parameters(&self) -> &Parameters {
        &self.model.parameters
    }

    /// The tokens of texts as the model reads them in training.
    pub(super) fn tokenise(&self, texts: &[&str]) -> Result<TokenBatch> {
        let BertInTraining { start, settings, .. } = self.model;
        self.model.tokenise(texts, settings.max_tokens.min(start.config.positions()))
    }
}

impl Learner for BertLearner<'_> {
    type Batch = ExampleBatch;
    type Error = Error;

    fn identity(&self) -> Value {
        let BertInTraining { start, settings, .. } = self.model;
        json!({"bert": settings, "settings": self.simcse, "weights": self.weights_hash, "pooler": start.pooler,
               "prefix": start.prefix, "max_tokens": start.max_tokens, "dev": self.dev.map(Dev::hash)})
    }

    fn step(&mut self, batch: &ExampleBatch, step: u64, rate: f64) -> Result<StepOutcome> {
        let (model, width) = (&self.model, self.model.start.config.hidden_size);
        let (views, batch) = (batch.view_count(), batch.side_by_side());
        let parts = parts(&batch, model.settings.micro_batch);
        let mut vectors = Vec::with_capacity(batch.rows() * width);
        // A batch of one part is embedded once. The parts of a larger one are embedded again, with the same masks, for
        // their gradients.
        let mut whole = None;
        if let [part] = &parts[..] {
            let (found, state) = model.forward(part, step, 0)?;
            (vectors, whole) = (found, Some(state));
        } else {
            for (number, part) in parts.iter().enumerate() {
                vectors.extend(model.vectors(part, step, number)?);
            }
        }
        let failed = Error::candle;
        let vectors = Tensor::from_vec(vectors, (batch.rows(), width), &Device::Cpu).map_err(failed("the vectors"))?;
        let (loss, gradient) = loss_and_gradient(self.simcse, &vectors, views).map_err(failed("the loss"))?;
        let gradient = gradient.flatten_all().and_then(|gradient| gradient.to_vec1::<f32>());
        let gradient = gradient.map_err(failed("the loss's gradient"))?;
        let mut sum = model.no_gradients();
        let mut from = 0;
        for (number, part) in parts.iter().enumerate() {
            let state = match whole.take() {
                Some(state) => state,
                None => model.forward(part, step, number)?.1,
            };
            let to = from + part.rows() * width;
            model.backward(part, state, &gradient[from..to], &mut sum)?;
            from = to;
        }
        let (gradient_norm, gradients) = sum.finish()?;
        let outcome = StepOutcome { loss, gradient_norm };
        if outcome.is_finite() {
            // PyTorch's clip_grad_norm_ adds 1e-6 to the length, too.
            let clip = model.settings.clip;
            let scale = if clip > 0.0 { (clip / (gradient_norm + 1e-6)).min(1.0) } else { 1.0 };
            self.optimiser.update(|name, _| gradients.get(name), scale, rate, step)?;
        }
        Ok(outcome)
    }

    fn measure(&self, _monitor: Monitor) -> Result<Option<Measurement>> {
        Ok(measure(self.dev, &self.model)?)
    }

    fn weights(&self) -> NamedTensors<'_> {
        let stored = |(name, variable): (&str, &Var)| (name.to_owned(), Stored::Tensor(variable.as_tensor().clone()));
        self.parameters().iter().map(stored).collect()
    }

    fn moments(&self) -> NamedTensors<'_> {
        self.optimiser.moments()
    }

    fn set_weights(&mut self, saved: &SavedTensors) -> Result<()> {
        for (name, variable) in self.parameters().iter() {
            let tensor = saved.fitting(name, variable.dims(), variable.dtype())?;
            let set = tensor.to_device(variable.device()).and_then(|tensor| variable.set(&tensor));
            set.map_err(Error::candle("restoring a weight"))?;
        }
        Ok(())
    }

    fn restore(&mut self, saved: &SavedTensors, _step: u64) -> Result<()> {
        self.set_weights(saved)?;
        Ok(self.optimiser.restore(saved)?)
    }
}

/// Cuts a batch into parts of at most `rows` texts.
fn parts(batch: &TokenBatch, rows: usize) -> Vec<TokenBatch> {
    let starts = (0..batch.rows()).step_by(rows);
    starts.map(|start| (start..batch.rows().min(start + rows)).map(|row| batch.row(row)).collect()).collect()
}

/// The starting weights as variables; a missing head is initialised with small random values.
fn parameters(start: &TeacherFolder, bert: &BertSettings, seed: u64, device: &Device) -> Result<Parameters> {
    let with_pooler = bert.head == Head::Training || start.pooler == Pooler::Cls;
    let mut random = Random::new(seed, &[HEAD]);
    Parameters::new(&start.config, with_pooler, &mut |name, shape| {
        if name.starts_with("pooler.") && !start.weights.contains(name) {
            // BERT's own way: normal with a deviation of 0.02, and no bias.
            let count = shape.iter().product();
            let numbers: Vec<f32> = match name.ends_with(".bias") {
                true => vec![0.0; count],
                false => (0..count).map(|_| (0.02 * random.normal()) as f32).collect(),
            };
            return Tensor::from_vec(numbers, shape, device).map_err(Error::candle("a new head"));
        }
        start.weights.tensor(name, shape, DType::F32, device)
    })
}

/// AdamW over all parameters that learn; biases and LayerNorms don't decay.
fn optimiser(parameters: &Parameters, bert: &BertSettings, simcse: &ContrastiveSettings) -> Result<AdamW> {
    let named = parameters.iter().filter(|(name, _)| bert.learns(name));
    let named = named.map(|(name, variable)| (name.to_owned(), variable.clone()));
    let adam = AdamWSettings { weight_decay: simcse.weight_decay, ..AdamWSettings::default() };
    let decays = |name: &str| !name.ends_with(".bias") && !name.contains("LayerNorm");
    Ok(AdamW::new(named.collect::<Vec<_>>(), adam, decays)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden");

    fn start(folder: &std::path::Path) -> TeacherFolder {
        let all = candle_core::safetensors::load(format!("{GOLDEN}/bert_simcse_training.safetensors"), &Device::Cpu);
        let initial = all.unwrap().into_iter();
        let weights = initial.filter_map(|(name, tensor)| Some((name.strip_prefix("init.")?.to_owned(), tensor)));
        candle_core::safetensors::save(&weights.collect(), folder.join("model.safetensors")).unwrap();
        std::fs::copy(format!("{GOLDEN}/bert_simcse_training.config.json"), folder.join("config.json")).unwrap();
        std::fs::copy(format!("{GOLDEN}/onnx/tokenizer.json"), folder.join("tokenizer.json")).unwrap();
        let mut opened = TeacherFolder::open(folder).unwrap();
        opened.pooler = Pooler::FirstLast;
        opened
    }

    #[test]
    fn passes_by_hand_and_candles_graph_take_the_same_step_with_the_same_dropout() {
        let folder = tempfile::tempdir().unwrap();
        let start = start(folder.path());
        // Texts of one length: then padding, and with it the order of the masks, is the same.
        let rows: Vec<[u32; 5]> = (0..8u32).map(|at| [1, 9 + at, 86 - at, 40 + 3 * at, 2]).collect();
        let batch = ExampleBatch { examples: (0..8).collect(), views: vec![rows.iter().map(|row| &row[..]).collect()] };
        let bert = BertSettings {
            head: Head::Training,
            dropout: 0.2,
            attention_dropout: 0.3,
            micro_batch: 6,
            ..BertSettings::default()
        };
        let simcse = ContrastiveSettings::default();
        let new = || BertLearner::new(&start, &bert, &simcse, None, &Device::Cpu).unwrap();
        let (mut by_hand, mut by_graph) = (new(), new());
        by_graph.model.by_hand = false;
        let [hand, graph] = [&mut by_hand, &mut by_graph].map(|learner| learner.step(&batch, 1, 1e-3).unwrap());
        assert!((hand.loss - graph.loss).abs() < 1e-5 * graph.loss, "{hand:?}, {graph:?}");
        assert!((hand.gradient_norm - graph.gradient_norm).abs() < 1e-4 * graph.gradient_norm, "{hand:?}, {graph:?}");
        let (hand, graph) = (by_hand.optimiser.moments(), by_graph.optimiser.moments());
        for ((name, hand), (_, graph)) in hand.iter().zip(&graph).filter(|((name, _), _)| !name.contains("key.bias")) {
            let numbers =
                |stored: &Stored| stored.to_tensor().unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let (hand, graph) = (numbers(hand), numbers(graph));
            let largest = graph.iter().fold(0f32, |a, b| a.max(b.abs()));
            let off = hand.iter().zip(&graph).fold(0f32, |off, (x, y)| off.max((x - y).abs()));
            assert!(off <= 2e-3 * largest, "{name} is off by {off} of {largest}");
        }
    }
}
