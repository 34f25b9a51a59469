//! Every level equals the portable one, and the portable one is right.

use bytemuck::Zeroable;

use super::*;

/// Numbers made of random ones below 2³¹.
fn numbers<T, const N: usize>(seed: u64, make: impl Fn(u64) -> T) -> [T; N] {
    let mut random = fastrand::Rng::with_seed(seed);
    std::array::from_fn(|_| make(random.u64(..1 << 31)))
}

/// Runs every operation, and collects the results as bits.
struct EveryOperation<'a>(u64, &'a mut Vec<u32>);

impl SimdWork for EveryOperation<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self(seed, bits) = self;
        let special = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, 1e-45, f32::MAX, 1.0, -1.5];
        let float = |n: u64| if n.is_multiple_of(5) { special[n as usize / 5 % 8] } else { n as f32 / 1e6 - 500.0 };
        let (a, b) = (s.load(&numbers(seed, float)), s.load(&numbers(seed + 1, float)));
        let shorts = |seed, factor| s.shorts(&numbers(seed, |n| n as i8), factor);
        let (c, d) = (shorts(seed, 16), shorts(seed + 2, -3));
        let mut sums = S::Sums::zeroed();
        for k in 0..40 {
            let weights = numbers(seed + k, |n| if k < 3 { 255 } else { n as u8 });
            let activations = if k % 7 < 3 { [127, -127, -128, 127] } else { numbers(seed + 9 + k, |n| n as i8) };
            sums = s.dot(sums, &weights, activations);
        }
        let mut weighed = S::Sums::zeroed();
        for k in 0..64 {
            let two: [[i8; 32]; 2] = [numbers(seed + k, |n| n as i8), numbers(seed + 5 + k, |n| n as i8)];
            let weights = if k % 3 == 0 { [32_767, -32_767] } else { numbers(seed + k, |n| n as i16) };
            weighed = s.weigh(weighed, s.pair(&two[0], &two[1]), weights);
        }
        let mut products = S::Sums::zeroed();
        for k in 0..48 {
            let weights = numbers(seed + k, |n| [n as i16, (n >> 16) as i16]);
            let random = numbers(seed + 3 + k, |n| [n as i16, (n >> 16) as i16]);
            let activations = if k % 5 == 0 { [[32_767, -32_768], [0, 1]] } else { random };
            products = s.dot_shorts(products, &weights, &activations);
        }
        let kept: [i16; 32] = bytemuck::cast(s.add_shorts(c, bytemuck::cast(numbers::<_, 32>(seed, |n| n as i16))));
        bits.extend(kept.map(|number| number as u32));
        let results = [
            [s.add(a, b), s.add(a, s.multiply(b, s.splat(-1.0)))],
            [s.multiply(a, b), s.max(a, b)],
            [s.splat(3.25), a],
            s.halves(&numbers(seed + 4, |n| n as u16)),
            s.shorts_to_floats(s.add_shorts(c, d)),
            s.shorts_to_floats(s.max_shorts(c, d)),
            s.weighed_to_floats(weighed),
            s.sums_to_floats(sums, -12_345),
            s.sums_to_floats(sums, i32::MIN),
            s.sums_to_floats(products, 0),
        ];
        let mut within = numbers(seed, |n| (n as f32 / 1e4) % 127.4 * if n.is_multiple_of(2) { -1.0 } else { 1.0 });
        within[3..8].copy_from_slice(&[f32::NAN, 127.0, -127.0, 0.5, -1.5]);
        bits.extend(s.bytes(s.load(&within)).map(|byte| byte as u32));
        let wide = within.map(|number| number * 258.0);
        let pairs = s.short_pairs(s.load(&wide), s.multiply(s.load(&wide), s.splat(-0.75)));
        bits.extend(pairs.as_flattened().iter().map(|&short| short as u32));
        for floats in results.as_flattened() {
            let numbers: [f32; 16] = bytemuck::cast(*floats);
            // The NaN of ∞ − ∞ has bits of the machine's choice.
            bits.extend(numbers.map(|number| if number.is_nan() { 1 } else { number.to_bits() }));
        }
    }
}

#[test]
fn every_level_gives_the_bits_of_the_portable_one() {
    for seed in 0..200 {
        let mut expected = Vec::new();
        Level::Portable.run(EveryOperation(seed, &mut expected));
        for level in Level::available() {
            let mut bits = Vec::new();
            level.run(EveryOperation(seed, &mut bits));
            assert_eq!(bits, expected, "{level:?}, seed {seed}");
        }
    }
}

#[test]
fn an_f16_becomes_the_f32_of_the_same_value() {
    for first in (0..=u16::MAX).step_by(32) {
        let bits: [u16; 32] = std::array::from_fn(|i| first + i as u16);
        for (bits, float) in bits.into_iter().zip(Portable.halves(&bits).as_flattened()) {
            let expected = half::f16::from_bits(bits).to_f32();
            assert!(float.to_bits() == expected.to_bits() || float.is_nan() && expected.is_nan(), "{bits:04x}");
        }
    }
}

#[test]
fn a_weighed_sum_is_the_sum_of_its_products() {
    let (a, b) = (numbers(3, |n| n as i8), numbers(4, |n| n as i8));
    let sums = Portable.weigh([7; 32], Portable.pair(&a, &b), [-300, 32_767]);
    let expected: [i32; 32] = std::array::from_fn(|j| 7 - 300 * i32::from(a[j]) + 32_767 * i32::from(b[j]));
    assert_eq!(sums, expected);
    assert_eq!(Portable.weighed_to_floats(sums).as_flattened(), expected.map(|sum| sum as f32));
}

#[test]
fn a_dot_product_of_shorts_takes_two_activations_for_each_half() {
    let (weights, activations) = (numbers(3, |n| [n as i16, (n >> 8) as i16]), [[-32_768, 32_767], [5, -1]]);
    let sums = Portable.dot_shorts([7; 32], &weights, &activations);
    for (j, sum) in sums.into_iter().enumerate() {
        let product = |k: usize| i64::from(activations[j / 16][k]) * i64::from(weights[j][k]);
        assert_eq!(sum, (7 + product(0) + product(1)) as i32);
    }
}

#[test]
fn a_dot_product_is_the_sum_of_its_products() {
    let (weights, activations) = (numbers(3, |n| n as u8), [-128, 127, 5, -1]);
    let sums = Portable.dot([7; 32], &weights, activations);
    for (j, sum) in sums.into_iter().enumerate() {
        let product = |k: usize| i32::from(weights[4 * j + k]) * i32::from(activations[k]);
        assert_eq!(sum, 7 + (0..4).map(product).sum::<i32>());
    }
}
