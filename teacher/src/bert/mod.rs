//! BERT in candle (Devlin et al. 2019): what the ONNX file is checked against, and what is trained.
//!
//! Every step is an operation that candle can differentiate, and no weight is hidden: a training program passes tensors
//! of its own to [`Bert::new`].

mod encoder;
mod layers;
mod pooling;

use candle_core::{DType, Device, Module, Tensor};
use limbeck_encoder::TokenBatch;

pub use self::encoder::BertEncoder;
pub use self::layers::Parameters;
use self::layers::{Embeddings, Layer};
use crate::backprop::Dropout;
use crate::{BertConfig, Error, Pooler, Result, TeacherFolder};

/// A BERT, on one device and in one type of number.
#[derive(Debug, Clone)]
pub struct Bert {
    config: BertConfig,
    embeddings: Embeddings,
    layers: Vec<Layer>,
    /// `pooler.dense`, where the model has it.
    pooler: Option<candle_nn::Linear>,
    dtype: DType,
    device: Device,
}

/// A batch, padded at the end of its rows to the longest of them.
#[derive(Debug, Clone)]
pub struct Padded {
    /// Token ids, 0 for padding: [batch, length] u32.
    pub ids: Tensor,
    /// 1 for a token, 0 for padding: [batch, length] in the model's type.
    pub mask: Tensor,
}

impl Bert {
    /// Loads the model in `folder` onto `device`, its numbers as `dtype` (f32, f64, f16 or bf16).
    pub fn load(folder: &TeacherFolder, device: &Device, dtype: DType) -> Result<Self> {
        let weights = &folder.weights;
        let with_pooler = weights.contains("pooler.dense.weight");
        Self::new(&folder.config, with_pooler, &mut |name, shape| weights.tensor(name, shape, dtype, device))
    }

    /// Puts a model together from the tensors that `parameters` gives for their names and shapes (Hugging Face's names,
    /// such as `encoder.layer.0.output.dense.weight`), with `pooler.dense` where `with_pooler` says so.
    pub fn new(config: &BertConfig, with_pooler: bool, parameters: Parameters) -> Result<Self> {
        let embeddings = Embeddings::new(config, parameters)?;
        let layers = (0..config.num_hidden_layers)
            .map(|index| Layer::new(config, &format!("encoder.layer.{index}"), parameters))
            .collect::<Result<_>>()?;
        let hidden = config.hidden_size;
        let pooler = with_pooler.then(|| layers::dense("pooler.dense", hidden, hidden, parameters)).transpose()?;
        let (dtype, device) = (embeddings.dtype(), embeddings.device().clone());
        Ok(Self { config: config.clone(), embeddings, layers, pooler, dtype, device })
    }

    /// The shape of the model.
    pub fn config(&self) -> &BertConfig {
        &self.config
    }

    /// Pads `batch` for this model. An id outside the vocabulary and a row longer than the model has positions are
    /// errors that name the row.
    pub fn pad(&self, batch: &TokenBatch) -> Result<Padded> {
        self.config.check_tokens(batch)?;
        // At least one position, so that a batch of texts without tokens has a shape too.
        let length = batch.longest().max(1);
        let mut ids = Vec::with_capacity(batch.rows() * length);
        let mut mask = Vec::with_capacity(batch.rows() * length);
        for (row, tokens) in batch.iter().enumerate() {
            ids.extend_from_slice(tokens);
            ids.resize((row + 1) * length, 0);
            mask.resize(row * length + tokens.len(), 1.0_f32);
            mask.resize((row + 1) * length, 0.0);
        }
        let shape = (batch.rows(), length);
        let tensors = || {
            let mask = Tensor::from_vec(mask, shape, &self.device)?.to_dtype(self.dtype)?;
            Ok(Padded { ids: Tensor::from_vec(ids, shape, &self.device)?, mask })
        };
        tensors().map_err(Error::candle("padding a batch"))
    }

    /// The states of all tokens after the embeddings and after each layer: one more than there are layers, each
    /// [batch, length, hidden].
    pub fn hidden_states(&self, batch: &Padded) -> Result<Vec<Tensor>> {
        self.states(batch, &mut Dropout::none())
    }

    fn states(&self, batch: &Padded, dropout: &mut Dropout) -> Result<Vec<Tensor>> {
        let mut run = || {
            let mask = layers::additive_mask(&batch.mask)?;
            let mut states = vec![self.embeddings.forward(&batch.ids, dropout)?];
            for layer in &self.layers {
                let attended = layer.attended(&states[states.len() - 1], &mask, dropout)?;
                states.push(layer.output(&layer.inner(&attended)?, &attended, dropout)?);
            }
            Ok(states)
        };
        run().map_err(Error::candle("running BERT"))
    }

    /// What the dense layers of each layer read: its input, what its attention block gives, and the inside of its
    /// feed-forward block.
    pub(crate) fn operands(&self, batch: &Padded) -> Result<Vec<[Tensor; 3]>> {
        let dropout = &mut Dropout::none();
        let mut run = || {
            let mask = layers::additive_mask(&batch.mask)?;
            let mut state = self.embeddings.forward(&batch.ids, dropout)?;
            let mut operands = Vec::with_capacity(self.layers.len());
            for layer in &self.layers {
                let attended = layer.attended(&state, &mask, dropout)?;
                let inner = layer.inner(&attended)?;
                let next = layer.output(&inner, &attended, dropout)?;
                operands.push([std::mem::replace(&mut state, next), attended, inner]);
            }
            Ok(operands)
        };
        run().map_err(Error::candle("running BERT"))
    }

    /// Each text's vector, pooled by `pooler` and not normalised: [batch, hidden].
    pub fn pooled(&self, batch: &TokenBatch, pooler: Pooler) -> Result<Tensor> {
        let padded = self.pad(batch)?;
        let states = self.hidden_states(&padded)?;
        pooling::pooled(pooler, &states, &padded.mask, self.pooler.as_ref())
    }

    /// The same while training: with dropout, and through the dense layer and tanh of the pooler `cls` where `head` says so,
    /// whatever the pooler.
    pub fn trained(&self, batch: &TokenBatch, pooler: Pooler, head: bool, dropout: &mut Dropout) -> Result<Tensor> {
        let padded = self.pad(batch)?;
        let states = self.states(&padded, dropout)?;
        let pooled = pooling::pooled(pooler, &states, &padded.mask, self.pooler.as_ref())?;
        match (head && pooler != Pooler::Cls, &self.pooler) {
            (false, _) => Ok(pooled),
            (true, Some(dense)) => {
                dense.forward(&pooled).and_then(|output| output.tanh()).map_err(Error::candle("the head"))
            }
            (true, None) => Err(Error::NoPoolerWeights { path: "the model".into() }),
        }
    }

    /// Whether the model has the dense layer that the pooler [`Pooler::Cls`] needs.
    pub fn has_pooler_weights(&self) -> bool {
        self.pooler.is_some()
    }
}
