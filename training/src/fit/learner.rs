//! [`Learner`]: what the trainer trains.

use limbeck_data::Monitor;
use serde_json::{Value, json};

use crate::checkpoint::{NamedTensors, SavedTensors};
use crate::error::Error;

/// A model in training: it steps, it is measured, and its state can be saved and restored.
pub trait Learner {
    /// The examples of a step, as its [`Batches`](super::Batches) deliver them.
    type Batch;
    /// What can go wrong with it.
    type Error: From<Error> + std::error::Error + Send + Sync + 'static;

    /// Everything but the examples that a checkpoint depends on: settings, shape, starting weights, what it is measured
    /// on.
    fn identity(&self) -> Value;

    /// Called before the first step of a new training, and not when one is resumed.
    ///
    /// # Errors
    /// Those of the learner.
    fn start(&mut self, _monitor: Monitor) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Takes step `step` (from 1) at the learning rate `rate`. When the loss or a gradient is not finite, it changes
    /// nothing.
    ///
    /// # Errors
    /// Those of the learner.
    fn step(&mut self, batch: &Self::Batch, step: u64, rate: f64) -> Result<StepOutcome, Self::Error>;

    /// Measures the model as it is now; `None` when there is nothing to measure it on. Long measurements check the
    /// monitor: an interrupted one is repeated when the training is resumed.
    ///
    /// # Errors
    /// Those of the learner.
    fn measure(&self, monitor: Monitor) -> Result<Option<Measurement>, Self::Error>;

    /// The weights by name.
    fn weights(&self) -> NamedTensors<'_>;

    /// The optimiser's moments by name.
    fn moments(&self) -> NamedTensors<'_>;

    /// Puts back what [`Learner::weights`] gave.
    ///
    /// # Errors
    /// A tensor that is missing or of another shape.
    fn set_weights(&mut self, saved: &SavedTensors) -> Result<(), Self::Error>;

    /// Puts back the checkpoint of `step`: weights and moments, and the files that [`Learner::before_checkpoint`]
    /// saved.
    ///
    /// # Errors
    /// A tensor or a file that is missing or of another shape.
    fn restore(&mut self, saved: &SavedTensors, step: u64) -> Result<(), Self::Error>;

    /// Called before the checkpoint of `step` is written: saves the files that the learner keeps itself.
    ///
    /// # Errors
    /// Those of the learner.
    fn before_checkpoint(&mut self, _step: u64) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Called after the checkpoint of `step` is in place: removes files that only older checkpoints needed.
    ///
    /// # Errors
    /// Those of the learner.
    fn after_checkpoint(&mut self, _step: u64) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepOutcome {
    /// The loss before the step.
    pub loss: f64,
    /// The length of all gradients as one vector, before clipping.
    pub gradient_norm: f64,
}

impl StepOutcome {
    /// Whether both are finite.
    pub fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.gradient_norm.is_finite()
    }
}

/// What a score measures, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its key in the metrics log.
    pub key: &'static str,
    /// Its name in messages.
    pub name: &'static str,
    /// Its decimals in messages.
    pub decimals: usize,
}

/// The result of an evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// What the score measures.
    pub metric: Metric,
    /// The score; the weights with the highest one are kept.
    pub score: f64,
    /// How close vectors lie that belong together.
    pub alignment: Option<f64>,
    /// How evenly all vectors cover the sphere.
    pub uniformity: Option<f64>,
}

impl Measurement {
    /// Adds the figures to a line of the metrics log.
    pub(super) fn log_in(&self, entry: &mut Value) {
        entry[self.metric.key] = json!(self.score);
        entry["alignment"] = json!(self.alignment);
        entry["uniformity"] = json!(self.uniformity);
    }
}

impl std::fmt::Display for Measurement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Metric { name, decimals, .. } = self.metric;
        write!(f, "{name} {:.decimals$}", self.score)?;
        for (name, value) in [("alignment", self.alignment), ("uniformity", self.uniformity)] {
            value.map(|value| write!(f, ", {name} {value:.3}")).transpose()?;
        }
        Ok(())
    }
}
