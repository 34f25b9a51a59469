use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::losses::Denominator;
use crate::schedule::{Decay, Schedule};

/// How SimCSE goes (Gao, Yao and Chen 2021), whatever learns by it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContrastiveSettings {
    /// Passes over the examples.
    pub epochs: usize,
    /// Examples a step; each has the others of its batch as negatives.
    pub batch: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Share of the steps in which the learning rate rises.
    pub warm_up: f64,
    /// How the learning rate falls after that.
    pub decay: Decay,
    /// Decoupled weight decay of what decays.
    pub weight_decay: f64,
    pub temperature: f64,
    /// The candidates in InfoNCE's denominator. With hard negatives it is `n`, and they stand beside it.
    pub denominator: Denominator,
    /// Added to the logit of an example's own hard negative.
    pub hard_negative_weight: f64,
    pub seed: u64,
    /// Steps between two looks at the dev set.
    pub evaluate_every: u64,
    /// Steps between two checkpoints.
    pub checkpoint_every: u64,
    /// After so many looks at the dev set without a new best a warning is given.
    pub patience: u64,
}

impl Default for ContrastiveSettings {
    fn default() -> Self {
        Self {
            epochs: 1,
            batch: 64,
            learning_rate: 3e-5,
            warm_up: 0.0,
            decay: Decay::Linear,
            weight_decay: 0.01,
            temperature: 0.05,
            denominator: Denominator::N,
            hard_negative_weight: 0.0,
            seed: 1,
            evaluate_every: 125,
            checkpoint_every: 250,
            patience: 5,
        }
    }
}

impl ContrastiveSettings {
    /// Refuses settings that can't be, also together with whether there are hard negatives.
    pub fn check(&self, hard_negatives: bool) -> Result<()> {
        let refuse = |name, value: String, allowed| Err(Error::Setting { name, value, allowed });
        for (name, value) in [
            ("simcse.epochs", self.epochs as u64),
            ("simcse.evaluate_every", self.evaluate_every),
            ("simcse.checkpoint_every", self.checkpoint_every),
            ("simcse.patience", self.patience),
        ] {
            if value == 0 {
                return refuse(name, "0".into(), "at least 1");
            }
        }
        if self.batch < 2 {
            return refuse("simcse.batch", self.batch.to_string(), "at least 2: the others are the negatives");
        }
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return refuse("simcse.temperature", self.temperature.to_string(), "above 0");
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return refuse("simcse.weight_decay", self.weight_decay.to_string(), "0 or above");
        }
        if !self.hard_negative_weight.is_finite() {
            return refuse("simcse.hard_negative_weight", self.hard_negative_weight.to_string(), "a number");
        }
        if hard_negatives && self.denominator == Denominator::TwoNMinusOne {
            return refuse("simcse.denominator", "2n-1".into(), "n where there are hard negatives");
        }
        self.schedule(1).map(|_| ())
    }

    /// The learning rate over `steps` steps.
    pub fn schedule(&self, steps: u64) -> Result<Schedule> {
        Schedule::new(self.learning_rate, self.warm_up, steps, self.decay)
    }
}
