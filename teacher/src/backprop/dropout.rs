//! Dropout masks that are drawn again instead of stored: a mask is a seed and a rate.

use limbeck_training::random::Random;

use super::number::Real;

/// One use of dropout: the values of an operand that are dropped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mask {
    seed: u64,
    /// A value is dropped if a draw of sixteen bits lies below.
    threshold: u64,
    /// The values that stay are multiplied by this.
    scale: f64,
}

/// The masks of one forward pass, in the order in which they are used.
#[derive(Debug, Clone)]
pub struct Dropout {
    random: Option<Random>,
    hidden: f64,
    attention: f64,
}

impl Dropout {
    /// Masks of the rates `hidden` and `attention` (0 to below 1) from a generator made for this pass.
    pub fn new(random: Random, hidden: f64, attention: f64) -> Self {
        Self { random: Some(random), hidden, attention }
    }

    /// No dropout, as at inference.
    pub fn none() -> Self {
        Self { random: None, hidden: 0.0, attention: 0.0 }
    }

    /// The next mask over hidden states.
    pub fn hidden(&mut self) -> Option<Mask> {
        self.next(self.hidden)
    }

    /// The next mask over attention weights.
    pub fn attention(&mut self) -> Option<Mask> {
        self.next(self.attention)
    }

    fn next(&mut self, rate: f64) -> Option<Mask> {
        let seed = self.random.as_mut()?.next_u64();
        (rate > 0.0).then(|| Mask { seed, threshold: (rate * 65_536.0).round() as u64, scale: 1.0 / (1.0 - rate) })
    }
}

impl Mask {
    /// Drops values of part `part` of the operand (a row, say) and scales the others. The same part drops the same
    /// values every time, so that a backward pass can apply the mask again.
    pub fn apply<T: Real>(&self, part: usize, values: &mut [T]) {
        let mut random = Random::new(self.seed, &[part as u64]);
        let scale = T::from_f64(self.scale);
        for four in values.chunks_mut(4) {
            let bits = random.next_u64();
            for (at, value) in four.iter_mut().enumerate() {
                let stays = (bits >> (16 * at)) & 0xffff >= self.threshold;
                *value = if stays { *value * scale } else { T::zero() };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_drops_its_share_the_same_way_every_time() {
        let mut dropout = Dropout::new(Random::new(1, &[]), 0.1, 0.0);
        let mask = dropout.hidden().unwrap();
        let mut values = vec![1.0f32; 100_001];
        mask.apply(3, &mut values);
        let dropped = values.iter().filter(|&&x| x == 0.0).count() as f64 / 100_001.0;
        assert!((dropped - 0.1).abs() < 0.004, "{dropped}");
        assert!(values.iter().all(|&x| x == 0.0 || (x - 1.0 / 0.9).abs() < 1e-6));
        let mut again = vec![1.0; 100_001];
        mask.apply(3, &mut again);
        assert_eq!(values, again);
        mask.apply(4, &mut again);
        assert_ne!(values, again);
        assert_ne!(dropout.hidden(), Some(mask));
        assert_eq!(dropout.attention(), None);
    }
}
