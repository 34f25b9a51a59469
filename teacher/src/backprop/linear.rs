//! A dense layer, x·Wᵀ + b with W `[outputs, inputs]`.

use super::matrix::{Matrix, MatrixMut};
use super::number::Real;
use super::parameters::{LockedParameters, ModuleGradients};
use super::rows::add_row_sums;

/// The parameters of a dense layer.
#[derive(Clone, Copy)]
pub(super) struct Linear<'a, T> {
    weight: &'a [T],
    bias: &'a [T],
}

impl<'a, T: Real> Linear<'a, T> {
    /// The layer `{name}.weight`, `{name}.bias`.
    pub(super) fn named(parameters: &'a LockedParameters, name: &str) -> Self {
        let [weight, bias] = parameters.weight_and_bias(name);
        Self { weight, bias }
    }

    fn inputs(&self) -> usize {
        self.weight.len() / self.outputs()
    }

    fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// `[rows, inputs]` → `[rows, outputs]`.
    pub(super) fn forward(&self, x: &[T]) -> Vec<T> {
        let outputs = self.outputs();
        let mut output = vec![T::zero(); x.len() / self.inputs() * outputs];
        self.forward_into(x, &mut output, outputs);
        output
    }

    /// The same into rows that start `stride` values apart.
    pub(super) fn forward_into(&self, x: &[T], output: &mut [T], stride: usize) {
        let (inputs, outputs) = (self.inputs(), self.outputs());
        let rows = x.len() / inputs;
        output.chunks_mut(stride).for_each(|row| row[..outputs].copy_from_slice(self.bias));
        let weight = Matrix::dense(self.weight, inputs).transposed();
        MatrixMut::new(output, [rows, outputs], stride).add_product(Matrix::dense(x, inputs), weight);
    }

    /// From the output's `gradient` (`[rows, outputs]`) that of the input `x`; those of weight and bias are added to
    /// `to`.
    pub(super) fn backward(&self, x: &[T], gradient: &[T], to: &mut ModuleGradients<T>) -> Vec<T> {
        let mut to_x = vec![T::zero(); x.len()];
        self.backward_into(x, gradient, to, &mut to_x);
        to_x
    }

    /// The same, with the gradient of `x` added to `to_x`.
    pub(super) fn backward_into(&self, x: &[T], gradient: &[T], to: &mut ModuleGradients<T>, to_x: &mut [T]) {
        add_row_sums(&mut to.bias, gradient);
        self.backward_strided(x, Matrix::dense(gradient, self.outputs()), &mut to.weight, to_x);
    }

    /// The same for a gradient that lies in wider rows, without the bias.
    pub(super) fn backward_strided(&self, x: &[T], gradient: Matrix<T>, to_weight: &mut [T], to_x: &mut [T]) {
        let inputs = self.inputs();
        MatrixMut::dense(to_weight, inputs).add_product(gradient.transposed(), Matrix::dense(x, inputs));
        MatrixMut::dense(to_x, inputs).add_product(gradient, Matrix::dense(self.weight, inputs));
    }
}
