//! A student that learns by SimCSE.

use candle_core::Tensor;
use limbeck_data::Monitor;
use limbeck_training::checkpoint::{NamedTensors, SavedTensors};
use limbeck_training::contrastive::{ContrastiveSettings, ExampleBatch, loss};
use limbeck_training::random::Random;
use limbeck_training::{Learner, Measurement, StepOutcome};
use serde_json::{Value, json};

use super::ContrastSettings;
use super::encoding::EncodingStudent;
use super::views::{pooled_apart, views};
use crate::error::{Error, Result};
use crate::model::TokenRows;

/// The random stream of dropout.
const DROPOUT: u64 = 31;

/// A student in SimCSE training.
pub(super) struct StudentLearner<'a> {
    pub(super) student: EncodingStudent<'a>,
    pub(super) settings: &'a ContrastSettings,
    pub(super) simcse: &'a ContrastiveSettings,
}

impl StudentLearner<'_> {
    /// The vectors of all views, one view after another, and the rows that they come from. The views of the same texts
    /// share one pooling.
    fn vectors(&self, batch: &ExampleBatch, random: &mut Random) -> Result<(Tensor, TokenRows)> {
        let (student, count) = (&self.student.student, batch.view_count());
        let same = match &batch.views[..] {
            [_] => true,
            [first, second] => first.iter().eq(second.iter()),
            _ => false,
        };
        if same {
            let texts = &batch.views[0];
            let rows = student.model.rows(texts)?;
            return Ok((views(student, (texts, &rows), count, self.settings, random)?, rows));
        }
        let rows = student.model.rows(&batch.side_by_side())?;
        Ok((pooled_apart(student, &rows, &rows.tokens, count, self.settings, random)?, rows))
    }
}

impl Learner for StudentLearner<'_> {
    type Batch = ExampleBatch;
    type Error = Error;

    fn identity(&self) -> Value {
        json!({"student": self.student.identity(), "dropout": self.settings, "settings": self.simcse})
    }

    fn step(&mut self, batch: &ExampleBatch, step: u64, rate: f64) -> Result<StepOutcome> {
        let mut random = Random::new(self.simcse.seed, &[DROPOUT, step]);
        let (vectors, rows) = self.vectors(batch, &mut random)?;
        let loss = loss(self.simcse, &vectors, batch.view_count()).map_err(Error::tensor("SimCSE"))?;
        self.student.student.update(&loss, &rows, step, rate)
    }

    fn measure(&self, _monitor: Monitor) -> Result<Option<Measurement>> {
        self.student.measure()
    }

    fn weights(&self) -> NamedTensors<'_> {
        self.student.student.model.weights()
    }

    fn moments(&self) -> NamedTensors<'_> {
        self.student.student.moments()
    }

    fn set_weights(&mut self, saved: &SavedTensors) -> Result<()> {
        self.student.student.set_weights(saved)
    }

    fn restore(&mut self, saved: &SavedTensors, _step: u64) -> Result<()> {
        self.student.student.restore(saved)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use limbeck_encoder::Tokenizer;
    use limbeck_training::checkpoint::Stored;

    use super::*;
    use crate::config::{ARCHITECTURE, AttentionConfig, ConvolutionConfig, StudentConfig};
    use crate::contrast::unlearned;
    use crate::folder::StudentFolder;

    const TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "unk_token": "[UNK]",
            "vocab": {"[UNK]": 0, "a": 1, "b": 2, "c": 3, "d": 4, "e": 5}}}"#;

    fn student() -> StudentFolder {
        let config = StudentConfig {
            architecture: ARCHITECTURE.into(),
            vocabulary: 7,
            embedding: 8,
            dimension: 12,
            convolutions: vec![ConvolutionConfig { width: 3, filters: 6 }],
            attention: Some(AttentionConfig { heads: 2, width: 3, filters: 4, values: None }),
            skip: true,
            max_tokens: None,
        };
        unlearned(config, Tokenizer::from_bytes(TOKENIZER.as_bytes(), Path::new("t.json")).unwrap(), 3).unwrap()
    }

    fn learner<'a>(settings: &'a ContrastSettings, simcse: &'a ContrastiveSettings) -> StudentLearner<'a> {
        let student = EncodingStudent::new(student(), simcse.weight_decay, None).unwrap();
        StudentLearner { student, settings, simcse }
    }

    fn batch(learner: &StudentLearner) -> ExampleBatch {
        let view = learner.student.tokenise(&["a b c", "d", "e a e b", "c c"]).unwrap();
        ExampleBatch { examples: (0..4).collect(), views: vec![view] }
    }

    fn close(a: &[(String, Stored)], b: &[(String, Stored)]) -> f32 {
        let numbers = |stored: &Stored| stored.to_tensor().unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let off = |((_, a), (_, b)): (&(String, Stored), &(String, Stored))| {
            numbers(a).iter().zip(numbers(b)).fold(0f32, |off, (x, y)| off.max((x - y).abs()))
        };
        a.iter().zip(b).map(off).fold(0f32, f32::max)
    }

    #[test]
    fn both_paths_to_a_second_view_agree_where_nothing_is_dropped() {
        let simcse = ContrastiveSettings::default();
        // So small a rate drops none of so few values, but takes the path of embeddings with masks of their own.
        let tiny = ContrastSettings { dropout: 0.0, embedding_dropout: 1e-9 };
        let none = ContrastSettings { dropout: 0.0, embedding_dropout: 0.0 };
        let mut shared = learner(&none, &simcse);
        let mut apart = learner(&tiny, &simcse);
        let batch = batch(&shared);
        let [one, two] = [&mut shared, &mut apart].map(|learner| learner.step(&batch, 1, 1e-3).unwrap());
        assert!((one.loss - two.loss).abs() < 1e-5, "{one:?}, {two:?}");
        assert!((one.gradient_norm - two.gradient_norm).abs() < 1e-4 * one.gradient_norm, "{one:?}, {two:?}");
        assert!(close(&shared.moments(), &apart.moments()) < 1e-5);
    }

    #[test]
    fn views_differ_by_either_dropout_and_the_loss_falls() {
        let simcse = ContrastiveSettings::default();
        for (dropout, embedding_dropout) in [(0.3, 0.0), (0.0, 0.3), (0.2, 0.2)] {
            let settings = ContrastSettings { dropout, embedding_dropout };
            let mut learner = learner(&settings, &simcse);
            let batch = batch(&learner);
            let losses: Vec<f64> = (1..=60).map(|step| learner.step(&batch, step, 5e-3).unwrap().loss).collect();
            let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
            assert_ne!(losses[0], losses[1]);
            assert!(mean(&losses[50..]) < 0.9 * mean(&losses[..10]), "{losses:?}");
        }
    }

    #[test]
    fn a_restored_learner_takes_the_same_step() {
        let (simcse, settings) = (ContrastiveSettings::default(), ContrastSettings::default());
        let mut whole = learner(&settings, &simcse);
        let batch = batch(&whole);
        for step in 1..=2 {
            whole.step(&batch, step, 1e-2).unwrap();
        }
        let mut kept = whole.weights();
        kept.extend(whole.moments());
        let saved = SavedTensors::copy_of(&kept).unwrap();
        let mut resumed = learner(&settings, &simcse);
        resumed.restore(&saved, 2).unwrap();
        for learner in [&mut whole, &mut resumed] {
            learner.step(&batch, 3, 1e-2).unwrap();
        }
        assert_eq!(close(&whole.weights(), &resumed.weights()), 0.0);
    }
}
