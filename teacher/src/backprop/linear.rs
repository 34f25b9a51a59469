//! A dense layer, x·Wᵀ + b with W `[outputs, inputs]`.

use super::matrix::{Matrix, MatrixMut, Threads, multiply};
use super::number::Real;
use super::parameters::Pair;
use super::rows::add_row_sums;

/// A dense layer's parameters.
#[derive(Clone, Copy)]
pub struct Linear<'a, T> {
    pub weight: &'a [T],
    pub bias: &'a [T],
}

impl<T: Real> Linear<'_, T> {
    fn inputs(&self) -> usize {
        self.weight.len() / self.bias.len()
    }

    /// `[rows, inputs]` → `[rows, outputs]`.
    pub fn forward(&self, x: &[T]) -> Vec<T> {
        let outputs = self.bias.len();
        let mut output = vec![T::zero(); x.len() / self.inputs() * outputs];
        self.forward_into(x, &mut output, outputs);
        output
    }

    /// The same into rows that are `stride` numbers apart.
    pub fn forward_into(&self, x: &[T], output: &mut [T], stride: usize) {
        let (inputs, outputs) = (self.inputs(), self.bias.len());
        let rows = x.len() / inputs;
        output.chunks_mut(stride).for_each(|row| row[..outputs].copy_from_slice(self.bias));
        let output = MatrixMut::new(output, [rows, outputs], stride);
        let weight = Matrix::dense(self.weight, inputs).transposed();
        multiply(output, true, T::one(), Matrix::dense(x, inputs), weight, Threads::All);
    }

    /// Adds the gradients of weight and bias to `to`, for the input `x` and the output's `gradient` (`[rows, outputs]`).
    pub fn backward(&self, x: &[T], gradient: &[T], to: &mut Pair<T>) {
        add_row_sums(&mut to.bias, gradient);
        self.weight_gradient(x, Matrix::dense(gradient, self.bias.len()), &mut to.weight);
    }

    /// Adds the weight's gradient alone.
    pub fn weight_gradient(&self, x: &[T], gradient: Matrix<T>, to: &mut [T]) {
        let x = Matrix::dense(x, self.inputs());
        multiply(MatrixMut::dense(to, self.inputs()), true, T::one(), gradient.transposed(), x, Threads::All);
    }

    /// Adds the input's gradient to `to` (`[rows, inputs]`).
    pub fn input_gradient(&self, gradient: Matrix<T>, to: &mut [T]) {
        let weight = Matrix::dense(self.weight, self.inputs());
        multiply(MatrixMut::dense(to, self.inputs()), true, T::one(), gradient, weight, Threads::All);
    }
}
