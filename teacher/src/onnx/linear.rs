//! Dense layers and embedding tables in the graph, in f32 or int8.

use super::OnnxPrecision;
use super::graph::{Attribute, Graph, Kind, Value, write_f32};
use crate::{Result, Weights};

/// The largest magnitude of an int8 weight. 63 and not 127: processors without VNNI multiply u8 by i8 in pairs whose sum
/// saturates at 16 bits (`vpmaddubsw`), which 255·63·2 doesn't reach. So every processor gives the same vectors.
const MAX_WEIGHT: f32 = 63.0;
/// The largest magnitude of an embedding's number in int8; no such product is made of it.
const MAX_EMBEDDING: f32 = 127.0;
/// `TensorProto.DataType.FLOAT`, for `Cast`.
pub const FLOAT: i64 = Kind::F32 as i64;

/// Turns layers of one model into nodes.
#[derive(Clone, Copy)]
pub struct Layers<'a> {
    pub weights: &'a Weights,
    pub precision: OnnxPrecision,
}

/// A dense layer's tensors: `{name}.weight` [outputs, inputs] and `{name}.bias` [outputs].
pub struct Dense<'n> {
    pub name: &'n str,
    pub inputs: usize,
    pub outputs: usize,
    /// What weight and bias are multiplied by.
    pub factor: f32,
}

/// What dense layers read: in int8 quantised once for all of them.
pub enum Operand {
    F32(Value),
    Int8 { quantised: Value, scale: Value, zero_point: Value },
}

impl<'a> Layers<'a> {
    /// Makes `x` ready for [`Layers::dense`].
    pub fn operand(self, graph: &mut Graph<'a>, x: Value) -> Operand {
        match self.precision {
            OnnxPrecision::F32 => Operand::F32(x),
            OnnxPrecision::Int8 => {
                let [quantised, scale, zero_point] = graph.node3("DynamicQuantizeLinear", &[&x]);
                Operand::Int8 { quantised, scale, zero_point }
            }
        }
    }

    /// x·Wᵀ + b, [.., inputs] → [.., outputs].
    ///
    /// The chain of operators in int8 is what ONNX Runtime fuses to one: MatMulInteger, Cast, Mul by both scales, Add.
    pub fn dense(self, graph: &mut Graph<'a>, x: &Operand, layer: &Dense) -> Result<Value> {
        let &Dense { name, inputs, outputs, factor } = layer;
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        let scaled = move |mut values: Vec<f32>| {
            if factor != 1.0 {
                values.iter_mut().for_each(|value| *value *= factor);
            }
            values
        };
        let weights = self.weights;
        let shape = [outputs, inputs];
        let bias_values = scaled(weights.f32(&bias, &[outputs])?);
        let bias = graph.floats(&bias, &[outputs], bias_values);
        let product = match x {
            Operand::F32(x) => {
                weights.check(&weight, &shape)?;
                let stored = weight.clone();
                let matrix = graph.tensor(&weight, Kind::F32, &[inputs, outputs], move |to| {
                    let values = scaled(weights.f32(&stored, &shape)?);
                    write_f32(to, &transposed(&values, inputs))
                });
                graph.node("MatMul", &[x, &matrix], &[])
            }
            Operand::Int8 { quantised, scale, zero_point } => {
                let scales = row_scales(&scaled(weights.f32(&weight, &shape)?), inputs, MAX_WEIGHT);
                let stored = weight.clone();
                let row_scale = graph.floats(&format!("{weight}.scale"), &[outputs], scales.clone());
                let matrix = graph.tensor(&weight, Kind::I8, &[inputs, outputs], move |to| {
                    let values = scaled(weights.f32(&stored, &shape)?);
                    let rows = quantised_rows(&values, inputs, &scales, MAX_WEIGHT);
                    Ok(to.write_all(as_bytes(&transposed(&rows, inputs)))?)
                });
                let whole = graph.node("MatMulInteger", &[quantised, &matrix, zero_point], &[]);
                let whole = graph.node("Cast", &[&whole], &[Attribute::Int("to", FLOAT)]);
                let both = graph.node("Mul", &[scale, &row_scale], &[]);
                graph.node("Mul", &[&whole, &both], &[])
            }
        };
        Ok(graph.node("Add", &[&product, &bias], &[]))
    }

