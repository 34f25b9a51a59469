//! The loop on a learner of two values, whatever they mean.

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::DType;
use limbeck_data::progress::{Bar, Progress, Silent};
use limbeck_data::{Interrupt, is_interrupted};
use serde_json::Value;

use super::*;
use crate::checkpoint::{NamedTensors, SavedTensors, Stored, save};
use crate::error::Result;
use crate::random::Random;

/// Four windows of five steps, two windows an epoch; an example is a random number.
struct Numbers;

impl Batches for Numbers {
    type Window = Vec<f32>;
    type Batch = f32;
    type Error = Error;

    fn steps(&self) -> u64 {
        20
    }

    fn span(&self, step: u64) -> Span {
        let window = (step - 1) / 5;
        Span { window: window as usize, epoch: window / 2, steps: window * 5 + 1..window * 5 + 6 }
    }

    fn read(&self, span: &Span) -> Result<Vec<f32>> {
        let mut random = Random::new(1, &[span.window as u64]);
        Ok((0..5).map(|_| random.uniform() as f32).collect())
    }

    fn batch(&self, window: &Vec<f32>, step: u64) -> Result<f32> {
        Ok(window[(step as usize - 1) % 5])
    }

    fn describe(&self, window: &Vec<f32>, step: u64) -> Result<String> {
        Ok(format!("{}\n", self.batch(window, step)?))
    }

    fn identity(&self) -> Value {
        json!("numbers")
    }
}

/// The weight follows the examples, the moment remembers their sum; a file of its own counts the steps.
struct Follower<'a> {
    weight: f32,
    moment: f32,
    folder: &'a Path,
    counted: u64,
    /// The loss of this step is not a number.
    diverges_at: u64,
    /// The score after a step.
    score: fn(&Self) -> f64,
    /// The evaluations so far, and those that are interrupted.
    evaluations: Cell<u64>,
    interrupted_at: &'a [u64],
}

impl<'a> Follower<'a> {
    fn new(folder: &'a Path) -> Self {
        let score = |follower: &Self| f64::from(follower.weight * 7.0).sin();
        let (evaluations, interrupted_at) = (Cell::new(0), &[][..]);
        Self { weight: 0.0, moment: 0.0, folder, counted: 0, diverges_at: 0, score, evaluations, interrupted_at }
    }

    fn file(&self, step: u64) -> std::path::PathBuf {
        self.folder.join(format!("count.{step}"))
    }
}

impl Learner for Follower<'_> {
    type Batch = f32;
    type Error = Error;

    fn identity(&self) -> Value {
        json!("follower")
    }

    fn step(&mut self, &example: &f32, step: u64, rate: f64) -> Result<StepOutcome> {
        if step == self.diverges_at {
            return Ok(StepOutcome { loss: f64::NAN, gradient_norm: 0.0 });
        }
        self.counted += 1;
        self.moment += example;
        self.weight += rate as f32 * (example + self.moment);
        Ok(StepOutcome { loss: f64::from(example), gradient_norm: 1.0 })
    }

    fn measure(&self, monitor: Monitor) -> Result<Option<Measurement>> {
        self.evaluations.set(self.evaluations.get() + 1);
        if self.interrupted_at.contains(&self.evaluations.get()) {
            monitor.interrupt.set();
            monitor.check().map_err(limbeck_data::Error::from)?;
        }
        let metric = Metric { key: "score", name: "score", decimals: 2 };
        Ok(Some(Measurement { metric, score: (self.score)(self), alignment: Some(1.0), uniformity: None }))
    }

    fn weights(&self) -> NamedTensors<'_> {
        vec![("weight".into(), Stored::rows(std::slice::from_ref(&self.weight), 1))]
    }

    fn moments(&self) -> NamedTensors<'_> {
        vec![("weight.m".into(), Stored::rows(std::slice::from_ref(&self.moment), 1))]
    }

    fn set_weights(&mut self, saved: &SavedTensors) -> Result<()> {
        self.weight = saved.fitting("weight", &[1, 1], DType::F32)?.to_vec2().unwrap()[0][0];
        Ok(())
    }

    fn restore(&mut self, saved: &SavedTensors, step: u64) -> Result<()> {
        self.set_weights(saved)?;
        self.moment = saved.fitting("weight.m", &[1, 1], DType::F32)?.to_vec2().unwrap()[0][0];
        self.counted = u64::from_le_bytes(std::fs::read(self.file(step)).unwrap().try_into().unwrap());
        Ok(())
    }

    fn before_checkpoint(&mut self, step: u64) -> Result<()> {
        Ok(files::write_bytes(&self.file(step), &self.counted.to_le_bytes())?)
    }

    fn after_checkpoint(&mut self, step: u64) -> Result<()> {
        (0..step).for_each(|step| drop(std::fs::remove_file(self.file(step))));
        Ok(())
    }
}

