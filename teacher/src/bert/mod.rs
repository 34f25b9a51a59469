//! BERT in candle (Devlin et al. 2019) and the models like it: the reference for the ONNX file and the hand-written
//! passes, and the model that is trained on a GPU.
//!
//! Tensors have BERT's names in every architecture, such as `encoder.layer.0.attention.self.query.weight`.
//!
//! candle can differentiate every operation here, and no weight is hidden: a training program passes tensors of its own
//! to [`Bert::new`].

mod encoder;
mod layers;
mod pooling;

use candle_core::{DType, Device, Module, Tensor};
use limbeck_encoder::TokenBatch;

pub use self::encoder::BertEncoder;
use self::layers::{BertEmbeddings, BertLayer, RelativeBias};
use crate::backprop::Dropout;
use crate::{BertConfig, Error, FindTensor, Pooler, Result, TeacherFolder};

/// A BERT on one device, in one floating-point type.
#[derive(Debug, Clone)]
pub struct Bert {
    config: BertConfig,
    embeddings: BertEmbeddings,
    /// MPNet's.
    relative_bias: Option<RelativeBias>,
    layers: Vec<BertLayer>,
    /// `pooler.dense`, where the model has it.
    pooler: Option<candle_nn::Linear>,
}

/// A batch whose rows are padded at their ends to the length of the longest.
#[derive(Debug, Clone)]
pub struct PaddedBatch {
    /// Token ids, 0 for padding: [batch, length] u32.
    pub ids: Tensor,
    /// Rows of the table of positions, 0 for padding: [batch, length] u32.
    pub positions: Tensor,
    /// 1 for a token, 0 for padding: [batch, length] in the model's type.
    pub mask: Tensor,
}

impl Bert {
    /// Loads the model in `folder` onto `device`, in `dtype` (f32, f64, f16 or bf16).
    pub fn load(folder: &TeacherFolder, device: &Device, dtype: DType) -> Result<Self> {
        let weights = &folder.weights;
        let with_pooler = weights.contains("pooler.dense.weight");
        Self::new(&folder.config, with_pooler, &mut |name, shape| weights.tensor(name, shape, dtype, device))
    }

    /// Builds a model from the tensors that `find` returns for their names and shapes (BERT's names, such as
    /// `encoder.layer.0.output.dense.weight`), with `pooler.dense` if `with_pooler`.
    pub fn new(config: &BertConfig, with_pooler: bool, find: FindTensor) -> Result<Self> {
        let embeddings = BertEmbeddings::new(config, find)?;
        let relative_bias = (config.relative_rows > 0).then(|| RelativeBias::new(config, find)).transpose()?;
        let layers = (0..config.num_hidden_layers)
            .map(|index| BertLayer::new(config, &format!("encoder.layer.{index}"), find))
            .collect::<Result<_>>()?;
        let hidden = config.hidden_size;
        let pooler = with_pooler.then(|| layers::dense("pooler.dense", hidden, hidden, find)).transpose()?;
        Ok(Self { config: config.clone(), embeddings, relative_bias, layers, pooler })
    }

    /// The shape of the model.
    pub fn config(&self) -> &BertConfig {
        &self.config
    }

    /// Pads `batch` for this model.
    ///
    /// # Errors
    /// An id outside the vocabulary; a row longer than the model has positions. The error names the row.
    pub fn pad(&self, batch: &TokenBatch) -> Result<PaddedBatch> {
        self.config.check_tokens(batch)?;
        // At least one position, so that a batch of empty texts has a shape too.
        let length = batch.longest().max(1);
        let mut ids = Vec::with_capacity(batch.rows() * length);
        let mut positions = Vec::with_capacity(batch.rows() * length);
        let mut mask = Vec::with_capacity(batch.rows() * length);
        for (row, tokens) in batch.iter().enumerate() {
            ids.extend_from_slice(tokens);
            ids.resize((row + 1) * length, 0);
            positions.extend(self.config.position_ids(tokens));
            positions.resize((row + 1) * length, 0);
            mask.resize(row * length + tokens.len(), 1.0_f32);
            mask.resize((row + 1) * length, 0.0);
        }
        let shape = (batch.rows(), length);
        let tensors = || {
            let (device, dtype) = (self.embeddings.words.device(), self.embeddings.words.dtype());
            let mask = Tensor::from_vec(mask, shape, device)?.to_dtype(dtype)?;
            let [ids, positions] = [ids, positions].map(|values| Tensor::from_vec(values, shape, device));
            Ok(PaddedBatch { ids: ids?, positions: positions?, mask })
        };
        tensors().map_err(Error::candle("padding a batch"))
    }

