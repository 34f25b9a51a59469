//! What a BERT computes, as nodes of a graph.
//!
//! Three things differ from a literal transcription, none of them in the result: the query layer carries the 1/√d of the
//! attention scores; Q, K and V read one quantised operand; a text's mean is a product with its weights.

use super::OnnxPrecision;
use super::graph::{Attribute, Graph, Kind, Value};
use super::linear::{Dense, FLOAT, Layers, Operand};
use crate::{Activation, BertConfig, Error, Pooler, Result, TeacherFolder};

/// What a padded position's attention score is lowered by: enough for a weight of exactly 0 in f32, and inside f16.
const PADDING: f32 = -10_000.0;
/// A shorter vector is not lengthened to 1.
const SHORTEST: f32 = 1e-12;
const LAST_STATE: &str = "last_hidden_state";

/// The graph of the model in `folder`. Tensors are checked now and read when the graph is written.
pub fn graph(folder: &TeacherFolder, pooler: Pooler, precision: OnnxPrecision) -> Result<Graph<'_>> {
    let weights = &folder.weights;
    if pooler == Pooler::Cls && !weights.contains("pooler.dense.weight") {
        return Err(Error::NoPoolerWeights { path: weights.path().to_owned() });
    }
    let bert = Bert { config: &folder.config, layers: Layers { weights, precision } };
    let mut graph = Graph::new();
    let batch = ["batch", "length"];
    let ids = graph.input("input_ids", Kind::I64, &batch);
    let mask = graph.input("attention_mask", Kind::I64, &batch);
    let types = graph.input("token_type_ids", Kind::I64, &batch);

    graph.scope("mask");
    let mask = graph.node("Cast", &[&mask], &[Attribute::Int("to", FLOAT)]);
    let additive = bert.additive_mask(&mut graph, &mask);

    graph.scope("embeddings");
    let mut states = vec![bert.embeddings(&mut graph, &ids, &types)?];
    for layer in 0..folder.config.num_hidden_layers {
        let state = bert.layer(&mut graph, layer, &states[layer], &additive)?;
        states.push(state);
    }

    graph.scope("pooler");
    let pooled = bert.pooled(&mut graph, pooler, &states, &mask)?;
    let square = graph.node("ReduceL2", &[&pooled], &[Attribute::Ints("axes", &[1])]);
    let shortest = graph.float(SHORTEST);
    let length = graph.node("Max", &[&square, &shortest], &[]);
    let width = folder.config.hidden_size.to_string();
    graph.output("sentence_embedding", "Div", &[&pooled, &length], &[], &["batch", &width]);
    Ok(graph)
}

/// B is the batch, L its length, H the model's width, n the heads and d their width.
struct Bert<'a> {
    config: &'a BertConfig,
    layers: Layers<'a>,
}

impl<'a> Bert<'a> {
    /// 0 for a token and [`PADDING`] for padding: [B, L] → [B, 1, 1, L].
    fn additive_mask(&self, graph: &mut Graph<'a>, mask: &Value) -> Value {
        let (one, padding, axes) = (graph.float(1.0), graph.float(PADDING), graph.ints(&[1, 2]));
        let mask = graph.node("Unsqueeze", &[mask, &axes], &[]);
        let absent = graph.node("Sub", &[&one, &mask], &[]);
        graph.node("Mul", &[&absent, &padding], &[])
    }

    /// The sum of the embeddings of word, position and type, normalised: [B, L] → [B, L, H].
    fn embeddings(&self, graph: &mut Graph<'a>, ids: &Value, types: &Value) -> Result<Value> {
        let &BertConfig { vocab_size, hidden_size, max_position_embeddings, type_vocab_size, .. } = self.config;
        let words = self.layers.lookup(graph, ids, "embeddings.word_embeddings.weight", [vocab_size, hidden_size])?;
        let in_f32 = Layers { precision: OnnxPrecision::F32, ..self.layers };
        let name = "embeddings.token_type_embeddings.weight";
        let types = in_f32.lookup(graph, types, name, [type_vocab_size, hidden_size])?;

        let name = "embeddings.position_embeddings.weight";
        let table = self.layers.weights.f32(name, &[max_position_embeddings, hidden_size])?;
        let table = graph.floats(name, &[max_position_embeddings, hidden_size], table);
        let (start, axis) = (graph.ints(&[0]), graph.ints(&[0]));
        let length = graph.node("Shape", &[ids], &[Attribute::Int("start", 1), Attribute::Int("end", 2)]);
        let positions = graph.node("Slice", &[&table, &start, &length, &axis], &[]);

        let sum = graph.node("Add", &[&words, &types], &[]);
        let sum = graph.node("Add", &[&sum, &positions], &[]);
        self.layer_norm(graph, &sum, "embeddings.LayerNorm", false)
    }