fn settings() -> TrainingSettings {
    TrainingSettings { learning_rate: 0.1, evaluate_every: 3, checkpoint_every: 4, ..TrainingSettings::default() }
}

fn run(learner: &mut Follower, progress: &dyn Progress, interrupt: &Interrupt) -> Result<FitSummary> {
    let folder = learner.folder;
    let job = FitJob { folder, metrics: &folder.join("metrics.jsonl"), stage: "toy", patience: 2 };
    fit(learner, &Numbers, &settings(), &job, Monitor::new(progress, interrupt))
}

/// Runs in a folder of its own to the end.
fn whole(folder: &Path) -> (FitSummary, u32) {
    let mut learner = Follower::new(folder);
    let summary = run(&mut learner, &Silent, &Interrupt::new()).unwrap();
    (summary, learner.weight.to_bits())
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap()
}

/// Asks for a stop once so many steps are done.
struct StopAt<'a> {
    step: u64,
    steps: AtomicU64,
    interrupt: &'a Interrupt,
}

impl Progress for StopAt<'_> {
    fn stage(&self, _what: &str, _total: Option<u64>, _unit: &str) -> Box<dyn Bar + '_> {
        Box::new(Steps(self))
    }

    fn note(&self, _line: &str) {}
}

struct Steps<'a>(&'a StopAt<'a>);

impl Bar for Steps<'_> {
    fn add(&self, n: u64) {
        if self.0.steps.fetch_add(n, Ordering::Relaxed) + n == self.0.step {
            self.0.interrupt.set();
        }
    }

    fn set(&self, _message: &str) {}
}

#[test]
fn a_training_stopped_anywhere_ends_in_the_same_bytes() {
    let calm = tempfile::tempdir().unwrap();
    let (summary, weight) = whole(calm.path());
    let folder = tempfile::tempdir().unwrap();
    for step in [2, 3, 5, 8, 13, 19] {
        let interrupt = Interrupt::new();
        let stop = StopAt { step, steps: AtomicU64::new(0), interrupt: &interrupt };
        let error = run(&mut Follower::new(folder.path()), &stop, &interrupt).unwrap_err();
        assert!(matches!(error, Error::Interrupted { step: at, total: 20 } if at == step), "{error:?}");
        assert!(is_interrupted(&error));
    }
    let mut learner = Follower::new(folder.path());
    assert_eq!(run(&mut learner, &Silent, &Interrupt::new()).unwrap(), summary);
    assert_eq!((learner.weight.to_bits(), learner.counted), (weight, 20));
    assert_eq!(log(folder.path()), log(calm.path()));
}

#[test]
fn an_evaluation_that_was_interrupted_is_repeated() {
    let calm = tempfile::tempdir().unwrap();
    let (summary, weight) = whole(calm.path());
    let folder = tempfile::tempdir().unwrap();
    // Each time the first, which is the one that was interrupted before, and the next but one.
    for (evaluation, expected) in [(1, 0), (2, 3), (1, 3), (3, 9)] {
        let interrupted_at = [evaluation];
        let mut learner = Follower { interrupted_at: &interrupted_at, ..Follower::new(folder.path()) };
        let error = run(&mut learner, &Silent, &Interrupt::new()).unwrap_err();
        assert!(matches!(error, Error::Interrupted { step, .. } if step == expected), "{error:?} at {expected}");
    }
    let mut learner = Follower::new(folder.path());
    assert_eq!(run(&mut learner, &Silent, &Interrupt::new()).unwrap(), summary);
    assert_eq!(learner.weight.to_bits(), weight);
    assert_eq!(log(folder.path()), log(calm.path()));
}

