//! The operations of a BERT, or of a model like it, as nodes of a graph.
//!
//! The graph differs from a literal transcription in three points that don't change the result: the query layer carries
//! the 1/√d of the attention scores; Q, K and V read one quantised operand; a text's mean is a product with its
//! weights.
//!
//! No shape is declared between inputs and outputs, on purpose: with known shapes ONNX Runtime fuses each residual and
//! its LayerNorm to SkipLayerNormalization, which on the CPU made the whole model a sixth slower in f32 and a third
//! slower in int8 (version 1.32, AVX-512).

use limbeck_encoder::Precision;
use limbeck_onnx::{Attribute, ElementType, Value};

use super::linear::{FLOAT, LayerBuilder, Operand};
use super::smoothing::{self, Factors};
use super::{TeacherGraph, embeddings, head, operators};
use crate::{Activation, Architecture, BertConfig, Pooler, Result, TeacherFolder};

/// Added to the attention score of a padded position: enough for a weight of exactly 0 in f32, and within the range of
/// f16.
const PADDING: f32 = -10_000.0;

/// The graph of the model in `folder`. Tensors are checked now and read when the graph is written.
pub(super) fn graph(folder: &TeacherFolder, pooler: Pooler, precision: Precision) -> Result<TeacherGraph<'_>> {
    let weights = &folder.weights;
    weights.check_pooler(pooler)?;
    let factors = match precision {
        Precision::F32 => None,
        Precision::Int8 => Some(smoothing::factors(folder)?),
        Precision::F16 => {
            let name = "the precision of an ONNX file";
            return Err(limbeck_training::Error::setting(name, precision.name(), "f32 or int8").into());
        }
    };
    let config = &folder.config;
    let mut graph = TeacherGraph::new("bert");
    let batch = ["batch", "length"];
    let ids = graph.input("input_ids", ElementType::I64, &batch);
    let mask = graph.input("attention_mask", ElementType::I64, &batch);
    // Tokenizers of other architectures make no types, and programs that feed their outputs have none to give.
    let has_types = config.architecture == Architecture::Bert;
    let types = has_types.then(|| graph.input("token_type_ids", ElementType::I64, &batch));

    graph.scope("mask");
    let mask = graph.node("Cast", &[&mask], &[Attribute::Int("to", FLOAT)]);
    let additive_mask = additive_mask(&mut graph, &mask);

    graph.scope("shapes");
    let hidden = config.hidden_size as i64;
    let both = graph.node("Shape", &[&ids], &[]);
    let [batch, heads] = [&[hidden][..], &[config.num_attention_heads as i64, config.head_size() as i64]].map(|rest| {
        let rest = graph.ints(rest);
        graph.node("Concat", &[&both, &rest], &[Attribute::Int("axis", 0)])
    });
    let flat = graph.ints(&[-1, hidden]);
    let mut layers = LayerBuilder { graph, weights, precision };
    let score_bias = match config.relative_rows {
        0 => additive_mask,
        _ => {
            layers.graph.scope("distance");
            let relative = embeddings::relative_bias(&mut layers, config, &ids)?;
            layers.graph.node("Add", &[&additive_mask, &relative], &[])
        }
    };
    let mut bert = BertGraph { config, layers, flat, batch, heads, mask, score_bias };

    bert.layers.graph.scope("embeddings");
    let mut states = vec![bert.embeddings(&ids, types.as_ref())?];
    for layer in 0..config.num_hidden_layers {
        states.push(bert.layer(layer, &states[layer], factors.as_ref().map(|factors| &factors[layer]))?);
    }

    bert.layers.graph.scope("output");
    let width = config.hidden_size.to_string();
    let last = &states[config.num_hidden_layers];
    let last = bert.layers.graph.named("last_hidden_state", "Reshape", &[last, &bert.batch], &[]);
    let (mut layers, mask, batch) = (bert.layers, bert.mask, bert.batch);
    let tokens = head::TokenStates { states: &states, last: &last, batch: &batch, mask: &mask, width: hidden as usize };
    let pooled = head::output(&mut layers, (pooler, &folder.head), &tokens)?;
    let mut graph = layers.graph;
    graph.scope("output");
    let length = operators::length(&mut graph, &pooled);
    let embedding = graph.named("sentence_embedding", "Div", &[&pooled, &length], &[]);
    graph.output(&embedding, &["batch", &folder.dimension()?.to_string()]);
    graph.output(&last, &["batch", "length", &width]);
    Ok(graph)
}

/// 0 for a token and [`PADDING`] for padding: [B, L] → [B, 1, 1, L].
fn additive_mask(graph: &mut TeacherGraph, mask: &Value) -> Value {
    let (one, padding, axes) = (graph.float(1.0), graph.float(PADDING), graph.ints(&[1, 2]));
    let mask = graph.node("Unsqueeze", &[mask, &axes], &[]);
    let absent = graph.node("Sub", &[&one, &mask], &[]);
    graph.node("Mul", &[&absent, &padding], &[])
}

/// B is the batch, L its length, T = B·L, H the model's width, n the heads and d their width. States are [T, H]: a
/// dense layer of two dimensions is one `Gemm` with its bias.
struct BertGraph<'a> {
    config: &'a BertConfig,
    layers: LayerBuilder<'a>,
    /// The shape [T, H], all tokens of the batch in one dimension.
    flat: Value,
    /// The shape [B, L, H].
    batch: Value,
    /// The shape [B, L, n, d].
    heads: Value,
    /// 1 for a token, 0 for padding: [B, L].
    mask: Value,
    /// Added to attention scores, mask and all: [B, 1, 1, L], with MPNet's bias [B, n, L, L].
    score_bias: Value,
}

