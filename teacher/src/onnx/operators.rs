//! Operators that several parts of the graph consist of.

use limbeck_onnx::{Attribute, Value};

use super::TeacherGraph;

/// A shorter vector is not scaled up to length 1.
const SHORTEST: f32 = 1e-12;

/// x·0.5·(1 + erf(x/√2)), in the order that ONNX Runtime recognises as Gelu.
pub(super) fn gelu(graph: &mut TeacherGraph, x: &Value) -> Value {
    let (half, one, root) = (graph.float(0.5), graph.float(1.0), graph.float(std::f32::consts::SQRT_2));
    let scaled = graph.node("Div", &[x, &root], &[]);
    let erf = graph.node("Erf", &[&scaled], &[]);
    let sum = graph.node("Add", &[&erf, &one], &[]);
    let product = graph.node("Mul", &[x, &sum], &[]);
    graph.node("Mul", &[&product, &half], &[])
}

/// The length of each vector, by which it is divided: [B, H] → [B, 1].
pub(super) fn length(graph: &mut TeacherGraph, vector: &Value) -> Value {
    let length = graph.node("ReduceL2", &[vector], &[Attribute::Ints("axes", &[1])]);
    let shortest = graph.float(SHORTEST);
    graph.node("Max", &[&length, &shortest], &[])
}
