use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::Device;
use limbeck_data::Interrupt;
use limbeck_data::progress::{Progress, Silent};
use limbeck_encoder::Encoder;
use limbeck_training::contrastive::DevScores;
use serde_json::Value;

use super::*;
use crate::config::{ARCHITECTURE, ConvolutionConfig, StudentConfig};
use crate::contrast::unlearned;
use crate::test_support::{StopAt, word_tokenizer};

/// An untrained student, with a tokenizer of a few words.
fn student() -> StudentFolder {
    let tokenizer = word_tokenizer();
    let config = StudentConfig {
        architecture: ARCHITECTURE.into(),
        vocabulary: tokenizer.vocabulary() + 1,
        embedding: 8,
        dimension: 6,
        convolutions: vec![ConvolutionConfig { width: 3, filters: 16 }],
        attention: None,
        skip: true,
        max_tokens: None,
    };
    unlearned(config, tokenizer, 4).unwrap()
}

fn texts() -> Vec<String> {
    let mut texts = Vec::new();
    for subject in ["dog", "cat", "river", "house"] {
        for verb in ["sees", "hears"] {
            for object in ["dog", "cat", "river", "house"] {
                for adjective in ["old", "new"] {
                    texts.push(format!("the {adjective} {subject} {verb} a {object}"));
                }
            }
        }
    }
    texts
}

fn settings() -> AmSoftmaxSettings {
    AmSoftmaxSettings {
        epochs: 10,
        batch: 8,
        learning_rate: 5e-3,
        views: 4,
        sampled_classes: 20,
        checkpoint_every: 4,
        evaluate_every: 10,
        ..AmSoftmaxSettings::default()
    }
}

fn learn(
    folder: &Path,
    settings: &AmSoftmaxSettings,
    dev: Option<&dyn Dev>,
    (progress, interrupt): (&dyn Progress, &Interrupt),
) -> Result<ContrastiveSummary> {
    let (metrics, texts) = (folder.join("metrics.jsonl"), texts());
    let sentences = Sentences::Texts(&texts);
    let job = AmSoftmaxJob { sentences, settings, dev, folder, metrics, stage: "am-softmax" };
    train(student(), &job, Monitor::new(progress, interrupt))
}

fn losses(folder: &Path) -> Vec<f64> {
    let log = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter_map(|line| line["loss"].as_f64()).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_loss_falls_and_only_the_student_is_left() {
    for embedding_dropout in [0.0, 0.05] {
        let folder = tempfile::tempdir().unwrap();
        let settings = AmSoftmaxSettings { embedding_dropout, ..settings() };
        let summary = learn(folder.path(), &settings, None, (&Silent, &Interrupt::new())).unwrap();
        assert_eq!((summary.steps, summary.examples), (80, 64));
        let losses = losses(folder.path());
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        assert!(mean(&losses[72..]) < 0.8 * mean(&losses[..8]), "{losses:?}");
        assert_eq!(names(folder.path()), ["config.json", "metrics.jsonl", "model.safetensors", "tokenizer.json"]);
        assert_eq!(StudentFolder::open(folder.path(), &Device::Cpu).unwrap().origin["classes"], 64);
    }
}

#[test]
fn a_resumed_training_ends_in_the_same_bytes_whatever_the_working_centres_hold() {
    let calm = tempfile::tempdir().unwrap();
    learn(calm.path(), &settings(), None, (&Silent, &Interrupt::new())).unwrap();
    let stopped = tempfile::tempdir().unwrap();
    for step in [3, 7, 22] {
        let interrupt = Interrupt::new();
        let stop = StopAt::new(step, &interrupt);
        assert!(learn(stopped.path(), &settings(), None, (&stop, &interrupt)).is_err());
        assert!(stopped.path().join(format!("centres.{step}.f32")).is_file(), "{:?}", names(stopped.path()));
        // As if the process had taken some more steps before it was killed: the file was changed in place.
        let working = stopped.path().join("centres.f32");
        let noise: Vec<u8> = std::fs::read(&working).unwrap().iter().map(|byte| byte.wrapping_add(1)).collect();
        std::fs::write(&working, noise).unwrap();
    }
    learn(stopped.path(), &settings(), None, (&Silent, &Interrupt::new())).unwrap();
    for name in names(calm.path()) {
        let of = |folder: &Path| std::fs::read(folder.join(&name)).unwrap();
        assert!(of(calm.path()) == of(stopped.path()), "{name} differs");
    }
}

#[test]
fn a_checkpoint_of_other_settings_is_neither_resumed_nor_lost() {
    let folder = tempfile::tempdir().unwrap();
    let interrupt = Interrupt::new();
    let stop = StopAt::new(9, &interrupt);
    assert!(learn(folder.path(), &settings(), None, (&stop, &interrupt)).is_err());
    let other = AmSoftmaxSettings { margin: 0.2, ..settings() };
    let before = names(folder.path());
    let error = learn(folder.path(), &other, None, (&Silent, &Interrupt::new())).unwrap_err();
    assert!(error.to_string().contains("of another training"), "{error}");
    assert_eq!(names(folder.path()), before);
    learn(folder.path(), &settings(), None, (&Silent, &Interrupt::new())).unwrap();
}

/// The third evaluation, after step 20, has the best score.
struct ThirdIsBest(AtomicU64);

impl Dev for ThirdIsBest {
    fn scores(&self, _: &dyn Encoder) -> std::result::Result<DevScores, Box<dyn std::error::Error + Send + Sync>> {
        let at = self.0.fetch_add(1, Ordering::Relaxed);
        Ok(DevScores { spearman: if at == 2 { 50.0 } else { 10.0 }, alignment: None, uniformity: None })
    }

    fn hash(&self) -> String {
        "dev".into()
    }
}

#[test]
fn the_weights_of_the_best_dev_score_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let summary =
        learn(folder.path(), &settings(), Some(&ThirdIsBest(AtomicU64::new(0))), (&Silent, &Interrupt::new())).unwrap();
    assert_eq!(summary.best, Some((50.0, 20)));
}

#[test]
fn a_teacher_s_centres_need_a_cache() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = AmSoftmaxSettings { centres: CentreStart::Teacher, ..settings() };
    let message = learn(folder.path(), &wanted, None, (&Silent, &Interrupt::new())).unwrap_err().to_string();
    assert!(message.contains("cache"), "{message}");
}
