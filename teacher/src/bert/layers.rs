//! The parts of a BERT. B is the batch, L its length, H the model's width, n the heads and d their width.

use candle_core::{D, DType, Module, Result as CandleResult, Tensor};
use candle_nn::Linear;
use candle_nn::ops::softmax;
use rayon::prelude::*;

use crate::backprop::{Dropout, Mask};
use crate::relative::bucket;
use crate::{Activation, BertConfig, FindTensor, Result};

/// Added to the attention score of a padded position: enough for a weight of exactly 0 in f32, and in the range of f16.
const PADDING: f64 = -10_000.0;

/// The tensors `{name}.weight` [outputs, inputs] and `{name}.bias` [outputs].
pub(super) fn dense(name: &str, inputs: usize, outputs: usize, find: FindTensor) -> Result<Linear> {
    let weight = find(&format!("{name}.weight"), &[outputs, inputs])?;
    let bias = find(&format!("{name}.bias"), &[outputs])?;
    Ok(Linear::new(weight, Some(bias)))
}

/// 0 for a token and [`PADDING`] for padding, to be added to attention scores: [B, L] → [B, 1, 1, L].
pub(super) fn additive_mask(mask: &Tensor) -> CandleResult<Tensor> {
    let (batch, length) = mask.dims2()?;
    mask.affine(-PADDING, PADDING)?.reshape((batch, 1, 1, length))
}

/// Dropout, where there is a mask. The values of the last `dimensions` dimensions are one part of the mask.
fn drop_from(x: Tensor, dimensions: usize, mask: Option<Mask>) -> CandleResult<Tensor> {
    let Some(mask) = mask else { return Ok(x) };
    let part = x.dims().iter().rev().take(dimensions).product::<usize>().max(1);
    let mut factors = vec![1f32; x.elem_count()];
    factors.par_chunks_mut(part).enumerate().for_each(|(at, values)| mask.apply(at, values));
    x.mul(&Tensor::from_vec(factors, x.dims(), x.device())?.to_dtype(x.dtype())?)
}

/// (x − mean)/√(variance + ε)·weight + bias over the last dimension (Ba et al. 2016).
#[derive(Debug, Clone)]
struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    fn new(name: &str, config: &BertConfig, find: FindTensor) -> Result<Self> {
        let weight = find(&format!("{name}.weight"), &[config.hidden_size])?;
        let bias = find(&format!("{name}.bias"), &[config.hidden_size])?;
        Ok(Self { weight, bias, eps: config.layer_norm_eps })
    }

    /// In f32 where the model is in f16 or bf16, whose range the squares would leave.
    fn forward(&self, x: &Tensor) -> CandleResult<Tensor> {
        let dtype = x.dtype();
        let wide = if dtype == DType::F64 { DType::F64 } else { DType::F32 };
        let x = x.to_dtype(wide)?;
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let normalised = centred.broadcast_div(&(variance + self.eps)?.sqrt()?)?.to_dtype(dtype)?;
        normalised.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)
    }
}

/// The sum of the embeddings of word, position and type, normalised. All tokens are of type 0, where there are types.
#[derive(Debug, Clone)]
pub(super) struct BertEmbeddings {
    pub(super) words: Tensor,
    positions: Tensor,
    types: Option<Tensor>,
    norm: LayerNorm,
}

impl BertEmbeddings {
    pub(super) fn new(config: &BertConfig, find: FindTensor) -> Result<Self> {
        let width = config.hidden_size;
        let mut table = |kind: &str, rows| find(&format!("embeddings.{kind}_embeddings.weight"), &[rows, width]);
        Ok(Self {
            words: table("word", config.vocab_size)?,
            positions: table("position", config.position_rows)?,
            types: (config.type_vocab_size > 0).then(|| table("token_type", config.type_vocab_size)).transpose()?,
            norm: LayerNorm::new("embeddings.LayerNorm", config, find)?,
        })
    }

    /// Ids and positions, [B, L] each → [B, L, H].
    pub(super) fn forward(&self, ids: &Tensor, positions: &Tensor, dropout: &mut Dropout) -> CandleResult<Tensor> {
        let (batch, length) = ids.dims2()?;
        let rows =
            |table: &Tensor, at: &Tensor| table.index_select(&at.flatten_all()?, 0)?.reshape((batch, length, ()));
        let rest = rows(&self.positions, positions)?;
        let rest = match &self.types {
            Some(types) => rest.broadcast_add(&types.narrow(0, 0, 1)?)?,
            None => rest,
        };
        drop_from(self.norm.forward(&(rows(&self.words, ids)? + rest)?)?, 1, dropout.hidden())
    }
}

