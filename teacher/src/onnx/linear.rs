//! Dense layers and embedding tables in the graph, in f32 or int8.

use limbeck_encoder::Precision;
use limbeck_onnx::int8::{quantised_rows, row_scale, row_scales, write_rows};
use limbeck_onnx::{Attribute, ElementType, FillError, Value, write_f32};

use super::TeacherGraph;
use crate::{Result, Weights};

/// The largest sum of two weights' magnitudes among four that a processor may multiply together. Without VNNI, x86
/// multiplies u8 activations by i8 weights in pairs whose sum saturates at 16 bits (`vpmaddubsw`). 255·(127 + 1)
/// doesn't saturate; the 1 is for rounding. So every processor gives the same vectors, and ONNX Runtime's fast kernels,
/// which want signed weights, can be used.
const MAX_PAIR: f32 = 127.0;
/// `TensorProto.DataType.FLOAT`, for `Cast`.
pub(super) const FLOAT: i64 = ElementType::F32 as i64;

/// A graph that the layers of one model are added to.
pub(super) struct LayerBuilder<'a> {
    pub graph: TeacherGraph<'a>,
    pub weights: &'a Weights,
    /// Int8 or f32, for the weights of dense layers and the inputs of such layers.
    pub precision: Precision,
}

/// The input of dense layers. In int8 it is quantised once for all layers that read it, and its channels are divided by
/// factors that the layers' weights are multiplied by.
pub(super) enum Operand {
    F32(Value),
    Int8 { quantised: Value, scale: Value, zero_point: Value, factors: Option<Vec<f32>> },
}

impl<'a> LayerBuilder<'a> {
    /// Makes `x` [tokens, channels] ready for [`LayerBuilder::dense`]; `factors` [channels] are for int8 (see
    /// `smoothing`).
    pub(super) fn operand(&mut self, x: &Value, factors: Option<&[f32]>) -> Operand {
        let Self { graph, precision: Precision::Int8, .. } = self else { return Operand::F32(x.clone()) };
        let factors = factors.filter(|factors| factors.iter().any(|&factor| factor != 1.0)).map(<[f32]>::to_vec);
        let smooth = factors.as_ref().map(|factors| {
            let inverse = graph.unnamed_floats(factors.iter().map(|factor| factor.recip()).collect());
            graph.node("Mul", &[x, &inverse], &[])
        });
        let [quantised, scale, zero_point] = graph.node3("DynamicQuantizeLinear", &[smooth.as_ref().unwrap_or(x)]);
        Operand::Int8 { quantised, scale, zero_point, factors }
    }

    /// factor·(x·Wᵀ + b), [tokens, inputs] → [tokens, outputs], with W = `{name}.weight` of the shape [outputs, inputs]
    /// and b = `{name}.bias`.
    ///
    /// ONNX Runtime fuses the chain of int8 operators to one: MatMulInteger, Cast, Mul by both scales, Add.
    pub(super) fn dense(&mut self, x: &Operand, name: &str, shape: [usize; 2], factor: f32) -> Result<Value> {
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        let (graph, weights, [outputs, inputs]) = (&mut self.graph, self.weights, shape);
        let mut bias_values = weights.f32(&bias, &[outputs])?;
        bias_values.iter_mut().for_each(|value| *value *= factor);
        let bias = graph.floats(&bias, &[outputs], bias_values);
        let columns = match x {
            Operand::Int8 { factors: Some(factors), .. } => factors.iter().map(|column| column * factor).collect(),
            _ => vec![factor; inputs],
        };
        let stored = weight.clone();
        let load = move || -> Result<Vec<f32>> {
            let mut values = weights.f32(&stored, &shape)?;
            for row in values.chunks_exact_mut(inputs) {
                row.iter_mut().zip(&columns).for_each(|(value, column)| *value *= column);
            }
            Ok(values)
        };
        match x {
            Operand::F32(x) => {
                weights.check(&weight, &shape)?;
                let matrix = graph.tensor(&weight, ElementType::F32, &shape, move |to| {
                    write_f32(to, &load().map_err(FillError::source)?)
                });
                Ok(graph.node("Gemm", &[x, &matrix, &bias], &[Attribute::Int("transB", 1)]))
            }
            Operand::Int8 { quantised, scale, zero_point, .. } => {
                let scales = row_scales(&load()?, inputs, weight_scale);
                let scale_of_rows = graph.floats(&format!("{weight}.scale"), &[outputs], scales.clone());
                let matrix = graph.tensor(&weight, ElementType::I8, &[inputs, outputs], move |to| {
                    let rows = quantised_rows(&load().map_err(FillError::source)?, inputs, &scales);
                    Ok(to.write_all(bytemuck::cast_slice(&transposed(&rows, inputs)))?)
                });
                let whole = graph.node("MatMulInteger", &[quantised, &matrix, zero_point], &[]);
                let whole = graph.node("Cast", &[&whole], &[Attribute::Int("to", FLOAT)]);
                let both = graph.node("Mul", &[scale, &scale_of_rows], &[]);
                let product = graph.node("Mul", &[&whole, &both], &[]);
                Ok(graph.node("Add", &[&product, &bias], &[]))
            }
        }
    }

