//! The floating-point types of the hand-written passes, and functions that candle has no fast form of.

use limbeck_training::optimiser::Number;

/// f32, or f64 for tests against golden values.
pub trait Real: Number {
    /// The standard normal distribution's cumulative and density functions, Φ(x) and φ(x).
    fn normal(self) -> (Self, Self);
    /// e^x.
    fn exponential(self) -> Self;
}

impl Real for f32 {
    /// Φ by Abramowitz and Stegun's 7.1.26, whose error is below 1.5e-7; no branch, so that it vectorises.
    #[inline(always)]
    fn normal(self) -> (f32, f32) {
        let exp = (-0.5 * self * self).exponential();
        let t = 1.0 / (1.0 + 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2 * self.abs());
        let polynomial = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_7) * t - 0.284_496_74) * t + 0.254_829_6) * t;
        let tail = 0.5 * polynomial * exp;
        (if self < 0.0 { tail } else { 1.0 - tail }, 0.398_942_3 * exp)
    }

    /// 2^n·e^r with |r| ≤ ln 2 / 2 and seven terms of the series of e^r: relative error below 2e-7, 0 below -87.
    #[inline(always)]
    fn exponential(self) -> f32 {
        // Adding this constant rounds to an integer, which then stands in the lowest bits.
        const ROUND: f32 = 12_582_912.0;
        let x = self.clamp(-87.0, 88.0);
        let shifted = x * std::f32::consts::LOG2_E + ROUND;
        let n = shifted - ROUND;
        // ln 2 in two parts, the first short enough to be multiplied exactly.
        let r = x - n * 0.693_145_75 - n * 1.428_606_8e-6;
        let series = 1.0 / 720.0;
        let series = series * r + 1.0 / 120.0;
        let series = series * r + 1.0 / 24.0;
        let series = series * r + 1.0 / 6.0;
        let series = series * r + 0.5;
        let series = (series * r + 1.0) * r + 1.0;
        let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
        if self < -87.0 { 0.0 } else { series * power }
    }
}

impl Real for f64 {
    fn normal(self) -> (f64, f64) {
        let cumulative = 0.5 * libm::erfc(-self * std::f64::consts::FRAC_1_SQRT_2);
        (cumulative, (-0.5 * self * self).exp() / std::f64::consts::TAU.sqrt())
    }

    fn exponential(self) -> f64 {
        self.exp()
    }
}

/// Runs `work` compiled for the widest vectors of this processor.
#[inline(always)]
pub(super) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// The sum, in sixteen interleaved sums so that it vectorises.
#[inline(always)]
pub(super) fn sum<T: Real>(values: &[T]) -> T {
    folded(values, values, |x, _| x)
}

/// The scalar product, in the same way.
#[inline(always)]
pub(super) fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    folded(a, b, |x, y| x * y)
}

#[inline(always)]
fn folded<T: Real>(a: &[T], b: &[T], term: impl Fn(T, T) -> T) -> T {
    let mut sums = [T::zero(); 16];
    let (a_blocks, b_blocks) = (a.chunks_exact(16), b.chunks_exact(16));
    let (a_rest, b_rest) = (a_blocks.remainder(), b_blocks.remainder());
    for (a, b) in a_blocks.zip(b_blocks) {
        for at in 0..16 {
            sums[at] += term(a[at], b[at]);
        }
    }
    let rest = a_rest.iter().zip(b_rest).fold(T::zero(), |sum, (&x, &y)| sum + term(x, y));
    sums.into_iter().fold(rest, |sum, x| sum + x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_functions_are_near_the_exact_ones() {
        for step in -90_000..=60_000 {
            let x = step as f32 * 1e-3;
            let exact = f64::from(x).exp();
            let relative = (f64::from(x.exponential()) - exact).abs() / exact.max(1e-37);
            assert!(relative < 3e-7 || exact < 2e-38, "exp({x}) is off by {relative}");
            let ((cumulative, density), (exact, exact_density)) = (x.normal(), f64::from(x).normal());
            assert!((f64::from(cumulative) - exact).abs() < 3e-7, "Φ({x})");
            assert!((f64::from(density) - exact_density).abs() < 3e-7, "φ({x})");
        }
    }

    #[test]
    fn sums_take_every_value_once() {
        let numbers: Vec<f64> = (1..=37).map(f64::from).collect();
        assert_eq!(sum(&numbers), 703.0);
        assert_eq!(dot(&numbers, &numbers), 17_575.0);
    }
}
