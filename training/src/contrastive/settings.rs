use crate::error::{Error, Result};
use crate::losses::Denominator;
use crate::settings::{PATIENCE, at_least_one};
use crate::training_settings;

training_settings! {
    /// The settings of SimCSE (Gao, Yao and Chen 2021), for any learner. The other examples of a batch are the
    /// negatives.
    pub struct ContrastiveSettings;
    shared: { epochs: 1, batch: 64, learning_rate: 3e-5, evaluate_every: 125, checkpoint_every: 250 }
    before: {}
    between: {
        /// What cosines are divided by.
        temperature: f64 = 0.05,
        /// The candidates in InfoNCE's denominator. With hard negatives it is `n`, and they stand beside it.
        denominator: Denominator = Denominator::N,
        /// Added to the logit of an example's own hard negative.
        hard_negative_weight: f64 = 0.0,
    }
    after: {
        /// Evaluations on the dev set without a new best score before a warning.
        patience: u64 = PATIENCE,
    }
}

impl ContrastiveSettings {
    /// Refuses values that are out of range, on their own or with `hard_negatives`.
    ///
    /// # Errors
    /// Names the first such key.
    pub fn check(&self, hard_negatives: bool) -> Result<()> {
        let section = "simcse";
        at_least_one(section, "epochs", self.epochs as u64)?;
        at_least_one(section, "patience", self.patience)?;
        let refuse =
            |key: &str, value: String, allowed| Err(Error::setting(format!("{section}.{key}"), value, allowed));
        if self.batch < 2 {
            return refuse("batch", self.batch.to_string(), "at least 2: the others are the negatives");
        }
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return refuse("temperature", self.temperature.to_string(), "above 0");
        }
        if !self.hard_negative_weight.is_finite() {
            return refuse("hard_negative_weight", self.hard_negative_weight.to_string(), "a number");
        }
        if hard_negatives && self.denominator == Denominator::TwoNMinusOne {
            return refuse("denominator", "2n-1".into(), "n where there are hard negatives");
        }
        self.training().check(section)
    }
}
