//! Float arithmetic with one fixed order of operations, so that every instruction set gives the same bits.
//!
//! Rust neither contracts `a * b + c` nor reorders sums, and the compiler vectorises only where results stay the same.
//! So this source, compiled for AVX-512 and for plain x86-64, agrees to the last bit. Nothing here may call libm
//! (except `sqrt`, which IEEE 754 defines exactly) or `mul_add`.

/// Adding and subtracting this rounds an f32 below 2²² to the nearest integer, ties to even.
const ROUNDER: f32 = 12_582_912.0;

/// `value` rounded to the nearest integer, ties to even; |value| < 2²². NaN becomes 0.
#[inline(always)]
pub(super) fn round(value: f32) -> i32 {
    ((value + ROUNDER) - ROUNDER) as i32
}

/// e to the power of `x` for x ≤ 0, to about one unit in the last place. Below −87 the result is the one at −87,
/// practically zero.
///
/// Cephes' expf: x = n · ln 2 + r with |r| ≤ ln 2 / 2, and a polynomial of degree 7 in r.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let x = if x > -87.0 { x } else { -87.0 };
    let shifted = x * std::f32::consts::LOG2_E + ROUNDER;
    let integer = shifted - ROUNDER;
    let r = x - integer * 0.693_359_4;
    let r = r - integer * -2.121_944_4e-4;
    let mut p = 1.987_569_2e-4_f32;
    for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p * r + c;
    }
    let power = p * (r * r) + r + 1.0;
    // The integer, from the bits of the sum that rounded it: a cast would check each number for NaN.
    let integer = shifted.to_bits().wrapping_sub(ROUNDER.to_bits());
    power * f32::from_bits(integer.wrapping_add(127) << 23)
}

/// The f16 of these bits as an f32, exactly. The exponents' biases differ by 112; the product with 2¹¹² also makes
/// subnormal numbers right.
#[inline(always)]
pub(super) fn half(bits: u16) -> f32 {
    let magnitude = u32::from(bits & 0x7fff) << 13;
    // The product with a power of two is exact.
    let finite = f32::from_bits(magnitude) * f32::from_bits((127 + 112) << 23);
    let magnitude = if magnitude < 0x0f80_0000 { finite.to_bits() } else { magnitude | 0x7f80_0000 };
    f32::from_bits(magnitude | u32::from(bits & 0x8000) << 16)
}

/// The factor that turns the greatest magnitude `greatest` into `target`.
#[inline(always)]
pub(super) fn scale_to(target: f32, greatest: f32) -> f32 {
    // The quotient by a smaller number would overflow.
    if greatest > 1e-30 { target / greatest } else { 0.0 }
}

/// The greater of two numbers; `a` where either is NaN.
#[inline(always)]
pub(super) fn max(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// Scales `row` to length 1. A row without a direction (zeros, or a value that is not finite) becomes zeros.
#[inline(always)]
pub(super) fn normalise(row: &mut [f32]) {
    let square = sum(row, |value| value * value);
    if (1e-20..1e30).contains(&square) {
        let inverse = 1.0 / square.sqrt();
        row.iter_mut().for_each(|value| *value *= inverse);
    } else {
        normalise_wide(row);
    }
}

/// [`normalise`] for rows whose squares overflow an f32, or lose digits in one.
#[cold]
fn normalise_wide(row: &mut [f32]) {
    let length = sum(row, |value| f64::from(value) * f64::from(value)).sqrt();
    if length > 0.0 && length.is_finite() {
        let inverse = 1.0 / length;
        row.iter_mut().for_each(|value| *value = (f64::from(*value) * inverse) as f32);
    } else {
        row.fill(0.0);
    }
}

/// The sum of `term` over a row, in sixteen partial sums.
#[inline(always)]
fn sum<T: Copy + Default + std::ops::Add<Output = T>>(row: &[f32], term: impl Fn(f32) -> T) -> T {
    let (chunks, rest) = row.as_chunks::<16>();
    let mut sums = [T::default(); 16];
    for values in chunks {
        sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum = *sum + term(value));
    }
    sums.iter_mut().zip(rest).for_each(|(sum, &value)| *sum = *sum + term(value));
    fold_halves(sums, |lower, upper| lower + upper)
}

/// Reduces N numbers, a power of two, to one: combines the lower half with the upper half until one number is left.
#[inline(always)]
pub(super) fn fold_halves<T: Copy, const N: usize>(mut numbers: [T; N], operation: impl Fn(T, T) -> T) -> T {
    let mut half = N / 2;
    while half > 0 {
        for i in 0..half {
            numbers[i] = operation(numbers[i], numbers[i + half]);
        }
        half /= 2;
    }
    numbers[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_units_of_the_true_value() {
        for step in 0..200_000 {
            let x = -87.0 * step as f32 / 200_000.0;
            let (ours, true_value) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((ours / true_value - 1.0).abs() < 2.4e-7, "exp({x}) = {ours}, not {true_value}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(-1e30) < 1e-37 && exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn rounding_is_to_even() {
        for (value, rounded) in
            [(0.5, 0), (1.5, 2), (-0.5, 0), (-1.5, -2), (126.6, 127), (-127.0, -127), (0.0, 0), (f32::NAN, 0)]
        {
            assert_eq!(round(value), rounded, "{value}");
        }
    }

    #[test]
    fn rows_of_tiny_and_of_huge_numbers_become_unit_rows() {
        for scale in [1e-30f32, 1.0, 1e30] {
            let mut row: Vec<f32> = (0..21).map(|i| (i as f32 - 9.5) * scale).collect();
            normalise(&mut row);
            assert!((row.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-6);
        }
        for value in [0.0, f32::NAN, f32::INFINITY] {
            let mut row = [value; 5];
            normalise(&mut row);
            assert_eq!(row, [0.0; 5]);
        }
    }
}
