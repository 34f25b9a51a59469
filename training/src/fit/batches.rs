//! [`Batches`]: the examples of a training, step by step.

use std::ops::Range;

use serde_json::Value;

/// The examples of a training. They come in windows: examples that are in memory together and that the batches of a
/// stretch of steps are drawn from. While the learner works on one window, a thread reads the next.
pub trait Batches: Sync {
    /// The examples of a window.
    type Window: Send;
    /// The examples of a step.
    type Batch;
    /// What can go wrong with it.
    type Error: Send;

    /// The steps of the whole training.
    fn steps(&self) -> u64;

    /// The window that `step` (from 1) belongs to.
    fn span(&self, step: u64) -> Span;

    /// Reads the examples of a window.
    ///
    /// # Errors
    /// Those of the source.
    fn read(&self, span: &Span) -> Result<Self::Window, Self::Error>;

    /// The batch of `step`, which belongs to `window`.
    ///
    /// # Errors
    /// Those of the source.
    fn batch(&self, window: &Self::Window, step: u64) -> Result<Self::Batch, Self::Error>;

    /// The examples of `step` as text, a line each, for a person who looks for the cause of a divergence.
    ///
    /// # Errors
    /// Those of the source.
    fn describe(&self, window: &Self::Window, step: u64) -> Result<String, Self::Error>;

    /// What a checkpoint depends on: a hash of the examples, and all that decides on their order.
    fn identity(&self) -> Value;
}

/// A window's place in the training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its number among all windows.
    pub window: usize,
    /// The epoch, from 0.
    pub epoch: u64,
    /// Its steps.
    pub steps: Range<u64>,
}
