//! A student as an ONNX file.
//!
//! | input | type | shape | |
//! |---|---|---|---|
//! | `input_ids` | int64 | batch × length | without special tokens |
//! | `attention_mask` | int64 | batch × length | 1 for a token, 0 for padding |
//!
//! | output | type | shape | |
//! |---|---|---|---|
//! | `sentence_embedding` | f32 | batch × dimension | of length 1 |
//!
//! One position is appended to every text. Where the mask has no token, that position holds the student's token for an
//! empty text; elsewhere it is padding. So a row of padding, and a batch of length 0, get the vector of the empty text.
//! The mask alone marks padding: its embeddings are zero, as beyond a text's ends, it never is a maximum, and heads
//! don't attend to it.

use std::path::Path;

use limbeck_encoder::Precision;
use limbeck_onnx::int8::{largest, row_scale, row_scales, write_rows};
use limbeck_onnx::{Attribute, ElementType, Value, write_f32};

use super::int8::channel_factors;
use super::refuse_lexical;
use crate::config::StudentConfig;
use crate::error::{Error, Result};
use crate::folder::StudentFolder;
use crate::model::TextCnn;

type Graph<'a> = limbeck_onnx::Graph<'a, Error>;

/// The format's name in errors.
pub(super) const FORMAT: &str = "ONNX";
const FLOAT: i64 = ElementType::F32 as i64;
const INT64: i64 = ElementType::I64 as i64;
/// Subtracted from the sums of padding: larger than any sum, and finite in f32.
const PADDING: f32 = 1e30;
/// A shorter output vector isn't scaled to length 1.
const SHORTEST: f32 = 1e-12;

/// Writes the student to the ONNX file `to`, whole or not at all. The same student gives the same bytes.
///
/// In int8 the table has a scale for each row, with balanced channels (see `channel_factors`), and every matrix has a
/// scale for each output. The skip stays in f32, since it is small and short texts depend on it most. All arithmetic is
/// in f32.
///
/// # Errors
/// A file that can't be written or would exceed protobuf's 2 GB; a precision other than f32 and int8; a student with a
/// lexical half.
pub fn write_onnx(student: &StudentFolder, precision: Precision, to: &Path) -> Result<()> {
    refuse_lexical(student, FORMAT)?;
    Error::require(precision != Precision::F16, "the precision of an ONNX file", precision.name(), "f32 or int8")?;
    let graph = graph(&student.model, precision)?;
    let config = &student.model.config;
    let max_tokens = config.max_tokens.map_or("none".to_owned(), |tokens| tokens.to_string());
    let metadata = [
        ("limbeck.special_tokens", "none".to_owned()),
        ("limbeck.max_tokens", max_tokens),
        ("limbeck.dimension", config.dimension.to_string()),
        ("limbeck.precision", precision.name().to_owned()),
        ("limbeck.student", student.origin.to_string()),
    ];
    graph.write(&metadata, to)
}

/// A student that is becoming a graph. B is the batch, L its length plus one, d the embedding's width, F filters, H
/// heads.
struct GraphParts<'a> {
    model: &'a TextCnn,
    /// f32 or int8.
    precision: Precision,
    /// 1 for a token, 0 for padding: [B, 1, L].
    mask: Value,
    /// 0 for a token, −[`PADDING`] for padding: [B, 1, L].
    penalty: Value,
    /// Zero at padding: [B, L, d].
    embeddings: Value,
    /// The same as [B, d, L].
    channels: Value,
}

fn graph(model: &TextCnn, precision: Precision) -> Result<Graph<'_>> {
    let config = &model.config;
    let mut graph = Graph::new("limbeck-student");
    let batch = ["batch", "length"];
    let ids = graph.input("input_ids", ElementType::I64, &batch);
    let mask = graph.input("attention_mask", ElementType::I64, &batch);

    graph.scope("empty");
    let (ids, mask) = with_empty_token(&mut graph, config, &ids, &mask);
    let by_channel = graph.ints(&[1]);
    let row = graph.node("Unsqueeze", &[&mask, &by_channel], &[]); // [B, 1, L]
    let (one, padding) = (graph.float(1.0), graph.float(PADDING));
    let penalty = graph.node("Sub", &[&row, &one], &[]);
    let penalty = graph.node("Mul", &[&penalty, &padding], &[]);

    graph.scope("embeddings");
    let looked_up = lookup(&mut graph, model, precision, &ids)?;
    let last = graph.ints(&[2]);
    let column = graph.node("Unsqueeze", &[&mask, &last], &[]); // [B, L, 1]
    let embeddings = graph.node("Mul", &[&looked_up, &column], &[]);
    let channels = graph.node("Transpose", &[&embeddings], &[Attribute::Ints("perm", &[0, 2, 1])]);
    let parts = GraphParts { model, precision, mask: row, penalty, embeddings, channels };

    let mut outputs = Vec::with_capacity(3);
    if !config.convolutions.is_empty() {
        outputs.push(parts.max_pooled(&mut graph)?);
    }
    if config.attention.is_some() {
        outputs.push(parts.attended(&mut graph)?);
    }
    if config.skip {
        outputs.push(parts.skip(&mut graph)?);
    }

    graph.scope("output");
    let sum = outputs.into_iter().reduce(|sum, part| graph.node("Add", &[&sum, &part], &[]));
    let empty = || Error::setting("the student", "empty", "given convolutions, attention or the skip");
    let sum = sum.ok_or_else(empty)?;
    let length = graph.node("ReduceL2", &[&sum], &[Attribute::Ints("axes", &[1])]);
    let shortest = graph.float(SHORTEST);
    let length = graph.node("Max", &[&length, &shortest], &[]);
    let embedding = graph.named("sentence_embedding", "Div", &[&sum, &length], &[]);
    graph.output(&embedding, &["batch", &config.dimension.to_string()]);
    Ok(graph)
}