/// MPNet's bias on attention scores, by head and bucket of distances.
#[derive(Debug, Clone)]
pub(super) struct RelativeBias {
    /// [buckets, n]
    table: Tensor,
}

impl RelativeBias {
    pub(super) fn new(config: &BertConfig, find: FindTensor) -> Result<Self> {
        let shape = [config.relative_rows, config.num_attention_heads];
        Ok(Self { table: find("encoder.relative_attention_bias.weight", &shape)? })
    }

    /// The bias between all positions of a text of that length: [1, n, L, L].
    pub(super) fn forward(&self, length: usize) -> CandleResult<Tensor> {
        let places = 0..length as i64;
        let buckets: Vec<u32> =
            places.clone().flat_map(|query| places.clone().map(move |key| bucket(key - query))).collect();
        let buckets = Tensor::from_vec(buckets, length * length, self.table.device())?;
        let bias = self.table.index_select(&buckets, 0)?.reshape((length, length, ()))?;
        bias.permute((2, 0, 1))?.unsqueeze(0)
    }
}

/// One layer: self-attention and a feed-forward block, each with a residual and a LayerNorm after it.
#[derive(Debug, Clone)]
pub(super) struct BertLayer {
    query: Linear,
    key: Linear,
    value: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: LayerNorm,
    activation: Activation,
    heads: usize,
    drops_attention_output: bool,
}

impl BertLayer {
    pub(super) fn new(config: &BertConfig, name: &str, find: FindTensor) -> Result<Self> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let mut dense = |part: &str, inputs, outputs| dense(&format!("{name}.{part}"), inputs, outputs, find);
        Ok(Self {
            query: dense("attention.self.query", hidden, hidden)?,
            key: dense("attention.self.key", hidden, hidden)?,
            value: dense("attention.self.value", hidden, hidden)?,
            attention_output: dense("attention.output.dense", hidden, hidden)?,
            intermediate: dense("intermediate.dense", hidden, inner)?,
            output: dense("output.dense", inner, hidden)?,
            attention_norm: LayerNorm::new(&format!("{name}.attention.output.LayerNorm"), config, find)?,
            output_norm: LayerNorm::new(&format!("{name}.output.LayerNorm"), config, find)?,
            activation: config.hidden_act,
            heads: config.num_attention_heads,
            drops_attention_output: config.architecture.drops_attention_output(),
        })
    }

    /// The attention block, norm(x + dense(softmax(Q·Kᵀ/√d + bias)·V)): [B, L, H] → [B, L, H]. The bias, of a shape
    /// that broadcasts to [B, n, L, L], holds the mask.
    pub(super) fn attended(&self, x: &Tensor, bias: &Tensor, dropout: &mut Dropout) -> CandleResult<Tensor> {
        let (batch, length, hidden) = x.dims3()?;
        let size = hidden / self.heads;
        // [B, L, H] → [B, n, L, d]
        let by_head = |dense: &Linear| {
            dense.forward(x)?.reshape((batch, length, self.heads, size))?.transpose(1, 2)?.contiguous()
        };
        let query = (by_head(&self.query)? / (size as f64).sqrt())?;
        let (key, value) = (by_head(&self.key)?, by_head(&self.value)?);
        let scores = query.matmul(&key.transpose(2, 3)?.contiguous()?)?; // [B, n, L, L]
        let shares = drop_from(softmax(&scores.broadcast_add(bias)?, D::Minus1)?, 2, dropout.attention())?;
        let context = shares.matmul(&value)?; // [B, n, L, d]
        let context = context.transpose(1, 2)?.contiguous()?.reshape((batch, length, hidden))?;
        let mask = if self.drops_attention_output { dropout.hidden() } else { None };
        let projected = drop_from(self.attention_output.forward(&context)?, 1, mask)?;
        self.attention_norm.forward(&(x + projected)?)
    }

    /// The inside of the feed-forward block: [B, L, H] → [B, L, inner].
    pub(super) fn inner(&self, attended: &Tensor) -> CandleResult<Tensor> {
        let x = self.intermediate.forward(attended)?;
        match self.activation {
            Activation::Gelu => x.gelu_erf(),
            Activation::GeluNew => x.gelu(),
            Activation::Relu => x.relu(),
        }
    }

    /// The layer's output from the inside of its feed-forward block, norm(attended + dense(inner)).
    pub(super) fn output(&self, inner: &Tensor, attended: &Tensor, dropout: &mut Dropout) -> CandleResult<Tensor> {
        let projected = drop_from(self.output.forward(inner)?, 1, dropout.hidden())?;
        self.output_norm.forward(&(attended + projected)?)
    }
}
