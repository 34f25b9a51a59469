use limbeck_training::losses::Denominator;
use limbeck_training::schedule::Decay;
use serde::{Deserialize, Serialize};

use super::matryoshka::Matryoshka;
use crate::am_softmax::AmSoftmaxLoss;
use crate::config::StudentConfig;
use crate::error::{Error, Result};

/// The student's own dropout contrastive loss: two dropout masks over one pooling, InfoNCE between the two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InfoNce {
    pub weight: f64,
    pub temperature: f64,
    pub denominator: Denominator,
}

impl Default for InfoNce {
    fn default() -> Self {
        Self { weight: 0.0, temperature: 0.05, denominator: Denominator::N }
    }
}

/// KL between the teacher's and the student's distribution of similarities in the batch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RelationalKl {
    pub weight: f64,
    pub temperature: f64,
}

impl Default for RelationalKl {
    fn default() -> Self {
        Self { weight: 0.0, temperature: 0.05 }
    }
}

/// InfoNCE from the student's vectors to the teacher's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContrastiveKd {
    pub weight: f64,
    pub temperature: f64,
}

impl Default for ContrastiveKd {
    fn default() -> Self {
        Self { weight: 0.0, temperature: 0.05 }
    }
}

/// The losses and their weights; a loss of weight 0 is not computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Losses {
    /// Weight of the cosine distance to the cached target.
    pub cosine: f64,
    /// Weight of the same about the mean of all targets: for a teacher whose vectors crowd around one direction.
    #[serde(skip_serializing_if = "is_zero")]
    pub centred: f64,
    pub infonce: InfoNce,
    pub relational_kl: RelationalKl,
    pub contrastive_kd: ContrastiveKd,
    /// Every text of the cache its own class.
    #[serde(skip_serializing_if = "AmSoftmaxLoss::is_off")]
    pub am_softmax: AmSoftmaxLoss,
    #[serde(skip_serializing_if = "Matryoshka::is_off")]
    pub matryoshka: Matryoshka,
}

fn is_zero(weight: &f64) -> bool {
    *weight == 0.0
}

impl Default for Losses {
    fn default() -> Self {
        Self {
            cosine: 1.0,
            centred: 0.0,
            infonce: InfoNce::default(),
            relational_kl: RelationalKl::default(),
            contrastive_kd: ContrastiveKd::default(),
            am_softmax: AmSoftmaxLoss::default(),
            matryoshka: Matryoshka::default(),
        }
    }
}

/// How a student is distilled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DistilSettings {
    /// Passes over the cache.
    pub epochs: usize,
    /// Texts a step.
    pub batch: usize,
    /// Peak learning rate, for the table and the dense parameters alike.
    pub learning_rate: f64,
    /// Share of the steps in which the learning rate rises.
    pub warm_up: f64,
    /// How the learning rate falls after that.
    pub decay: Decay,
    /// Decoupled weight decay of the dense parameters.
    pub weight_decay: f64,
    /// Dropout rate on the pooled features.
    pub dropout: f64,
    pub losses: Losses,
    pub seed: u64,
    /// Steps between two looks at the held-out texts.
    pub evaluate_every: u64,
    /// Steps between two checkpoints.
    pub checkpoint_every: u64,
    /// How many shards' worth of texts, 16,384 each, are shuffled together in memory, taken from all over the cache; one takes about
    /// 25 MB at 384 dimensions.
    pub window: usize,
}

/// The windows of all epochs are planned before the first step.
const MOST_EPOCHS: usize = 10_000;

impl Default for DistilSettings {
    fn default() -> Self {
        Self {
            epochs: 2,
            batch: 512,
            learning_rate: 2e-3,
            warm_up: 0.0,
            decay: Decay::Linear,
            weight_decay: 0.01,
            dropout: 0.0,
            losses: Losses::default(),
            seed: 1,
            evaluate_every: 200,
            checkpoint_every: 200,
            window: 4,
        }
    }
}

impl Losses {
    fn weights(&self) -> [f64; 7] {
        [
            self.cosine,
            self.centred,
            self.infonce.weight,
            self.relational_kl.weight,
            self.contrastive_kd.weight,
            self.am_softmax.weight,
            self.matryoshka.weight,
        ]
    }
}

impl DistilSettings {
    /// The same settings for a static student, which has no pooled features for dropout to work on.
    pub fn static_control(&self) -> Self {
        let losses = Losses {
            infonce: InfoNce { weight: 0.0, ..self.losses.infonce },
            am_softmax: AmSoftmaxLoss { weight: 0.0, ..self.losses.am_softmax },
            ..self.losses.clone()
        };
        // What is learned by these two alone leaves nothing for it: then the targets' cosine.
        let cosine = if losses.weights().iter().all(|&weight| weight == 0.0) { 1.0 } else { losses.cosine };
        Self { dropout: 0.0, losses: Losses { cosine, ..losses }, ..self.clone() }
    }

