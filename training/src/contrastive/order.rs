//! [`ShuffledOrder`]: the order of examples that all fit into memory.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::fit::Span;
use crate::random::Random;
use crate::settings::TrainingSettings;

/// The random stream of the order.
const ORDER: u64 = 20;

/// Every epoch shuffles all examples and cuts them into batches whose sizes differ by one example at most. The order is
/// a function of seed and epoch; an epoch is a window.
#[derive(Debug, Clone)]
pub(super) struct ShuffledOrder {
    examples: usize,
    steps_per_epoch: u64,
    pub(super) steps: u64,
    seed: u64,
}

impl ShuffledOrder {
    /// The order of so many examples, in batches of about `settings.batch`, and at least two.
    pub(super) fn new(examples: usize, settings: &TrainingSettings) -> Result<Self> {
        Error::require(examples >= 2, "the number of examples", examples, "at least 2")?;
        let most = (examples / 2) as f64;
        let steps_per_epoch = (examples as f64 / settings.batch as f64).round().clamp(1.0, most) as u64;
        let too_many = || Error::setting("epochs", settings.epochs, "so many that their steps can be counted");
        let steps = steps_per_epoch.checked_mul(settings.epochs as u64).ok_or_else(too_many)?;
        Ok(Self { examples, steps_per_epoch, steps, seed: settings.seed })
    }

    pub(super) fn span(&self, step: u64) -> Span {
        let epoch = (step - 1) / self.steps_per_epoch;
        let first = epoch * self.steps_per_epoch + 1;
        Span { window: epoch as usize, epoch, steps: first..first + self.steps_per_epoch }
    }

    /// The examples of an epoch in their order.
    pub(super) fn permutation(&self, epoch: u64) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.examples as u32).collect();
        Random::new(self.seed, &[ORDER, epoch]).shuffle(&mut order);
        order
    }

    /// The part of the permutation that `step` takes.
    pub(super) fn range(&self, step: u64) -> Range<usize> {
        let (at, count) = (((step - 1) % self.steps_per_epoch) as usize, self.steps_per_epoch as usize);
        self.examples * at / count..self.examples * (at + 1) / count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(epochs: usize) -> Result<ShuffledOrder> {
        ShuffledOrder::new(103, &TrainingSettings { batch: 10, epochs, ..TrainingSettings::default() })
    }

    #[test]
    fn every_example_comes_once_an_epoch_and_each_epoch_has_its_own_order() {
        let order = order(2).unwrap();
        assert_eq!(order.steps, 20);
        let mut epochs = Vec::new();
        for epoch in 0..2 {
            let permutation = order.permutation(epoch);
            let mut all: Vec<u32> = Vec::new();
            for step in order.span(epoch * 10 + 1).steps {
                assert_eq!(order.span(step).epoch, epoch);
                assert!((10..=11).contains(&order.range(step).len()));
                all.extend(&permutation[order.range(step)]);
            }
            epochs.push(all.clone());
            all.sort_unstable();
            assert_eq!(all, (0..103).collect::<Vec<_>>());
        }
        assert_ne!(epochs[0], epochs[1]);
    }

    #[test]
    fn more_steps_than_can_be_counted_are_refused() {
        assert!(order(usize::MAX).is_err());
    }
}
