//! The poolers and the layers after them, as nodes of a graph.

use limbeck_onnx::{Attribute, Value};

use super::linear::{FLOAT, LayerBuilder, Operand};
use super::{TeacherGraph, operators};
use crate::head::{DenseLayer, Head, HeadActivation, HeadLayer, LayerNorm, Residual, SELU};
use crate::{Pooler, Result};

/// Added to the states of padding, which is never the largest then.
const ABSENT: f32 = 1e4;

/// The states that poolers read; B is the batch, L its length, T = B·L, H the model's width.
pub(super) struct TokenStates<'a> {
    /// The states of all layers, the embeddings' first: [T, H].
    pub states: &'a [Value],
    /// The last layer's states: [B, L, H].
    pub last: &'a Value,
    /// The shape [B, L, H].
    pub batch: &'a Value,
    /// 1 for a token, 0 for padding: [B, L].
    pub mask: &'a Value,
    /// H
    pub width: usize,
}

/// The texts' vectors, not yet of unit length: pooled by `first` and the head's other poolers, and put through its
/// layers.
pub(super) fn output(layers: &mut LayerBuilder, (first, head): (Pooler, &Head), tokens: &TokenStates) -> Result<Value> {
    let mut vector = pooled(layers, first, tokens)?;
    for &pooler in &head.also {
        let next = pooled(layers, pooler, tokens)?;
        vector = layers.graph.node("Concat", &[&vector, &next], &[Attribute::Int("axis", 1)]);
    }
    for (index, layer) in head.layers.iter().enumerate() {
        let name = format!("head.{index}");
        layers.graph.scope(&name);
        vector = match layer {
            HeadLayer::Dense(layer) => dense(&mut layers.graph, (&name, layer), &vector),
            HeadLayer::LayerNorm(norm) => layer_norm(&mut layers.graph, (&name, norm), &vector),
            HeadLayer::Normalise => {
                let length = operators::length(&mut layers.graph, &vector);
                layers.graph.node("Div", &[&vector, &length], &[])
            }
        };
    }
    Ok(vector)
}

/// The vectors of one pooler: [B, H].
fn pooled(layers: &mut LayerBuilder, pooler: Pooler, tokens: &TokenStates) -> Result<Value> {
    let &TokenStates { states, last, mask, width, .. } = tokens;
    let graph = &mut layers.graph;
    Ok(match pooler {
        Pooler::Mean => mean(graph, mask, last),
        Pooler::FirstLast => mean_of_two(graph, tokens, &states[0]),
        Pooler::LastTwo => mean_of_two(graph, tokens, &states[states.len() - 2]),
        Pooler::ClsBeforePooler => first_state(graph, last),
        Pooler::Cls => {
            let first = Operand::F32(first_state(graph, last));
            let dense = layers.dense(&first, "pooler.dense", [width, width], 1.0)?;
            layers.graph.node("Tanh", &[&dense], &[])
        }
        Pooler::MeanSqrtLen => {
            let count = token_count(graph, mask);
            let root = graph.node("Sqrt", &[&count], &[]);
            let shares = graph.node("Div", &[mask, &root], &[]);
            weighted_sum(graph, &shares, last)
        }
        Pooler::WeightedMean => {
            let (places, axis, one) = (places(graph, mask), graph.ints(&[1]), graph.float(1.0));
            let sum = graph.node("ReduceSum", &[&places, &axis], &[]);
            let sum = graph.node("Max", &[&sum, &one], &[]);
            let shares = graph.node("Div", &[&places, &sum], &[]);
            weighted_sum(graph, &shares, last)
        }
        Pooler::LastToken => {
            let (places, count) = (places(graph, mask), token_count(graph, mask));
            let is_last = graph.node("Equal", &[&places, &count], &[]);
            let is_last = graph.node("Cast", &[&is_last], &[Attribute::Int("to", FLOAT)]);
            weighted_sum(graph, &is_last, last)
        }
        Pooler::Max => {
            let (one, absent, axis) = (graph.float(1.0), graph.float(ABSENT), graph.ints(&[2]));
            let missing = graph.node("Sub", &[mask, &one], &[]);
            let missing = graph.node("Mul", &[&missing, &absent], &[]);
            let missing = graph.node("Unsqueeze", &[&missing, &axis], &[]);
            let shown = graph.node("Add", &[last, &missing], &[]);
            graph.node("ReduceMax", &[&shown], &[Attribute::Ints("axes", &[1]), Attribute::Int("keepdims", 0)])
        }
    })
}

/// The state of the first token: [B, L, H] → [B, H].
fn first_state(graph: &mut TeacherGraph, state: &Value) -> Value {
    let zero = graph.index(0);
    graph.node("Gather", &[state, &zero], &[Attribute::Int("axis", 1)])
}

/// The mean over the tokens of the mean of `first` ([T, H]) and the last layer's states.
fn mean_of_two(graph: &mut TeacherGraph, tokens: &TokenStates, first: &Value) -> Value {
    let half = graph.float(0.5);
    let first = graph.node("Reshape", &[first, tokens.batch], &[]);
    let [first, last] = [&first, tokens.last].map(|state| mean(graph, tokens.mask, state));
    let sum = graph.node("Add", &[&first, &last], &[]);
    graph.node("Mul", &[&sum, &half], &[])
}

