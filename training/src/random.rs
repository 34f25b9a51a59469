//! Random numbers that are functions of a seed and a purpose; candle's CPU generator can't be seeded (candle issue
//! 2651).
//!
//! A generator is made from a seed and the numbers of its purpose (`[stage, epoch, step]`, say). No generator is
//! carried from step to step or stored in a checkpoint: a resumed training makes the generator of its step again and
//! draws the same numbers.

use candle_core::{DType, Device, Tensor};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::error::{Error, Result};

/// xoshiro256++ (Blackman and Vigna 2019), seeded through SplitMix64.
#[derive(Debug, Clone)]
pub struct Random(Xoshiro256PlusPlus);

/// One step of SplitMix64 (Steele, Lea and Flood 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    /// The generator for one purpose of one seed. Different `path`s give independent streams.
    pub fn new(seed: u64, path: &[u64]) -> Self {
        let mut mixed = seed;
        for &part in path {
            mixed = split_mix(&mut mixed) ^ part.wrapping_mul(0xd6e8_feb8_6659_fd93);
        }
        let mut state = [0; 32];
        state.chunks_exact_mut(8).for_each(|word| word.copy_from_slice(&split_mix(&mut mixed).to_le_bytes()));
        Self(Xoshiro256PlusPlus::from_seed(state))
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `[0, 1)`.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `0..bound`; the bias is below `bound / 2^64`. Panics when `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "no number lies below 0");
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// Standard normal, by Box and Muller's method.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Shuffles by Fisher and Yates's method.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// A tensor of `shape`, uniform in `[-bound, bound)`.
    ///
    /// # Errors
    /// Tensor errors.
    pub fn uniform_tensor(&mut self, shape: &[usize], bound: f64, dtype: DType, device: &Device) -> Result<Tensor> {
        let values: Vec<f64> = (0..shape.iter().product()).map(|_| (2.0 * self.uniform() - 1.0) * bound).collect();
        let tensor = Tensor::from_vec(values, shape, device).and_then(|tensor| tensor.to_dtype(dtype));
        tensor.map_err(Error::tensor("uniform tensor"))
    }

    /// An inverted dropout mask of `shape`: 0 with probability `rate`, else `1 / (1 - rate)`.
    ///
    /// # Errors
    /// Tensor errors.
    pub fn dropout_mask(&mut self, shape: &[usize], rate: f64, dtype: DType, device: &Device) -> Result<Tensor> {
        let kept = (1.0 / (1.0 - rate)) as f32;
        // Two decisions from one draw: the rate is exact to 2^-32.
        let threshold = (rate * 4_294_967_296.0) as u64;
        let count = shape.iter().product();
        let mut values = Vec::with_capacity(count + 1);
        while values.len() < count {
            let bits = self.next_u64();
            values.push(if bits >> 32 < threshold { 0.0 } else { kept });
            values.push(if bits & 0xffff_ffff < threshold { 0.0 } else { kept });
        }
        values.truncate(count);
        let mask = Tensor::from_vec(values, shape, device).and_then(|mask| mask.to_dtype(dtype));
        mask.map_err(Error::tensor("dropout mask"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every shuffle, mask and initial weight follows from these: other numbers would train other models.
    #[test]
    fn the_numbers_are_those_of_the_first_release() {
        let draw = |seed, path: &[u64]| {
            let mut random = Random::new(seed, path);
            [random.next_u64(), random.next_u64(), random.next_u64()]
        };
        assert_eq!(draw(1, &[]), [0xcfc5_d07f_6f03_c29b, 0xbf42_4132_963f_e08d, 0x19a3_7d57_57aa_f520]);
        assert_eq!(draw(7, &[20, 3]), [0x3687_60f1_72fc_6b73, 0xb558_efa2_b8b3_b886, 0xeab9_8040_12ae_477b]);
    }

    #[test]
    fn the_same_seed_and_path_give_the_same_numbers_and_others_don_t() {
        let draw = |seed, path: &[u64]| Random::new(seed, path).next_u64();
        assert_eq!(draw(1, &[2, 3]), draw(1, &[2, 3]));
        assert_ne!(draw(1, &[2, 3]), draw(1, &[3, 2]));
        assert_ne!(draw(1, &[2]), draw(1, &[2, 0]));
        assert_ne!(draw(1, &[2]), draw(2, &[2]));
    }

    #[test]
    fn uniform_and_normal_have_their_moments() {
        let mut random = Random::new(7, &[]);
        let (mut sum, mut normal, mut square) = (0.0, 0.0, 0.0);
        for _ in 0..100_000 {
            sum += random.uniform();
            let z = random.normal();
            normal += z;
            square += z * z;
        }
        assert!((sum / 1e5 - 0.5).abs() < 0.005);
        assert!((normal / 1e5).abs() < 0.02);
        assert!((square / 1e5 - 1.0).abs() < 0.02);
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<u32> = (0..1000).collect();
        Random::new(1, &[]).shuffle(&mut items);
        assert_ne!(items[..10], (0..10).collect::<Vec<u32>>()[..]);
        items.sort_unstable();
        assert!(items.iter().enumerate().all(|(at, &item)| at as u32 == item));
    }

    #[test]
    fn a_dropout_mask_drops_its_share_and_keeps_the_mean() {
        let mask = Random::new(3, &[]).dropout_mask(&[301, 333], 0.1, DType::F32, &Device::Cpu).unwrap();
        let numbers: Vec<f32> = mask.flatten_all().unwrap().to_vec1().unwrap();
        let dropped = numbers.iter().filter(|&&x| x == 0.0).count() as f64 / numbers.len() as f64;
        assert!((dropped - 0.1).abs() < 0.005, "{dropped}");
        assert!(numbers.iter().all(|&x| x == 0.0 || (x - 1.0 / 0.9).abs() < 1e-6));
    }
}