    /// One layer: attention and feed-forward, each with its residual: [B, L, H] → [B, L, H].
    fn layer(&self, graph: &mut Graph<'a>, index: usize, state: &Value, mask: &Value) -> Result<Value> {
        let name = format!("encoder.layer.{index}");
        let (hidden, inner) = (self.config.hidden_size, self.config.intermediate_size);
        graph.scope(&format!("layer.{index}/attention"));
        let context = self.attention(graph, &name, state, mask)?;
        let context = self.layers.operand(graph, context);
        let dense =
            Dense { name: &format!("{name}.attention.output.dense"), inputs: hidden, outputs: hidden, factor: 1.0 };
        let attended = self.layers.dense(graph, &context, &dense)?;
        let sum = graph.node("Add", &[&attended, state], &[]);
        let state = self.layer_norm(graph, &sum, &format!("{name}.attention.output.LayerNorm"), false)?;

        graph.scope(&format!("layer.{index}/feed_forward"));
        let operand = self.layers.operand(graph, state.clone());
        let dense = Dense { name: &format!("{name}.intermediate.dense"), inputs: hidden, outputs: inner, factor: 1.0 };
        let activated = self.layers.dense(graph, &operand, &dense)?;
        let activated = self.activation(graph, &activated);
        let activated = self.layers.operand(graph, activated);
        let dense = Dense { name: &format!("{name}.output.dense"), inputs: inner, outputs: hidden, factor: 1.0 };
        let output = self.layers.dense(graph, &activated, &dense)?;
        let sum = graph.node("Add", &[&output, &state], &[]);
        let last = index + 1 == self.config.num_hidden_layers;
        self.layer_norm(graph, &sum, &format!("{name}.output.LayerNorm"), last)
    }

    /// softmax(Q·Kᵀ/√d + mask)·V, head by head: [B, L, H] → [B, L, H].
    fn attention(&self, graph: &mut Graph<'a>, name: &str, state: &Value, mask: &Value) -> Result<Value> {
        let (hidden, heads, size) = (self.config.hidden_size, self.config.num_attention_heads, self.config.head_size());
        let operand = self.layers.operand(graph, state.clone());
        let by_head = graph.ints(&[0, 0, heads as i64, size as i64]);
        let mut project = |which: &str, factor: f32, order: &[i64]| -> Result<Value> {
            let dense =
                Dense { name: &format!("{name}.attention.self.{which}"), inputs: hidden, outputs: hidden, factor };
            let flat = self.layers.dense(graph, &operand, &dense)?;
            // [B, L, H] → [B, L, n, d] → the order asked for
            let heads = graph.node("Reshape", &[&flat, &by_head], &[]);
            Ok(graph.node("Transpose", &[&heads], &[Attribute::Ints("perm", order)]))
        };
        let query = project("query", 1.0 / (size as f32).sqrt(), &[0, 2, 1, 3])?; // [B, n, L, d]
        let key = project("key", 1.0, &[0, 2, 3, 1])?; // [B, n, d, L]
        let value = project("value", 1.0, &[0, 2, 1, 3])?; // [B, n, L, d]
        let scores = graph.node("MatMul", &[&query, &key], &[]); // [B, n, L, L]
        let scores = graph.node("Add", &[&scores, mask], &[]);
        let shares = graph.node("Softmax", &[&scores], &[Attribute::Int("axis", -1)]);
        let context = graph.node("MatMul", &[&shares, &value], &[]); // [B, n, L, d]
        let context = graph.node("Transpose", &[&context], &[Attribute::Ints("perm", &[0, 2, 1, 3])]); // [B, L, n, d]
        let side_by_side = graph.ints(&[0, 0, hidden as i64]);
        Ok(graph.node("Reshape", &[&context, &side_by_side], &[]))
    }