    /// Rows of the table `name` [rows, width], one for each of `ids`: [..] → [.., width].
    pub(super) fn lookup(
        &mut self,
        ids: &Value,
        name: &'static str,
        shape: [usize; 2],
        precision: Precision,
    ) -> Result<Value> {
        let (graph, weights) = (&mut self.graph, self.weights);
        weights.check(name, &shape)?;
        let [rows, width] = shape;
        // The table may be hundreds of megabytes, so it is read in pieces.
        let pieces = move || (0..rows).step_by(4096).map(move |start| start..rows.min(start + 4096));
        if precision == Precision::F32 {
            let table = graph.tensor(name, ElementType::F32, &shape, move |to| {
                let load = |piece| weights.f32_rows(name, shape, piece).map_err(FillError::source);
                pieces().try_for_each(|piece| write_f32(to, &load(piece)?))
            });
            return Ok(graph.node("Gather", &[&table, ids], &[]));
        }
        let scales_of = |piece| Ok(row_scales(&weights.f32_rows(name, shape, piece)?, width, row_scale));
        let scales = pieces().map(scales_of).collect::<Result<Vec<_>>>()?.concat();
        let scale_of_rows = graph.floats(&format!("{name}.scale"), &[rows, 1], scales.clone());
        let table = graph.tensor(name, ElementType::I8, &shape, move |to| {
            pieces().try_for_each(|piece| {
                let values = weights.f32_rows(name, shape, piece.clone()).map_err(FillError::source)?;
                Ok(write_rows(to, &values, width, &scales[piece])?)
            })
        });
        let whole = graph.node("Gather", &[&table, ids], &[]);
        let whole = graph.node("Cast", &[&whole], &[Attribute::Int("to", FLOAT)]);
        let scale = graph.node("Gather", &[&scale_of_rows, ids], &[]);
        Ok(graph.node("Mul", &[&whole, &scale], &[]))
    }
}

/// [`row_scale`], or a larger scale where two of four neighbours would have magnitudes of more than [`MAX_PAIR`]
/// together.
fn weight_scale(row: &[f32]) -> f32 {
    let pair = |four: &[f32]| {
        let mut two = [0.0_f32; 2];
        for value in four {
            let value = value.abs();
            two = if value > two[0] { [value, two[0]] } else { [two[0], two[1].max(value)] };
        }
        two[0] + two[1]
    };
    row_scale(row).max(row.chunks(4).map(pair).fold(0.0, f32::max) / MAX_PAIR)
}

/// [rows, width] → [width, rows].
fn transposed<T: Copy>(values: &[T], width: usize) -> Vec<T> {
    let columns = 0..width;
    columns.flat_map(|column| values.iter().skip(column).step_by(width).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_of_four_weights_can_saturate_sixteen_bits() {
        let row: Vec<f32> = (0..400).map(|i| ((i * 7919) % 1000) as f32 / 500.0 - 1.0).collect();
        let scales = row_scales(&row, 400, weight_scale);
        let whole = quantised_rows(&row, 400, &scales);
        for four in whole.chunks(4) {
            for (i, a) in four.iter().enumerate() {
                let sums = four[i + 1..].iter().map(|b| 255 * (i32::from(*a).abs() + i32::from(*b).abs()));
                assert!(sums.max().unwrap_or(0) <= i32::from(i16::MAX));
            }
        }
        // A large weight among small ones keeps its seven bits.
        assert_eq!(weight_scale(&[1.0, 0.0, 0.0, 0.0, 0.5, 0.5]), 1.0 / 127.0);
        assert_eq!(weight_scale(&[1.0, 0.0, -1.0, 0.0]), 2.0 / 127.0);
    }

    #[test]
    fn a_transposed_matrix_has_its_rows_as_columns() {
        assert_eq!(transposed(&[1, 2, 3, 4, 5, 6], 3), [1, 4, 2, 5, 3, 6]);
    }
}
