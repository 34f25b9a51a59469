//! LayerNorm (Ba et al. 2016) over a sum: `weight ∘ x̂ + bias` with x̂ = (s − mean)/√(variance + ε), s = residual +
//! dropout(x).

use rayon::prelude::*;

use super::dropout::Mask;
use super::number::{Real, dot, sum, vectorised};
use super::parameters::{LockedParameters, ModuleGradients};
use super::rows::{TASK, add, drop_rows};
use crate::BertConfig;

/// The values of a forward pass that the backward pass needs.
pub(super) struct Normalised<T> {
    /// x̂, `[rows, width]`.
    unit: Vec<T>,
    /// 1/√(variance + ε), a value a row.
    inverse: Vec<T>,
    mask: Option<Mask>,
}

/// The parameters of a LayerNorm.
#[derive(Clone, Copy)]
pub(super) struct Norm<'a, T> {
    weight: &'a [T],
    bias: &'a [T],
    eps: f64,
}

impl<'a, T: Real> Norm<'a, T> {
    /// The norm `{name}.weight`, `{name}.bias`.
    pub(super) fn named(parameters: &'a LockedParameters, name: &str, config: &BertConfig) -> Self {
        let [weight, bias] = parameters.weight_and_bias(name);
        Self { weight, bias, eps: config.layer_norm_eps }
    }

    pub(super) fn width(&self) -> usize {
        self.weight.len()
    }

    /// The norm of `residual + dropout(x)`, all `[rows, width]`. The memory of `x` serves the backward pass.
    pub(super) fn forward(&self, mut x: Vec<T>, residual: Option<&[T]>, mask: Option<Mask>) -> (Vec<T>, Normalised<T>) {
        let width = self.weight.len();
        let (share, eps) = (T::from_f64(1.0 / width as f64), T::from_f64(self.eps));
        let mut output = vec![T::zero(); x.len()];
        let mut inverse = vec![T::zero(); x.len() / width];
        let parts = (x.par_chunks_mut(width * TASK), output.par_chunks_mut(width * TASK), inverse.par_chunks_mut(TASK));
        parts.into_par_iter().enumerate().for_each(|(task, (x, output, inverse))| {
            for (at, row) in x.chunks_exact_mut(width).enumerate() {
                let place = task * TASK + at;
                if let Some(mask) = mask {
                    mask.apply(place, row);
                }
                vectorised(|| {
                    if let Some(residual) = residual {
                        let residual = &residual[place * width..(place + 1) * width];
                        row.iter_mut().zip(residual).for_each(|(x, &r)| *x += r);
                    }
                    let mean = sum(row) * share;
                    row.iter_mut().for_each(|x| *x -= mean);
                    let inverted = T::one() / (dot(row, row) * share + eps).sqrt();
                    inverse[at] = inverted;
                    let output = &mut output[at * width..(at + 1) * width];
                    for (((x, y), &weight), &bias) in row.iter_mut().zip(output).zip(self.weight).zip(self.bias) {
                        *x *= inverted;
                        *y = *x * weight + bias;
                    }
                });
            }
        });
        (output, Normalised { unit: x, inverse, mask })
    }

    /// From the output's gradient that of the sum s, which is also the residual's: `[rows, width]`. The gradients of
    /// weight and bias are added to `to`.
    pub(super) fn backward(&self, tape: &Normalised<T>, gradient: &[T], to: &mut ModuleGradients<T>) -> Vec<T> {
        let width = self.weight.len();
        let share = T::from_f64(1.0 / width as f64);
        let mut output = vec![T::zero(); gradient.len()];
        let parts = (output.par_chunks_mut(width * TASK), gradient.par_chunks(width * TASK)).into_par_iter();
        let sums: Vec<(Vec<T>, Vec<T>)> = parts
            .enumerate()
            .map(|(task, (output, gradient))| {
                let mut sums = (vec![T::zero(); width], vec![T::zero(); width]);
                for (at, (output, gradient)) in
                    output.chunks_exact_mut(width).zip(gradient.chunks_exact(width)).enumerate()
                {
                    let place = task * TASK + at;
                    let unit = &tape.unit[place * width..(place + 1) * width];
                    vectorised(|| {
                        for (((to, &g), &x), to_bias) in sums.0.iter_mut().zip(gradient).zip(unit).zip(&mut sums.1) {
                            *to += g * x;
                            *to_bias += g;
                        }
                        output.iter_mut().zip(gradient).zip(self.weight).for_each(|((to, &g), &w)| *to = g * w);
                        let (mean, along) = (sum(output) * share, dot(output, unit) * share);
                        let inverse = tape.inverse[place];
                        output.iter_mut().zip(unit).for_each(|(to, &x)| *to = inverse * (*to - mean - x * along));
                    });
                }
                sums
            })
            .collect();
        for (weight, bias) in &sums {
            add(&mut to.weight, weight);
            add(&mut to.bias, bias);
        }
        output
    }
}

impl<T: Real> Normalised<T> {
    /// The gradient of x from that of the sum.
    pub(super) fn dropped(&self, gradient: &[T], width: usize) -> Vec<T> {
        let mut gradient = gradient.to_vec();
        drop_rows(self.mask, &mut gradient, width);
        gradient
    }
}
