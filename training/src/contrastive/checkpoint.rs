//! A learner on disk and back.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Learner;
use crate::checkpoint::Files;

/// Where a training stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progressed {
    /// Settings, examples, dev set and start of the training as text: a checkpoint of another one is not gone on from.
    pub identity: String,
    /// The last step taken.
    pub step: u64,
    /// The line of the metrics log that tells of this step, where the look at the dev set that belongs in it was broken off.
    #[serde(default)]
    pub unseen: Option<Value>,
    /// Dev Spearman before the first step.
    pub start: Option<f64>,
    /// The best dev Spearman so far and its step.
    pub best: Option<(f64, u64)>,
}

/// Saves the training as it stands.
pub fn save<L: Learner>(files: &Files, learner: &mut L, progressed: &Progressed) -> Result<(), L::Error> {
    learner.keep(progressed.step)?;
    {
        let mut tensors = learner.weights()?;
        tensors.extend(learner.moments()?);
        files.save(&tensors, progressed)?;
    }
    learner.kept(progressed.step)
}

/// Puts the learner back to where a training of the same identity stood; `None` where there is no checkpoint.
///
/// # Errors
/// A checkpoint of another identity, and what loading gives.
pub fn resume<L: Learner>(files: &Files, learner: &mut L, identity: &str) -> Result<Option<Progressed>, L::Error> {
    let Some((tensors, progressed)) = files.load::<Progressed>()? else { return Ok(None) };
    if progressed.identity != identity {
        return Err(crate::Error::OtherTraining { path: files.checkpoint() }.into());
    }
    let find = |name: &str| tensors.get(name).cloned();
    learner.set_weights(&find)?;
    learner.set_moments(&find)?;
    Ok(Some(progressed))
}

/// Saves the weights as the best so far.
pub fn save_best<L: Learner>(files: &Files, learner: &L, step: u64) -> Result<(), L::Error> {
    Ok(files.save_best(&learner.weights()?, step)?)
}

/// Puts the best weights back, which step `step` left.
pub fn take_best<L: Learner>(files: &Files, learner: &mut L, step: u64) -> Result<(), L::Error> {
    let weights = files.load_best(step)?;
    learner.set_weights(&|name| weights.get(name).cloned())
}
