//! The learning rate over the steps of a run.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How the learning rate falls after the warm-up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// Not at all.
    Constant,
    /// Linearly to zero, which the step after the last would have.
    #[default]
    Linear,
    /// Along half a cosine to zero at that step.
    Cosine,
}

/// Linear warm-up from zero, then [`Decay`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    peak: f64,
    warm_up: u64,
    total: u64,
    decay: Decay,
}

impl Schedule {
    /// A schedule over `total` steps, the first `warm_up_share` of them (0 to 1) warming up to `peak`.
    ///
    /// # Errors
    /// A `peak` that is not a positive number, and a share outside 0 to 1.
    pub fn new(peak: f64, warm_up_share: f64, total: u64, decay: Decay) -> Result<Self> {
        Error::require(peak > 0.0 && peak.is_finite(), "learning_rate", peak, "above 0")?;
        Error::require((0.0..=1.0).contains(&warm_up_share), "warm_up", warm_up_share, "from 0 to 1")?;
        Ok(Self { peak, warm_up: (warm_up_share * total as f64).round() as u64, total, decay })
    }

    /// The learning rate of `step`, counted from 1.
    pub fn learning_rate(&self, step: u64) -> f64 {
        if step <= self.warm_up {
            return self.peak * step as f64 / self.warm_up as f64;
        }
        let falling = (self.total - self.warm_up).max(1) as f64;
        let left = ((self.total.saturating_sub(step) as f64 + 1.0) / (falling + 1.0)).min(1.0);
        match self.decay {
            Decay::Constant => self.peak,
            Decay::Linear => self.peak * left,
            Decay::Cosine => self.peak * 0.5 * (1.0 + (std::f64::consts::PI * (1.0 - left)).cos()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_warms_up_to_the_peak_and_falls_towards_zero() {
        let schedule = Schedule::new(1.0, 0.1, 100, Decay::Linear).unwrap();
        assert_eq!(schedule.learning_rate(5), 0.5);
        assert_eq!(schedule.learning_rate(10), 1.0);
        let falling: Vec<f64> = (10..=100).map(|step| schedule.learning_rate(step)).collect();
        assert!(falling.windows(2).all(|pair| pair[1] < pair[0]));
        let last = *falling.last().unwrap();
        assert!(last > 0.0 && last < 0.02, "{last}");
    }

    #[test]
    fn a_constant_schedule_stays() {
        let schedule = Schedule::new(0.3, 0.0, 10, Decay::Constant).unwrap();
        assert!((1..=10).all(|step| schedule.learning_rate(step) == 0.3));
    }

    #[test]
    fn a_cosine_ends_where_a_line_ends() {
        let schedule = Schedule::new(1.0, 0.0, 10, Decay::Cosine).unwrap();
        assert!(schedule.learning_rate(10) < 0.03 && schedule.learning_rate(1) > 0.97);
    }

    #[test]
    fn a_rate_of_zero_is_refused() {
        assert!(Schedule::new(0.0, 0.1, 10, Decay::Linear).is_err());
        assert!(Schedule::new(f64::NAN, 0.1, 10, Decay::Linear).is_err());
        assert!(Schedule::new(0.1, 1.5, 10, Decay::Linear).is_err());
    }
}