    fn activation(&self, graph: &mut Graph<'a>, x: &Value) -> Value {
        let (half, one) = (graph.float(0.5), graph.float(1.0));
        match self.config.hidden_act {
            Activation::Relu => graph.node("Relu", &[x], &[]),
            // x·0.5·(1 + erf(x/√2)), in the order that ONNX Runtime knows as Gelu.
            Activation::Gelu => {
                let root = graph.float(std::f32::consts::SQRT_2);
                let scaled = graph.node("Div", &[x, &root], &[]);
                let erf = graph.node("Erf", &[&scaled], &[]);
                let sum = graph.node("Add", &[&erf, &one], &[]);
                let product = graph.node("Mul", &[x, &sum], &[]);
                graph.node("Mul", &[&product, &half], &[])
            }
            // 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), in the order that it knows as FastGelu.
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

    /// LayerNorm over the width; as the graph's second output for the last layer.
    fn layer_norm(&self, graph: &mut Graph<'a>, x: &Value, name: &str, last: bool) -> Result<Value> {
        let hidden = self.config.hidden_size;
        let mut load = |part: &str| -> Result<Value> {
            let name = format!("{name}.{part}");
            let values = self.layers.weights.f32(&name, &[hidden])?;
            Ok(graph.floats(&name, &[hidden], values))
        };
        let (weight, bias) = (load("weight")?, load("bias")?);
        let settings = [Attribute::Int("axis", -1), Attribute::Float("epsilon", self.config.layer_norm_eps as f32)];
        let inputs = [x, &weight, &bias];
        Ok(match last {
            true => {
                let dims = ["batch", "length", &hidden.to_string()];
                graph.output(LAST_STATE, "LayerNormalization", &inputs, &settings, &dims)
            }
            false => graph.node("LayerNormalization", &inputs, &settings),
        })
    }

    /// The states of all layers (the embeddings' first) → [B, H].
    fn pooled(&self, graph: &mut Graph<'a>, pooler: Pooler, states: &[Value], mask: &Value) -> Result<Value> {
        let [.., second_last, last] = states else { unreachable!("a model has at least one layer") };
        Ok(match pooler {
            Pooler::Mean => self.mean(graph, last, mask),
            Pooler::FirstLast => self.mean_of_two(graph, [&states[1], last], mask),
            Pooler::LastTwo => self.mean_of_two(graph, [second_last, last], mask),
            Pooler::ClsBeforePooler => self.first(graph, last),
            Pooler::Cls => {
                let hidden = self.config.hidden_size;
                let first = Operand::F32(self.first(graph, last));
                let in_f32 = Layers { precision: OnnxPrecision::F32, ..self.layers };
                let dense = Dense { name: "pooler.dense", inputs: hidden, outputs: hidden, factor: 1.0 };
                let dense = in_f32.dense(graph, &first, &dense)?;
                graph.node("Tanh", &[&dense], &[])
            }
        })
    }

    /// The state of the first token: [B, L, H] → [B, H].
    fn first(&self, graph: &mut Graph<'a>, state: &Value) -> Value {
        let zero = graph.index(0);
        graph.node("Gather", &[state, &zero], &[Attribute::Int("axis", 1)])
    }

    /// The mean over the tokens of both layers' mean.
    fn mean_of_two(&self, graph: &mut Graph<'a>, states: [&Value; 2], mask: &Value) -> Value {
        let half = graph.float(0.5);
        let [first, second] = states.map(|state| self.mean(graph, state, mask));
        let sum = graph.node("Add", &[&first, &second], &[]);
        graph.node("Mul", &[&sum, &half], &[])
    }

    /// The mean over a text's tokens, 0 where there is none: [B, 1, L]·[B, L, H] → [B, H].
    fn mean(&self, graph: &mut Graph<'a>, state: &Value, mask: &Value) -> Value {
        let (one, axis) = (graph.float(1.0), graph.ints(&[1]));
        let count = graph.node("ReduceSum", &[mask, &axis], &[]); // [B, 1]
        let count = graph.node("Max", &[&count, &one], &[]);
        let shares = graph.node("Div", &[mask, &count], &[]);
        let shares = graph.node("Unsqueeze", &[&shares, &axis], &[]);
        let mean = graph.node("MatMul", &[&shares, state], &[]);
        graph.node("Squeeze", &[&mean, &axis], &[])
    }
}
