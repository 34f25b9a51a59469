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
        let &Self { batch, temperature, hard_negative_weight: weight, denominator, .. } = self;
        Error::require(batch >= 2, "simcse.batch", batch, "at least 2: the others are the negatives")?;
        Error::require(temperature > 0.0 && temperature.is_finite(), "simcse.temperature", temperature, "above 0")?;
        Error::require(weight.is_finite(), "simcse.hard_negative_weight", weight, "a number")?;
        let fits = !hard_negatives || denominator == Denominator::N;
        Error::require(fits, "simcse.denominator", "2n-1", "n where there are hard negatives")?;
        self.training().check(section)
    }
}