    /// The states of all tokens after the embeddings and after each layer: one more than there are layers, each
    /// [batch, length, hidden].
    pub fn hidden_states(&self, batch: &PaddedBatch) -> Result<Vec<Tensor>> {
        self.states(batch, &mut Dropout::none(), |_| ()).map_err(Error::candle("running BERT"))
    }

    /// The inputs of the dense layers of each layer: the layer's input, the output of its attention block, and the
    /// inside of its feed-forward block.
    pub(crate) fn operands(&self, batch: &PaddedBatch) -> Result<Vec<[Tensor; 3]>> {
        let mut operands = Vec::with_capacity(self.layers.len());
        let states = self.states(batch, &mut Dropout::none(), |operand| operands.push(operand));
        states.map(|_| operands).map_err(Error::candle("running BERT"))
    }

    /// The states, see [`Bert::hidden_states`]. `seen` gets the operands of each layer, see [`Bert::operands`].
    fn states(
        &self,
        batch: &PaddedBatch,
        dropout: &mut Dropout,
        mut seen: impl FnMut([Tensor; 3]),
    ) -> candle_core::Result<Vec<Tensor>> {
        let mut bias = layers::additive_mask(&batch.mask)?;
        if let Some(relative) = &self.relative_bias {
            bias = bias.broadcast_add(&relative.forward(batch.ids.dim(1)?)?)?;
        }
        let mut state = self.embeddings.forward(&batch.ids, &batch.positions, dropout)?;
        let mut states = vec![state.clone()];
        for layer in &self.layers {
            let attended = layer.attended(&state, &bias, dropout)?;
            let inner = layer.inner(&attended)?;
            let output = layer.output(&inner, &attended, dropout)?;
            states.push(output.clone());
            seen([std::mem::replace(&mut state, output), attended, inner]);
        }
        Ok(states)
    }

    /// Each text's vector, pooled by `pooler` and not normalised: [batch, hidden].
    pub fn pooled(&self, batch: &TokenBatch, pooler: Pooler) -> Result<Tensor> {
        self.trained(batch, pooler, false, &mut Dropout::none())
    }

    /// The vectors while training: with dropout and, where `head` says so, through the dense layer and tanh of the
    /// pooler `cls`, whatever the pooler.
    pub fn trained(&self, batch: &TokenBatch, pooler: Pooler, head: bool, dropout: &mut Dropout) -> Result<Tensor> {
        let padded = self.pad(batch)?;
        let head = match (&self.pooler, head || pooler == Pooler::Cls) {
            (None, true) => return Err(Error::NoPoolerWeights { path: "the model".into() }),
            (dense, wanted) => dense.as_ref().filter(|_| wanted),
        };
        let mut vectors = || {
            let pooled = pooling::pooled(pooler, &self.states(&padded, dropout, |_| ())?, &padded.mask)?;
            match head {
                Some(dense) => dense.forward(&pooled)?.tanh(),
                None => Ok(pooled),
            }
        };
        vectors().map_err(Error::candle("running BERT"))
    }
}

/// The values of a tensor of vectors as f32, in host memory.
pub(crate) fn numbers(vectors: &Tensor) -> Result<Vec<f32>> {
    let host = vectors.to_device(&Device::Cpu).and_then(|host| host.to_dtype(DType::F32)?.flatten_all()?.to_vec1());
    host.map_err(Error::candle("reading vectors"))
}
