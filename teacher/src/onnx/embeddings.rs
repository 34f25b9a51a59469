//! The sum of the embeddings, and MPNet's bias on attention scores, as nodes of a graph.

use limbeck_encoder::Precision;
use limbeck_onnx::{Attribute, ElementType, Value};

use super::linear::LayerBuilder;
use crate::relative::{FARTHEST, bucket};
use crate::{BertConfig, Result};

const POSITIONS: &str = "embeddings.position_embeddings.weight";
const TYPES: &str = "embeddings.token_type_embeddings.weight";
const RELATIVE: &str = "encoder.relative_attention_bias.weight";
/// `TensorProto.DataType.INT64`, for `Cast`.
const INT64: i64 = ElementType::I64 as i64;

/// The sum of the embeddings of word, position and type: [B, L] → [B, L, H]. Without an input of types, each token is
/// of type 0.
pub(super) fn summed(
    layers: &mut LayerBuilder,
    config: &BertConfig,
    ids: &Value,
    types: Option<&Value>,
) -> Result<Value> {
    let &BertConfig { vocab_size, hidden_size, position_rows, type_vocab_size, .. } = config;
    let precision = layers.precision;
    let mut sum = layers.lookup(ids, "embeddings.word_embeddings.weight", [vocab_size, hidden_size], precision)?;
    if let Some(types) = types {
        let types = layers.lookup(types, TYPES, [type_vocab_size, hidden_size], Precision::F32)?;
        sum = layers.graph.node("Add", &[&sum, &types], &[]);
    }
    let mut table = layers.weights.f32(POSITIONS, &[position_rows, hidden_size])?;
    if types.is_none() && type_vocab_size > 0 {
        let kinds = layers.weights.f32(TYPES, &[type_vocab_size, hidden_size])?;
        for row in table.chunks_exact_mut(hidden_size) {
            row.iter_mut().zip(&kinds).for_each(|(position, kind)| *position += kind);
        }
    }
    let graph = &mut layers.graph;
    let table = graph.floats(POSITIONS, &[position_rows, hidden_size], table);
    let positions = match config.position_padding {
        None => {
            let start = graph.ints(&[0]);
            let length = graph.node("Shape", &[ids], &[Attribute::Int("start", 1), Attribute::Int("end", 2)]);
            graph.node("Slice", &[&table, &start, &length, &start], &[]) // [L, H]
        }
        // The count of tokens so far, without those of the padding's id, whose position is that id.
        Some(padding) => {
            let (padding, axis) = (graph.index(padding.into()), graph.index(1));
            let is_padding = graph.node("Equal", &[ids, &padding], &[]);
            let counts = graph.node("Not", &[&is_padding], &[]);
            let counts = graph.node("Cast", &[&counts], &[Attribute::Int("to", INT64)]);
            let counted = graph.node("CumSum", &[&counts, &axis], &[]);
            let counted = graph.node("Mul", &[&counted, &counts], &[]);
            let positions = graph.node("Add", &[&counted, &padding], &[]);
            graph.node("Gather", &[&table, &positions], &[]) // [B, L, H]
        }
    };
    Ok(graph.node("Add", &[&sum, &positions], &[]))
}

/// MPNet's bias between all positions of the batch's texts: [B, L] → [1, n, L, L].
pub(super) fn relative_bias(layers: &mut LayerBuilder, config: &BertConfig, ids: &Value) -> Result<Value> {
    let heads = config.num_attention_heads;
    let table = layers.weights.f32(RELATIVE, &[config.relative_rows, heads])?;
    // The bias by distance, so that no bucket has to be found in the graph: [n, 2·FARTHEST + 1].
    let distances = -FARTHEST..=FARTHEST;
    let of_head = |head| distances.clone().map(move |distance| (head, bucket(distance) as usize));
    let values = (0..heads).flat_map(of_head).map(|(head, bucket)| table[bucket * heads + head]).collect();
    let graph = &mut layers.graph;
    let bias = graph.floats(RELATIVE, &[heads, 2 * FARTHEST as usize + 1], values);
    let length = graph.node("Shape", &[ids], &[Attribute::Int("start", 1), Attribute::Int("end", 2)]);
    let one_dimension = graph.ints(&[0]);
    let length = graph.node("Squeeze", &[&length, &one_dimension], &[]);
    let (zero, one) = (graph.index(0), graph.index(1));
    let places = graph.node("Range", &[&zero, &length, &one], &[]); // [L]
    let (first, second) = (graph.ints(&[0]), graph.ints(&[1]));
    let keys = graph.node("Unsqueeze", &[&places, &first], &[]);
    let queries = graph.node("Unsqueeze", &[&places, &second], &[]);
    let distances = graph.node("Sub", &[&keys, &queries], &[]); // [L, L]
    let (nearest, farthest) = (graph.index(-FARTHEST), graph.index(FARTHEST));
    let distances = graph.node("Max", &[&distances, &nearest], &[]);
    let distances = graph.node("Min", &[&distances, &farthest], &[]);
    let at = graph.node("Add", &[&distances, &farthest], &[]);
    let bias = graph.node("Gather", &[&bias, &at], &[Attribute::Int("axis", 1)]); // [n, L, L]
    Ok(graph.node("Unsqueeze", &[&bias, &first], &[]))
}
