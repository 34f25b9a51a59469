//! How models are trained in limbeck: one trainer, losses, optimisers, checkpoints and the metrics log.
//!
//! ```text
//!             Batches                          Learner
//!   windows read ahead on a thread      step, measure, weights, moments
//!                │                                 │
//!                └────────────► fit ◄──────────────┘
//!                                │
//!      every step                ├─► metrics.jsonl
//!      every `evaluate_every`    ├─► best.safetensors, when the score is the best so far
//!      every `checkpoint_every`  └─► checkpoint.safetensors; a training that was stopped resumes there
//! ```
//!
//! Nothing here knows a model: a loss maps tensors to a scalar tensor, an optimiser updates named variables, and
//! [`fit()`] drives any [`Learner`] over any [`Batches`]. Distillation, SimCSE and AM-softmax are three such pairs. All
//! random numbers are functions of a seed, a purpose and a step ([`random::Random`]), so that a training that was
//! stopped and resumed ends in the same bytes as one that ran through.
//!
//! # Example
//!
//! A learner that fits one number to the mean of its examples:
//!
//! ```
//! use limbeck_data::{Interrupt, Monitor, progress::Silent};
//! use limbeck_training::checkpoint::{NamedTensors, SavedTensors, Stored};
//! use limbeck_training::{Batches, Error, FitJob, Learner, Measurement, Metric, Result, Span, StepOutcome};
//! use limbeck_training::{fit, settings::TrainingSettings};
//! use serde_json::{Value, json};
//!
//! /// Two examples, one a step, over and over.
//! struct Examples([f32; 2]);
//!
//! impl Batches for Examples {
//!     type Window = ();
//!     type Batch = f32;
//!     type Error = Error;
//!
//!     fn steps(&self) -> u64 {
//!         200
//!     }
//!     fn span(&self, _step: u64) -> Span {
//!         Span { window: 0, epoch: 0, steps: 1..201 }
//!     }
//!     fn read(&self, _window: &Span) -> Result<()> {
//!         Ok(())
//!     }
//!     fn batch(&self, _window: &(), step: u64) -> Result<f32> {
//!         Ok(self.0[step as usize % 2])
//!     }
//!     fn describe(&self, _window: &(), step: u64) -> Result<String> {
//!         Ok(format!("{}\n", self.0[step as usize % 2]))
//!     }
//!     fn identity(&self) -> Value {
//!         json!(self.0)
//!     }
//! }
//!
//! struct Mean(Vec<f32>);
//!
//! impl Learner for Mean {
//!     type Batch = f32;
//!     type Error = Error;
//!
//!     fn identity(&self) -> Value {
//!         json!("mean")
//!     }
//!     fn step(&mut self, example: &f32, _step: u64, rate: f64) -> Result<StepOutcome> {
//!         let gradient = self.0[0] - example;
//!         self.0[0] -= rate as f32 * gradient;
//!         Ok(StepOutcome { loss: f64::from(gradient * gradient / 2.0), gradient_norm: f64::from(gradient.abs()) })
//!     }
//!     fn measure(&self, _monitor: Monitor) -> Result<Option<Measurement>> {
//!         let metric = Metric { key: "nearness", name: "nearness", decimals: 3 };
//!         let score = -f64::from((self.0[0] - 2.0).abs());
//!         Ok(Some(Measurement { metric, score, alignment: None, uniformity: None }))
//!     }
//!     fn weights(&self) -> NamedTensors<'_> {
//!         vec![("mean".into(), Stored::rows(&self.0, 1))]
//!     }
//!     fn moments(&self) -> NamedTensors<'_> {
//!         Vec::new()
//!     }
//!     fn set_weights(&mut self, saved: &SavedTensors) -> Result<()> {
//!         let tensor = saved.fitting("mean", &[1, 1], candle_core::DType::F32)?;
//!         self.0 = tensor.flatten_all().and_then(|all| all.to_vec1()).map_err(Error::tensor("the mean"))?;
//!         Ok(())
//!     }
//!     fn restore(&mut self, saved: &SavedTensors, _step: u64) -> Result<()> {
//!         self.set_weights(saved)
//!     }
//! }
//!
//! let folder = tempfile::tempdir()?;
//! let interrupt = Interrupt::new();
//! let metrics = folder.path().join("metrics.jsonl");
//! let job = FitJob { folder: folder.path(), metrics: &metrics, stage: "mean", patience: 5 };
//! let settings = TrainingSettings { learning_rate: 0.1, ..TrainingSettings::default() };
//! let mut learner = Mean(vec![0.0]);
//! let summary = fit(&mut learner, &Examples([1.0, 3.0]), &settings, &job, Monitor::new(&Silent, &interrupt))?;
//! assert_eq!(summary.steps, 200);
//! assert!((learner.0[0] - 2.0).abs() < 0.1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod by_type;
pub mod checkpoint;
pub mod contrastive;
mod error;
pub mod fit;
pub mod losses;
pub mod metrics;
pub mod number;
pub mod optimiser;
pub mod random;
pub mod schedule;
pub mod sentence_transformers;
pub mod settings;
pub mod space;

pub use error::{Error, Result};
pub use fit::{Batches, FitJob, FitSummary, Learner, Measurement, Metric, Span, StepOutcome, fit};
