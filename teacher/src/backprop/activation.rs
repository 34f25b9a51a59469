//! The activation inside the feed-forward block, forwards and backwards.

use rayon::prelude::*;

use super::number::{Real, vectorised};
use crate::Activation;

/// Values a task.
const TASK: usize = 16_384;

/// Calls `change` for each value of `to` and of `x`.
fn each<T: Real>(to: &mut [T], x: &[T], change: impl Fn(&mut T, T) + Sync) {
    (to.par_chunks_mut(TASK), x.par_chunks(TASK))
        .into_par_iter()
        .for_each(|(to, x)| vectorised(|| to.iter_mut().zip(x).for_each(|(to, &x)| change(to, x))));
}

/// The activation of each value.
pub(super) fn forward<T: Real>(activation: Activation, x: &[T]) -> Vec<T> {
    let mut output = vec![T::zero(); x.len()];
    match activation {
        Activation::Gelu => each(&mut output, x, |to, x| *to = x * x.normal().0),
        Activation::GeluNew => each(&mut output, x, |to, x| *to = x * sigmoid(inside(x).0)),
        Activation::Relu => each(&mut output, x, |to, x| *to = if x > T::zero() { x } else { T::zero() }),
    }
    output
}

/// Multiplies `gradient` by the activation's slope at each `x`.
pub(super) fn backward<T: Real>(activation: Activation, x: &[T], gradient: &mut [T]) {
    match activation {
        Activation::Gelu => each(gradient, x, |to, x| {
            let (cumulative, density) = x.normal();
            *to *= cumulative + x * density;
        }),
        Activation::GeluNew => each(gradient, x, |to, x| {
            let (argument, slope) = inside(x);
            let share = sigmoid(argument);
            *to *= share + x * share * (T::one() - share) * slope;
        }),
        Activation::Relu => each(gradient, x, |to, x| *to = if x > T::zero() { *to } else { T::zero() }),
    }
}

/// 2u and its slope, for GELU's approximation (Hendrycks and Gimpel 2016): ½x(1 + tanh u) = x·σ(2u) with
/// u = √(2/π)(x + 0.044715x³).
#[inline(always)]
fn inside<T: Real>(x: T) -> (T, T) {
    let (scale, cubic) = (T::from_f64(2.0 * std::f64::consts::FRAC_2_PI.sqrt()), T::from_f64(0.044_715));
    let square = x * x;
    (scale * x * (T::one() + cubic * square), scale * (T::one() + T::from_f64(3.0) * cubic * square))
}

#[inline(always)]
fn sigmoid<T: Real>(x: T) -> T {
    T::one() / (T::one() + (-x).exponential())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slope_is_the_quotient_of_differences() {
        let x: Vec<f64> = (-40..40).map(|x| f64::from(x) * 0.1 + 0.05).collect();
        for activation in [Activation::Gelu, Activation::GeluNew, Activation::Relu] {
            let step = 1e-5;
            let moved = |by: f64| forward(activation, &x.iter().map(|x| x + by).collect::<Vec<_>>());
            let mut slopes = vec![1.0; x.len()];
            backward(activation, &x, &mut slopes);
            for ((high, low), slope) in moved(step).iter().zip(moved(-step)).zip(&slopes) {
                assert!(((high - low) / (2.0 * step) - slope).abs() < 1e-8);
            }
            let narrow = forward(activation, &x.iter().map(|&x| x as f32).collect::<Vec<_>>());
            for (narrow, wide) in narrow.iter().zip(forward(activation, &x)) {
                assert!((f64::from(*narrow) - wide).abs() < 1e-6);
            }
        }
    }
}