impl BertGraph<'_> {
    /// The sum of the embeddings, normalised: [B, L] → [T, H].
    fn embeddings(&mut self, ids: &Value, types: Option<&Value>) -> Result<Value> {
        let sum = embeddings::summed(&mut self.layers, self.config, ids, types)?;
        let sum = self.layers.graph.node("Reshape", &[&sum, &self.flat], &[]);
        self.layer_norm(&sum, "embeddings.LayerNorm")
    }

    /// One layer: attention and feed-forward, each with its residual: [T, H] → [T, H].
    fn layer(&mut self, index: usize, state: &Value, factors: Option<&Factors>) -> Result<Value> {
        let name = format!("encoder.layer.{index}");
        let (hidden, inner) = (self.config.hidden_size, self.config.intermediate_size);
        self.layers.graph.scope(&format!("layer.{index}/attention"));
        let operand = self.layers.operand(state, factors.map(|factors| &factors.state[..]));
        let context = self.attention(&name, &operand)?;
        let context = self.layers.operand(&context, None);
        let part = format!("{name}.attention.output.dense");
        let attended = self.layers.dense(&context, &part, [hidden, hidden], 1.0)?;
        let sum = self.layers.graph.node("Add", &[&attended, state], &[]);
        let state = self.layer_norm(&sum, &format!("{name}.attention.output.LayerNorm"))?;

        self.layers.graph.scope(&format!("layer.{index}/feed_forward"));
        let operand = self.layers.operand(&state, factors.map(|factors| &factors.attended[..]));
        let part = format!("{name}.intermediate.dense");
        let activated = self.layers.dense(&operand, &part, [inner, hidden], 1.0)?;
        let activated = self.activation(&activated);
        let operand = self.layers.operand(&activated, factors.map(|factors| &factors.inner[..]));
        let output = self.layers.dense(&operand, &format!("{name}.output.dense"), [hidden, inner], 1.0)?;
        let sum = self.layers.graph.node("Add", &[&output, &state], &[]);
        self.layer_norm(&sum, &format!("{name}.output.LayerNorm"))
    }

    /// softmax(Q·Kᵀ/√d + mask)·V, head by head: [T, H] → [T, H].
    fn attention(&mut self, name: &str, operand: &Operand) -> Result<Value> {
        let (hidden, size) = (self.config.hidden_size, self.config.head_size());
        let mut project = |which: &str, factor: f32, order: &[i64]| -> Result<Value> {
            let name = format!("{name}.attention.self.{which}");
            let flat = self.layers.dense(operand, &name, [hidden, hidden], factor)?;
            // [T, H] → [B, L, n, d] → the order asked for
            let heads = self.layers.graph.node("Reshape", &[&flat, &self.heads], &[]);
            Ok(self.layers.graph.node("Transpose", &[&heads], &[Attribute::Ints("perm", order)]))
        };
        let query = project("query", 1.0 / (size as f32).sqrt(), &[0, 2, 1, 3])?; // [B, n, L, d]
        let key = project("key", 1.0, &[0, 2, 3, 1])?; // [B, n, d, L]
        let value = project("value", 1.0, &[0, 2, 1, 3])?; // [B, n, L, d]
        let graph = &mut self.layers.graph;
        let scores = graph.node("MatMul", &[&query, &key], &[]); // [B, n, L, L]
        let scores = graph.node("Add", &[&scores, &self.score_bias], &[]);
        let shares = graph.node("Softmax", &[&scores], &[Attribute::Int("axis", -1)]);
        let context = graph.node("MatMul", &[&shares, &value], &[]); // [B, n, L, d]
        let context = graph.node("Transpose", &[&context], &[Attribute::Ints("perm", &[0, 2, 1, 3])]); // [B, L, n, d]
        Ok(graph.node("Reshape", &[&context, &self.flat], &[]))
    }

    fn activation(&mut self, x: &Value) -> Value {
        let graph = &mut self.layers.graph;
        let (half, one) = (graph.float(0.5), graph.float(1.0));
        match self.config.hidden_act {
            Activation::Relu => graph.node("Relu", &[x], &[]),
            Activation::Gelu => operators::gelu(graph, x),
            // 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), in the order that ONNX Runtime recognises as FastGelu.
            Activation::GeluNew => {
                let (three, small) = (graph.float(3.0), graph.float(0.044715));
                let root = graph.float((2.0 / std::f64::consts::PI).sqrt() as f32);
                let cube = graph.node("Pow", &[x, &three], &[]);
                let cube = graph.node("Mul", &[&cube, &small], &[]);
                let sum = graph.node("Add", &[x, &cube], &[]);
                let scaled = graph.node("Mul", &[&sum, &root], &[]);
                let tanh = graph.node("Tanh", &[&scaled], &[]);
                let sum = graph.node("Add", &[&tanh, &one], &[]);
                let halved = graph.node("Mul", &[x, &half], &[]);
                graph.node("Mul", &[&halved, &sum], &[])
            }
        }
    }

    /// LayerNorm over the width.
    fn layer_norm(&mut self, x: &Value, name: &str) -> Result<Value> {
        let hidden = [self.config.hidden_size];
        let weight = self.load(&format!("{name}.weight"), &hidden)?;
        let bias = self.load(&format!("{name}.bias"), &hidden)?;
        let settings = [Attribute::Int("axis", -1), Attribute::Float("epsilon", self.config.layer_norm_eps as f32)];
        Ok(self.layers.graph.node("LayerNormalization", &[x, &weight, &bias], &settings))
    }

    /// The tensor `name` as a constant in f32.
    fn load(&mut self, name: &str, shape: &[usize]) -> Result<Value> {
        let values = self.layers.weights.f32(name, shape)?;
        Ok(self.layers.graph.floats(name, shape, values))
    }
}