    /// [`DistilSettings::check`], and refuses what a student of this shape has no use for: losses over dropout views where there is
    /// nothing to drop.
    pub fn check_for(&self, config: &StudentConfig) -> Result<()> {
        self.check()?;
        let (losses, drops) = (&self.losses, self.dropout > 0.0 && config.has_features());
        if losses.infonce.weight > 0.0 && !drops {
            let allowed = "0 for a student without convolutions and attention: its views would be the same".into();
            let value = losses.infonce.weight.to_string();
            return Err(Error::Setting { name: "distil.losses.infonce.weight", value, allowed });
        }
        if losses.am_softmax.is_off() { Ok(()) } else { losses.am_softmax.classes().check(drops) }
    }

    /// Refuses settings that can't be.
    pub fn check(&self) -> Result<()> {
        let refuse = |name, value: String, allowed: &str| Err(Error::Setting { name, value, allowed: allowed.into() });
        let losses = &self.losses;
        let weights = losses.weights();
        if !weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0) {
            return refuse("a loss's weight", format!("{weights:?}"), "0 or above");
        }
        if weights.iter().all(|&weight| weight == 0.0) {
            return refuse("the sum of the losses' weights", "0".into(), "above 0");
        }
        let temperatures = [
            losses.infonce.temperature,
            losses.relational_kl.temperature,
            losses.contrastive_kd.temperature,
            losses.matryoshka.temperature,
        ];
        if !temperatures.iter().all(|t| t.is_finite() && *t > 0.0) {
            return refuse("a loss's temperature", format!("{temperatures:?}"), "above 0");
        }
        if self.epochs > MOST_EPOCHS {
            return refuse("distil.epochs", self.epochs.to_string(), &format!("at most {MOST_EPOCHS}"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return refuse("distil.dropout", self.dropout.to_string(), "from 0 to below 1");
        }
        if losses.infonce.weight > 0.0 && self.dropout == 0.0 {
            return refuse(
                "distil.dropout",
                "0".into(),
                "above 0 where losses.infonce has a weight: the views differ by it",
            );
        }
        if !losses.am_softmax.is_off() {
            losses.am_softmax.classes().check(self.dropout > 0.0)?;
        }
        for (name, value) in [
            ("distil.batch", self.batch as u64),
            ("distil.window", self.window as u64),
            ("distil.evaluate_every", self.evaluate_every),
            ("distil.checkpoint_every", self.checkpoint_every),
        ] {
            if value == 0 {
                return refuse(name, "0".into(), "at least 1");
            }
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return refuse("distil.learning_rate", self.learning_rate.to_string(), "above 0");
        }
        if !(0.0..=1.0).contains(&self.warm_up) {
            return refuse("distil.warm_up", self.warm_up.to_string(), "from 0 to 1");
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return refuse("distil.weight_decay", self.weight_decay.to_string(), "0 or above");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infonce_without_dropout_is_refused_since_its_views_would_be_the_same() {
        let mut settings = DistilSettings::default();
        settings.losses.infonce.weight = 0.1;
        assert!(settings.check().unwrap_err().to_string().contains("dropout"));
        settings.dropout = 0.1;
        assert!(settings.check().is_ok() && settings.static_control().check().is_ok());
    }

    #[test]
    fn the_static_control_learns_by_the_cosine_where_its_students_losses_are_not_for_it() {
        let of = |cosine: f64, centred: f64| {
            let infonce = InfoNce { weight: 0.5, ..InfoNce::default() };
            let losses = Losses { cosine, centred, infonce, ..Losses::default() };
            DistilSettings { dropout: 0.1, losses, ..DistilSettings::default() }.static_control()
        };
        assert!(of(0.0, 0.0).check().is_ok());
        assert_eq!([of(0.0, 0.0), of(0.0, 1.0), of(0.5, 0.0)].map(|control| control.losses.cosine), [1.0, 0.0, 0.5]);
    }

    #[test]
    fn am_softmax_is_seen_in_the_settings_only_where_it_has_a_weight() {
        let mut settings = DistilSettings { dropout: 0.1, ..Default::default() };
        let text = |settings: &DistilSettings| serde_json::to_string(settings).unwrap();
        assert!(!text(&settings).contains("am_softmax"));
        settings.losses.am_softmax.weight = 0.1;
        assert!(settings.check().is_ok() && text(&settings).contains("am_softmax"));
        assert!(!text(&settings.static_control()).contains("am_softmax") && settings.static_control().check().is_ok());
        settings.dropout = 0.0;
        assert!(settings.check().unwrap_err().to_string().contains("views"));
    }

    #[test]
    fn settings_that_cannot_be_are_refused() {
        let broken = [
            DistilSettings { batch: 0, ..Default::default() },
            DistilSettings { learning_rate: f64::NAN, ..Default::default() },
            DistilSettings { dropout: 1.0, ..Default::default() },
            DistilSettings { losses: Losses { cosine: 0.0, ..Default::default() }, ..Default::default() },
        ];
        assert!(broken.iter().all(|settings| settings.check().is_err()));
    }
}
