//! The layers of a head that have weights.

use std::path::{Path, PathBuf};

use super::HeadActivation;
use crate::{Error, Result};

/// activation(W·x + b), and x, or another matrix's product with it, added where the layer is residual.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseLayer {
    /// The folder of the layer, for errors.
    path: PathBuf,
    /// `[width, inputs]`
    weight: Vec<f32>,
    /// `[width]`; zeros where the layer has none.
    bias: Vec<f32>,
    inputs: usize,
    activation: HeadActivation,
    residual: Residual,
}

/// What is added to the output of a dense layer.
#[derive(Debug, Clone, PartialEq)]
pub enum Residual {
    /// Nothing.
    None,
    /// The input.
    Input,
    /// The product of this matrix, `[width, inputs]`, with the input.
    Projected(Vec<f32>),
}

impl DenseLayer {
    /// A layer without a bias: `weight` is `[width, inputs]`, row by row, and `inputs` at least 1. `path` names the
    /// layer in errors.
    pub fn new(path: PathBuf, weight: Vec<f32>, inputs: usize, activation: HeadActivation) -> Self {
        let bias = vec![0.0; weight.len() / inputs];
        Self { path, weight, bias, inputs, activation, residual: Residual::None }
    }

    /// The layer with `bias`, one value a row of the weight.
    #[must_use]
    pub fn with_bias(self, bias: Vec<f32>) -> Self {
        Self { bias, ..self }
    }

    /// The layer with `residual` added to its output. For [`Residual::Input`] both have to be equally wide.
    #[must_use]
    pub fn with_residual(self, residual: Residual) -> Self {
        Self { residual, ..self }
    }

    /// The width of its output.
    pub fn width(&self) -> usize {
        self.bias.len()
    }

    /// The width of its input.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Its activation.
    pub fn activation(&self) -> HeadActivation {
        self.activation
    }

    /// What is added to its output.
    pub fn residual(&self) -> &Residual {
        &self.residual
    }

    /// The weight, `[width, inputs]`, and the bias, `[width]`.
    pub fn values(&self) -> (&[f32], &[f32]) {
        (&self.weight, &self.bias)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let projection: &[f32] = if let Residual::Projected(matrix) = &self.residual { matrix } else { &[] };
        bytes_of(&[&self.weight, &self.bias, projection])
    }

    /// The width of the output for an input of `width`.
    pub(super) fn check_input(&self, width: usize) -> Result<usize> {
        check_width(&self.path, self.inputs, width)?;
        Ok(self.width())
    }

    /// The outputs for inputs of `inputs` values each.
    pub(super) fn apply(&self, vectors: &[f32], inputs: usize) -> Vec<f32> {
        let mut outputs = Vec::with_capacity(vectors.len() / inputs.max(1) * self.width());
        for vector in vectors.chunks_exact(inputs) {
            for (place, (row, bias)) in self.weight.chunks_exact(inputs).zip(&self.bias).enumerate() {
                let added = match &self.residual {
                    Residual::None => 0.0,
                    Residual::Input => vector[place],
                    Residual::Projected(matrix) => product(&matrix[place * inputs..(place + 1) * inputs], vector),
                };
                outputs.push(self.activation.at(product(row, vector) + bias) + added);
            }
        }
        outputs
    }
}

/// LayerNorm over a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNorm {
    /// The folder of the layer, for errors.
    path: PathBuf,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl LayerNorm {
    /// PyTorch's default.
    pub(crate) const EPSILON: f32 = 1e-5;

    /// A LayerNorm with these weights, equally many. `path` names the layer in errors.
    pub fn new(path: PathBuf, weight: Vec<f32>, bias: Vec<f32>) -> Self {
        Self { path, weight, bias }
    }

    /// The weight and the bias.
    pub fn values(&self) -> (&[f32], &[f32]) {
        (&self.weight, &self.bias)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        bytes_of(&[&self.weight, &self.bias])
    }

    pub(super) fn check_input(&self, width: usize) -> Result<usize> {
        check_width(&self.path, self.weight.len(), width)?;
        Ok(width)
    }

    pub(super) fn apply(&self, vector: &mut [f32]) {
        let count = vector.len() as f32;
        let mean = vector.iter().sum::<f32>() / count;
        let variance = vector.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count;
        let scale = 1.0 / (variance + Self::EPSILON).sqrt();
        for (value, (weight, bias)) in vector.iter_mut().zip(self.weight.iter().zip(&self.bias)) {
            *value = (*value - mean) * scale * weight + bias;
        }
    }
}

fn product(row: &[f32], vector: &[f32]) -> f32 {
    row.iter().zip(vector).map(|(weight, value)| weight * value).sum()
}

fn bytes_of(parts: &[&[f32]]) -> Vec<u8> {
    parts.iter().flat_map(|values| values.iter().flat_map(|value| value.to_le_bytes())).collect()
}

fn check_width(path: &Path, expected: usize, found: usize) -> Result<()> {
    match expected == found {
        true => Ok(()),
        false => Err(Error::HeadWidth { path: path.to_owned(), expected, found }),
    }
}