/// Appends a position to `ids` and `mask` [B, length]: the empty token where a text has no token. The returned mask is
/// f32.
fn with_empty_token(graph: &mut Graph, config: &StudentConfig, ids: &Value, mask: &Value) -> (Value, Value) {
    let axis = graph.ints(&[1]);
    let count = graph.node("ReduceSum", &[mask, &axis], &[]); // [B, 1]
    let zero = graph.index(0);
    let none = graph.node("Equal", &[&count, &zero], &[]);
    let none = graph.node("Cast", &[&none], &[Attribute::Int("to", INT64)]);
    let empty = graph.index(i64::from(config.empty_token()));
    let token = graph.node("Mul", &[&none, &empty], &[]);
    let along = [Attribute::Int("axis", 1)];
    let ids = graph.node("Concat", &[ids, &token], &along);
    let mask = graph.node("Concat", &[mask, &none], &along);
    (ids, graph.node("Cast", &[&mask], &[Attribute::Int("to", FLOAT)]))
}

/// The rows of the table for `ids`: [B, L] → [B, L, d].
fn lookup<'a>(graph: &mut Graph<'a>, model: &'a TextCnn, precision: Precision, ids: &Value) -> Result<Value> {
    let (rows, width) = (model.config.vocabulary, model.config.embedding);
    let table = model.table.values();
    let name = "embedding.weight";
    if precision == Precision::F32 {
        let table = graph.tensor(name, ElementType::F32, &[rows, width], move |to| write_f32(to, table));
        return Ok(graph.node("Gather", &[&table, ids], &[]));
    }
    let factors = channel_factors(model)?;
    let balanced: Vec<f32> =
        table.chunks_exact(width).flat_map(|row| row.iter().zip(&factors).map(|(x, f)| x / f)).collect();
    let scales = row_scales(&balanced, width, row_scale);
    let scale = graph.floats(&format!("{name}.scale"), &[rows, 1], scales.clone());
    let factors = graph.floats(&format!("{name}.channels"), &[width], factors);
    let whole =
        graph.tensor(name, ElementType::I8, &[rows, width], move |to| Ok(write_rows(to, &balanced, width, &scales)?));
    let whole = graph.node("Gather", &[&whole, ids], &[]);
    let whole = graph.node("Cast", &[&whole], &[Attribute::Int("to", FLOAT)]);
    let scale = graph.node("Gather", &[&scale, ids], &[]);
    let rows = graph.node("Mul", &[&whole, &scale], &[]);
    Ok(graph.node("Mul", &[&rows, &factors], &[]))
}

impl<'a> GraphParts<'a> {
    /// A parameter of `shape`, whose first dimension is the outputs. In int8 its value is a product, which ONNX Runtime
    /// computes once when it loads the model.
    fn weight(&self, graph: &mut Graph<'a>, name: &str, shape: &[usize]) -> Result<Value> {
        let values = self.model.dense.values(name)?;
        // Biases, the skip and a matrix of zeros stay in f32.
        if self.precision == Precision::F32 || shape.len() == 1 || name == "skip.weight" || largest(&values) == 0.0 {
            return Ok(graph.floats(name, shape, values));
        }
        let width = values.len() / shape[0].max(1);
        let scales = row_scales(&values, width, row_scale);
        let mut scale_shape = vec![1; shape.len()];
        scale_shape[0] = shape[0];
        let scale = graph.floats(&format!("{name}.scale"), &scale_shape, scales.clone());
        let whole = graph.tensor(name, ElementType::I8, shape, move |to| Ok(write_rows(to, &values, width, &scales)?));
        let whole = graph.node("Cast", &[&whole], &[Attribute::Int("to", FLOAT)]);
        Ok(graph.node("Mul", &[&whole, &scale], &[]))
    }