#[test]
fn the_weights_of_the_best_score_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut learner =
        Follower { score: |follower| -(follower.counted as f64 - 9.0).abs(), ..Follower::new(folder.path()) };
    let summary = run(&mut learner, &Silent, &Interrupt::new()).unwrap();
    assert_eq!((summary.start, summary.best), (Some(-9.0), Some((0.0, 9))));
    let best =
        candle_core::safetensors::load(folder.path().join("best.safetensors"), &candle_core::Device::Cpu).unwrap();
    assert_eq!(best["weight"].to_vec2::<f32>().unwrap(), [[learner.weight]]);
}

#[test]
fn a_loss_that_is_not_a_number_leaves_its_examples_and_the_weights_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut learner = Follower { diverges_at: 7, ..Follower::new(folder.path()) };
    let error = run(&mut learner, &Silent, &Interrupt::new()).unwrap_err();
    let Error::Diverged { step: 7, batch, checkpoint } = &error else { panic!("{error:?}") };
    let window = Numbers.read(&Numbers.span(7)).unwrap();
    assert_eq!(std::fs::read_to_string(batch).unwrap(), format!("{}\n", window[1]));
    let weights = candle_core::safetensors::load(checkpoint, &candle_core::Device::Cpu).unwrap();
    assert_eq!(weights["weight"].to_vec2::<f32>().unwrap(), [[learner.weight]]);
    assert!(error.hint().unwrap().contains("learning_rate"));
}

#[test]
fn weights_that_are_not_finite_are_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let mut learner = Follower { score: |_| 0.0, ..Follower::new(folder.path()) };
    learner.moment = f32::INFINITY;
    let error = run(&mut learner, &Silent, &Interrupt::new()).unwrap_err();
    assert!(matches!(error, Error::NotFinite { step: 4, .. }), "{error:?}");
    let state = CheckpointFiles::new(folder.path()).state::<TrainingState>().unwrap().unwrap();
    assert_eq!(state.step, 0);
}

#[test]
fn a_score_that_is_not_finite_ends_the_training() {
    let folder = tempfile::tempdir().unwrap();
    let score = |follower: &Follower| if follower.counted < 5 { 0.0 } else { f64::NAN };
    let error = run(&mut Follower { score, ..Follower::new(folder.path()) }, &Silent, &Interrupt::new()).unwrap_err();
    assert!(error.to_string().starts_with("the score is not finite at step 6"), "{error}");
}

#[test]
fn a_checkpoint_of_an_older_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    // As the contrastive trainings wrote it before this format.
    let old = json!({"identity": "{}", "step": 3, "unseen": null, "start": 0.5, "best": [0.5, 0]});
    let path = CheckpointFiles::new(folder.path()).checkpoint();
    save(&path, &[("weight".into(), Stored::rows(&[0f32], 1))], &old).unwrap();
    let error = run(&mut Follower::new(folder.path()), &Silent, &Interrupt::new()).unwrap_err();
    assert!(matches!(error, Error::CheckpointFormat { found: 1, .. }), "{error:?}");
    assert!(error.to_string().contains("checkpoint.safetensors") && error.hint().unwrap().contains("delete"));
    assert!(path.is_file());
}

#[test]
fn a_checkpoint_of_another_training_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = run(&mut Follower { diverges_at: 5, ..Follower::new(folder.path()) }, &Silent, &Interrupt::new());
    assert!(error.is_err());
    let mut state: Value = CheckpointFiles::new(folder.path()).state().unwrap().unwrap();
    state["identity"] = json!("another");
    save(&folder.path().join("checkpoint.safetensors"), &[], &state).unwrap();
    let error = run(&mut Follower::new(folder.path()), &Silent, &Interrupt::new()).unwrap_err();
    assert!(matches!(error, Error::OtherTraining { .. }), "{error:?}");
}

/// Collects notes.
#[derive(Default)]
struct Notes(std::sync::Mutex<Vec<String>>);

impl Progress for Notes {
    fn stage(&self, what: &str, total: Option<u64>, unit: &str) -> Box<dyn Bar + '_> {
        Silent.stage(what, total, unit)
    }

    fn note(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

#[test]
fn a_score_that_stays_below_its_best_is_warned_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let notes = Notes::default();
    let mut learner = Follower { score: |follower| 10.0 - follower.counted as f64, ..Follower::new(folder.path()) };
    run(&mut learner, &notes, &Interrupt::new()).unwrap();
    let notes = notes.0.into_inner().unwrap();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("the score is 4.00; its best, 10.00, was at step 0"), "{notes:?}");
    assert_eq!(learner.weight, 0.0);
}
