//! [`TrainingState`]: where a training stands, and its way to the disk and back.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::learner::Learner;
use crate::checkpoint::{CheckpointFiles, NamedTensors};
use crate::error::Error;

/// Raised when a checkpoint can no longer be resumed from by an older version, or an older one by this.
const FORMAT: u32 = 2;

/// Where a training stands: the state in its `checkpoint.safetensors`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingState {
    /// The checkpoint's format; those of format 1 don't say.
    format: u32,
    /// Settings, examples, dev set and start of the training as text.
    identity: String,
    /// The last step taken.
    pub step: u64,
    /// The line of the metrics log for this step, where the evaluation that completes the line was interrupted.
    pub pending: Option<Value>,
    /// The score before the first step.
    pub start: Option<f64>,
    /// The best score so far and its step.
    pub best: Option<(f64, u64)>,
}

impl TrainingState {
    /// The state before the first step of `stage`, whose line of the log is to be completed by the first evaluation.
    pub(super) fn new(identity: String, stage: &str) -> Self {
        let pending = Some(json!({"stage": stage, "step": 0, "epoch": 0}));
        Self { format: FORMAT, identity, pending, ..Self::default() }
    }

    /// The last step whose line the metrics log holds; `None` before the line of step 0.
    pub(super) fn logged(&self) -> Option<u64> {
        if self.pending.is_some() { self.step.checked_sub(1) } else { Some(self.step) }
    }

    /// Saves the training as it stands.
    ///
    /// # Errors
    /// A weight that is not finite: then the checkpoint before stays.
    pub(super) fn save<L: Learner>(&self, files: &CheckpointFiles, learner: &mut L) -> Result<(), L::Error> {
        if !is_finite(learner) {
            return Err(Error::NotFinite { what: "a parameter".into(), step: self.step }.into());
        }
        learner.before_checkpoint(self.step)?;
        let tensors: NamedTensors = learner.weights().into_iter().chain(learner.moments()).collect();
        files.save(&tensors, self)?;
        drop(tensors);
        learner.after_checkpoint(self.step)
    }

    /// Puts the learner back to where a training of the same identity stood; `None` where there is no checkpoint.
    ///
    /// # Errors
    /// A checkpoint of another format or another training, and one that is broken.
    pub(super) fn resume<L: Learner>(
        files: &CheckpointFiles,
        learner: &mut L,
        identity: &str,
    ) -> Result<Option<Self>, L::Error> {
        let Some((saved, state)) = files.load::<Self>()? else { return Ok(None) };
        let path = files.checkpoint();
        if state.format != FORMAT {
            return Err(Error::CheckpointFormat { path, found: state.format.max(1), expected: FORMAT }.into());
        }
        if state.identity != identity {
            return Err(Error::OtherTraining { path }.into());
        }
        learner.restore(&saved, state.step)?;
        Ok(Some(state))
    }
}

/// Whether every weight is finite.
pub(super) fn is_finite(learner: &impl Learner) -> bool {
    learner.weights().iter().all(|(_, stored)| stored.is_finite())
}