    /// "Same" convolution of `filters` filters: [B, d, L] → [B, F, L].
    fn convolve(&self, graph: &mut Graph<'a>, name: &str, filters: usize, width: usize) -> Result<Value> {
        let weight = self.weight(graph, &format!("{name}.weight"), &[filters, self.model.config.embedding, width])?;
        let bias = self.weight(graph, &format!("{name}.bias"), &[filters])?;
        let half = (width / 2) as i64;
        Ok(graph.node("Conv", &[&self.channels, &weight, &bias], &[Attribute::Ints("pads", &[half, half])]))
    }

    /// linear(max over positions of relu(convolution)): [B, dimension].
    fn max_pooled(&self, graph: &mut Graph<'a>) -> Result<Value> {
        let config = &self.model.config;
        let mut banks = Vec::with_capacity(config.convolutions.len());
        for bank in &config.convolutions {
            graph.scope(&format!("convolution.{}", bank.width));
            let sums = self.convolve(graph, &format!("conv{}", bank.width), bank.filters, bank.width)?;
            let sums = graph.node("Add", &[&sums, &self.penalty], &[]);
            let axes = [Attribute::Ints("axes", &[2]), Attribute::Int("keepdims", 0)];
            let greatest = graph.node("ReduceMax", &[&sums], &axes); // [B, F]
            banks.push(graph.node("Relu", &[&greatest], &[]));
        }
        graph.scope("max_pooled");
        let banks: Vec<&Value> = banks.iter().collect();
        let features = match banks[..] {
            [bank] => bank.clone(),
            _ => graph.node("Concat", &banks, &[Attribute::Int("axis", 1)]),
        };
        let weight = self.weight(graph, "linear.weight", &[config.dimension, config.filters()])?;
        let bias = self.weight(graph, "linear.bias", &[config.dimension])?;
        Ok(graph.node("Gemm", &[&features, &weight, &bias], &[Attribute::Int("transB", 1)]))
    }

    /// heads · (Σ over positions of softmax(score) · values), one head after another: [B, dimension].
    fn attended(&self, graph: &mut Graph<'a>) -> Result<Value> {
        graph.scope("attention");
        let config = &self.model.config;
        let attention = config.attention.unwrap_or_default();
        let (heads, filters) = (attention.heads, attention.filters);
        let features = self.convolve(graph, "score_conv", filters, attention.width)?;
        let features = graph.node("Relu", &[&features], &[]);
        let score = self.weight(graph, "score.weight", &[heads, filters])?;
        let scores = graph.node("MatMul", &[&score, &features], &[]); // [B, H, L]
        let bias = graph.floats("score.bias", &[heads, 1], self.model.dense.values("score.bias")?);
        let scores = graph.node("Add", &[&scores, &bias], &[]);
        let scores = graph.node("Add", &[&scores, &self.penalty], &[]);
        let shares = graph.node("Softmax", &[&scores], &[Attribute::Int("axis", -1)]);
        let attended = match attention.values {
            None => graph.node("MatMul", &[&shares, &self.embeddings], &[]), // [B, H, d]
            Some(values) => self.attend_own_values(graph, &shares, heads, values)?,
        };
        let flat = graph.ints(&[0, config.attended() as i64]);
        let attended = graph.node("Reshape", &[&attended, &flat], &[]);
        let weight = self.weight(graph, "heads.weight", &[config.dimension, config.attended()])?;
        Ok(graph.node("Gemm", &[&attended, &weight], &[Attribute::Int("transB", 1)]))
    }

    /// The sum of each head's own values, weighted by its `shares` [B, H, L]: [B, H, values, 1].
    fn attend_own_values(&self, graph: &mut Graph<'a>, shares: &Value, heads: usize, values: usize) -> Result<Value> {
        let d = self.model.config.embedding;
        let weight = self.weight(graph, "value.weight", &[heads * values, d])?;
        let all = graph.node("MatMul", &[&weight, &self.channels], &[]); // [B, H · values, L]
        let by_head = graph.ints(&[0, heads as i64, values as i64, -1]);
        let all = graph.node("Reshape", &[&all, &by_head], &[]);
        let last = graph.ints(&[3]);
        let shares = graph.node("Unsqueeze", &[shares, &last], &[]); // [B, H, L, 1]
        Ok(graph.node("MatMul", &[&all, &shares], &[])) // [B, H, values, 1]
    }

    /// skip · (mean of E over positions): [B, dimension].
    fn skip(&self, graph: &mut Graph<'a>) -> Result<Value> {
        graph.scope("skip");
        let config = &self.model.config;
        let (axis, middle) = (graph.ints(&[2]), graph.ints(&[1]));
        let count = graph.node("ReduceSum", &[&self.mask, &axis], &[]); // [B, 1, 1], at least 1
        let shares = graph.node("Div", &[&self.mask, &count], &[]);
        let mean = graph.node("MatMul", &[&shares, &self.embeddings], &[]); // [B, 1, d]
        let mean = graph.node("Squeeze", &[&mean, &middle], &[]);
        let weight = self.weight(graph, "skip.weight", &[config.dimension, config.embedding])?;
        Ok(graph.node("Gemm", &[&mean, &weight], &[Attribute::Int("transB", 1)]))
    }
}