    /// Rows of the table `name` [rows, width], one for each of `ids`: [..] → [.., width].
    pub fn lookup(self, graph: &mut Graph<'a>, ids: &Value, name: &'a str, shape: [usize; 2]) -> Result<Value> {
        let weights = self.weights;
        weights.check(name, &shape)?;
        let [rows, width] = shape;
        // The table may be hundreds of megabytes: in pieces.
        let pieces = move || (0..rows).step_by(4096).map(move |start| start..rows.min(start + 4096));
        match self.precision {
            OnnxPrecision::F32 => {
                let table = graph.tensor(name, Kind::F32, &shape, move |to| {
                    pieces().try_for_each(|piece| write_f32(to, &weights.f32_rows(name, shape, piece)?))
                });
                Ok(graph.node("Gather", &[&table, ids], &[]))
            }
            OnnxPrecision::Int8 => {
                let mut scales = Vec::with_capacity(rows);
                for piece in pieces() {
                    scales.extend(row_scales(&weights.f32_rows(name, shape, piece)?, width, MAX_EMBEDDING));
                }
                let row_scale = graph.floats(&format!("{name}.scale"), &[rows, 1], scales.clone());
                let table = graph.tensor(name, Kind::I8, &shape, move |to| {
                    pieces().try_for_each(|piece| {
                        let values = weights.f32_rows(name, shape, piece.clone())?;
                        let rows = quantised_rows(&values, width, &scales[piece], MAX_EMBEDDING);
                        Ok(to.write_all(as_bytes(&rows))?)
                    })
                });
                let whole = graph.node("Gather", &[&table, ids], &[]);
                let whole = graph.node("Cast", &[&whole], &[Attribute::Int("to", FLOAT)]);
                let scale = graph.node("Gather", &[&row_scale, ids], &[]);
                Ok(graph.node("Mul", &[&whole, &scale], &[]))
            }
        }
    }
}

/// One scale a row, so that the row's largest magnitude becomes `max`; 1 for a row of zeros.
fn row_scales(values: &[f32], width: usize, max: f32) -> Vec<f32> {
    let scale = |row: &[f32]| match row.iter().fold(0.0_f32, |largest, value| largest.max(value.abs())) {
        0.0 => 1.0,
        largest => largest / max,
    };
    values.chunks_exact(width).map(scale).collect()
}

fn quantised_rows(values: &[f32], width: usize, scales: &[f32], max: f32) -> Vec<i8> {
    let rows = values.chunks_exact(width).zip(scales);
    rows.flat_map(|(row, scale)| row.iter().map(move |value| (value / scale).round().clamp(-max, max) as i8)).collect()
}

/// [rows, width] → [width, rows].
fn transposed<T: Copy>(values: &[T], width: usize) -> Vec<T> {
    let columns = 0..width;
    columns.flat_map(|column| values.iter().skip(column).step_by(width).copied()).collect()
}

fn as_bytes(values: &[i8]) -> &[u8] {
    bytemuck::cast_slice(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rows_largest_number_meets_the_largest_whole_one() {
        let values = [0.5, -2.0, 1.0, 0.0, 0.0, 0.0];
        let scales = row_scales(&values, 3, 63.0);
        assert_eq!(scales, [2.0 / 63.0, 1.0]);
        assert_eq!(quantised_rows(&values, 3, &scales, 63.0), [16, -63, 32, 0, 0, 0]);
    }

    #[test]
    fn a_transposed_matrix_has_its_rows_as_columns() {
        assert_eq!(transposed(&[1, 2, 3, 4, 5, 6], 3), [1, 4, 2, 5, 3, 6]);
    }
}
