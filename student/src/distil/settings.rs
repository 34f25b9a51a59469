//! `[distil]`: the settings of a distillation.

use limbeck_training::settings::at_least_one;
use limbeck_training::training_settings;

use super::losses::{CheckedStudent, Losses};
use crate::config::StudentConfig;
use crate::contrast::check_rate;
use crate::error::{Error, Result};

training_settings! {
    /// How a student is distilled: an example is a text of the cache, the learning rate is that of the table and the
    /// dense parameters, and weight decay is for the dense ones.
    pub struct DistilSettings;
    shared: { epochs: 2, batch: 512, learning_rate: 2e-3, evaluate_every: 200, checkpoint_every: 200 }
    before: {}
    between: {
        /// Dropout rate on the pooled features.
        dropout: f64 = 0.0,
        /// The losses and their weights.
        losses: Losses = Losses::default(),
    }
    after: {
        /// At most about so many texts are seen in all: of much text the student makes fewer passes, at least one.
        #[serde(skip_serializing_if = "Option::is_none")]
        most_texts: Option<usize> = None,
        /// How often a whole document of a collection comes in a pass; any other text comes once, and once for the
        /// count of `most_texts`.
        #[serde(skip_serializing_if = "comes_once")]
        documents: usize = 1,
        /// How many shards' worth of texts, 16,384 each, are shuffled together in memory, taken from all over the
        /// cache; one takes about 25 MB at 384 dimensions.
        window: usize = 4,
    }
}

/// The windows of all epochs are planned before the first step.
const MOST_EPOCHS: usize = 10_000;

fn comes_once(times: &usize) -> bool {
    *times == 1
}

impl DistilSettings {
    /// The passes over `texts` texts: `epochs`, or fewer where `most_texts` asks for it, at least one of these.
    pub fn passes(&self, texts: usize) -> usize {
        let most = self.most_texts.map_or(usize::MAX, |most| (most + texts / 2) / texts.max(1));
        self.epochs.min(most.max(1))
    }

    /// The same settings for a static student, which has no pooled features for dropout to work on.
    pub fn static_control(&self) -> Self {
        Self { dropout: 0.0, losses: self.losses.clone().without_views(), ..self.clone() }
    }

    /// [`DistilSettings::check`], and refuses losses over dropout views that would be the same for a student of this
    /// shape.
    ///
    /// # Errors
    /// Names the first such key.
    pub fn check_for(&self, config: &StudentConfig) -> Result<()> {
        self.check_student(Some(config), None)
    }

    /// [`DistilSettings::check_for`], and refuses what the width of the student's vectors rules out.
    pub(super) fn check_with_dimension(&self, config: &StudentConfig) -> Result<()> {
        self.check_student(Some(config), Some(config.dimension))
    }

    /// Refuses values that are out of range.
    ///
    /// # Errors
    /// Names the first such key.
    pub fn check(&self) -> Result<()> {
        self.check_student(None, None)
    }

    /// Refuses values that are out of range for a student of this shape and width, where these are known.
    fn check_student(&self, config: Option<&StudentConfig>, dimension: Option<usize>) -> Result<()> {
        let most = &format!("at most {MOST_EPOCHS}");
        Error::require(self.epochs <= MOST_EPOCHS, "distil.epochs", self.epochs, most)?;
        check_rate("distil.dropout", self.dropout)?;
        self.losses.check(&CheckedStudent { dropout: self.dropout, config, dimension })?;
        at_least_one("distil", "batch", self.batch as u64)?;
        at_least_one("distil", "window", self.window as u64)?;
        at_least_one("distil", "most_texts", self.most_texts.unwrap_or(1) as u64)?;
        at_least_one("distil", "documents", self.documents as u64)?;
        Ok(self.training().check("distil")?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::losses::{CentredDistance, CosineDistance, InfoNce};
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
    fn the_static_control_takes_the_cosine_where_no_other_loss_is_left() {
        let of = |cosine: f64, centred: f64| {
            let infonce = InfoNce { weight: 0.5, ..InfoNce::default() };
            let (cosine, centred) = (CosineDistance { weight: cosine }, CentredDistance { weight: centred });
            let losses = Losses { cosine, centred, infonce, ..Losses::default() };
            DistilSettings { dropout: 0.1, losses, ..DistilSettings::default() }.static_control()
        };
        assert!(of(0.0, 0.0).check().is_ok());
        assert_eq!(
            [of(0.0, 0.0), of(0.0, 1.0), of(0.5, 0.0)].map(|control| control.losses.cosine.weight),
            [1.0, 0.0, 0.5]
        );
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
    fn much_text_is_passed_over_less_often() {
        let settings = DistilSettings { epochs: 8, most_texts: Some(480_000), ..DistilSettings::default() };
        let passes = [10_000, 60_000, 115_000, 9_000_000].map(|texts| settings.passes(texts));
        assert_eq!(passes, [8, 8, 4, 1]);
        assert_eq!(DistilSettings { epochs: 0, ..settings }.passes(10_000), 0);
        assert_eq!(DistilSettings::default().passes(9_000_000), DistilSettings::default().epochs);
    }

    #[test]
    fn settings_that_cannot_be_are_refused() {
        let broken = [
            DistilSettings { batch: 0, ..Default::default() },
            DistilSettings { learning_rate: f64::NAN, ..Default::default() },
            DistilSettings { dropout: 1.0, ..Default::default() },
            DistilSettings {
                losses: Losses { cosine: CosineDistance { weight: 0.0 }, ..Default::default() },
                ..Default::default()
            },
        ];
        assert!(broken.iter().all(|settings| settings.check().is_err()));
    }
}