/// The mean over a text's tokens, 0 where there is none.
fn mean(graph: &mut TeacherGraph, mask: &Value, state: &Value) -> Value {
    let count = token_count(graph, mask);
    let shares = graph.node("Div", &[mask, &count], &[]);
    weighted_sum(graph, &shares, state)
}

/// The number of a text's tokens, at least 1: [B, 1].
fn token_count(graph: &mut TeacherGraph, mask: &Value) -> Value {
    let (one, axis) = (graph.float(1.0), graph.ints(&[1]));
    let count = graph.node("ReduceSum", &[mask, &axis], &[]);
    graph.node("Max", &[&count, &one], &[])
}

/// The place of each token in its text, from 1, and 0 for padding: [B, L].
fn places(graph: &mut TeacherGraph, mask: &Value) -> Value {
    let one = graph.index(1);
    let sums = graph.node("CumSum", &[mask, &one], &[]);
    graph.node("Mul", &[&sums, mask], &[])
}

/// The sum of a text's states by their weights: [B, L], [B, L, H] → [B, H].
fn weighted_sum(graph: &mut TeacherGraph, weights: &Value, state: &Value) -> Value {
    let axis = graph.ints(&[1]);
    let weights = graph.node("Unsqueeze", &[weights, &axis], &[]);
    let sum = graph.node("MatMul", &[&weights, state], &[]);
    graph.node("Squeeze", &[&sum, &axis], &[])
}

fn dense(graph: &mut TeacherGraph, (name, layer): (&str, &DenseLayer), vector: &Value) -> Value {
    let (weight, bias) = layer.values();
    let weight = graph.floats(&format!("{name}.weight"), &[layer.width(), layer.inputs()], weight.to_vec());
    let bias = graph.floats(&format!("{name}.bias"), &[layer.width()], bias.to_vec());
    let output = graph.node("Gemm", &[vector, &weight, &bias], &[Attribute::Int("transB", 1)]);
    let output = activation(graph, layer.activation(), &output);
    match layer.residual() {
        Residual::None => output,
        Residual::Input => graph.node("Add", &[&output, vector], &[]),
        Residual::Projected(matrix) => {
            let matrix = graph.floats(&format!("{name}.residual"), &[layer.width(), layer.inputs()], matrix.clone());
            let residual = graph.node("Gemm", &[vector, &matrix], &[Attribute::Int("transB", 1)]);
            graph.node("Add", &[&output, &residual], &[])
        }
    }
}

fn layer_norm(graph: &mut TeacherGraph, (name, norm): (&str, &LayerNorm), vector: &Value) -> Value {
    let (weight, bias) = norm.values();
    let shape = [weight.len()];
    let weight = graph.floats(&format!("{name}.weight"), &shape, weight.to_vec());
    let bias = graph.floats(&format!("{name}.bias"), &shape, bias.to_vec());
    let settings = [Attribute::Int("axis", -1), Attribute::Float("epsilon", LayerNorm::EPSILON)];
    graph.node("LayerNormalization", &[vector, &weight, &bias], &settings)
}

fn activation(graph: &mut TeacherGraph, activation: HeadActivation, x: &Value) -> Value {
    let clip = |graph: &mut TeacherGraph, from: f32, to: f32| {
        let (from, to) = (graph.float(from), graph.float(to));
        graph.node("Clip", &[x, &from, &to], &[])
    };
    match activation {
        HeadActivation::Identity => graph.node("Identity", &[x], &[]),
        HeadActivation::Tanh => graph.node("Tanh", &[x], &[]),
        HeadActivation::Relu => graph.node("Relu", &[x], &[]),
        HeadActivation::Relu6 => clip(graph, 0.0, 6.0),
        HeadActivation::Hardtanh => clip(graph, -1.0, 1.0),
        HeadActivation::LeakyRelu => graph.node("LeakyRelu", &[x], &[Attribute::Float("alpha", 0.01)]),
        HeadActivation::Elu => graph.node("Elu", &[x], &[]),
        HeadActivation::Selu => {
            let scales = [Attribute::Float("alpha", SELU.0), Attribute::Float("gamma", SELU.1)];
            graph.node("Selu", &[x], &scales)
        }
        HeadActivation::Sigmoid => graph.node("Sigmoid", &[x], &[]),
        HeadActivation::Softplus => graph.node("Softplus", &[x], &[]),
        HeadActivation::Softsign => graph.node("Softsign", &[x], &[]),
        HeadActivation::LogSigmoid => {
            let negative = graph.node("Neg", &[x], &[]);
            let softplus = graph.node("Softplus", &[&negative], &[]);
            graph.node("Neg", &[&softplus], &[])
        }
        HeadActivation::Silu => {
            let gate = graph.node("Sigmoid", &[x], &[]);
            graph.node("Mul", &[x, &gate], &[])
        }
        HeadActivation::Mish => {
            let softplus = graph.node("Softplus", &[x], &[]);
            let gate = graph.node("Tanh", &[&softplus], &[]);
            graph.node("Mul", &[x, &gate], &[])
        }
        HeadActivation::Tanhshrink => {
            let tanh = graph.node("Tanh", &[x], &[]);
            graph.node("Sub", &[x, &tanh], &[])
        }
        HeadActivation::Gelu => operators::gelu(graph, x),
    }
}
