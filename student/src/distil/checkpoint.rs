//! What a distillation keeps on disk to go on from: `checkpoint.safetensors`, and `best.safetensors` beside it.

use std::path::Path;

use limbeck_training::checkpoint::Files;
use limbeck_training::optimiser::AdamW;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::{TABLE, TextCnn};

/// Where a run stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progressed {
    /// Settings, shape and cache of the run as text: a checkpoint of another run is not gone on from.
    pub identity: String,
    /// The last step taken.
    pub step: u64,
    /// The best held-out fidelity so far and its step.
    pub best: Option<(f64, u64)>,
}

/// Saves the run as it stands.
///
/// # Errors
/// A parameter that isn't finite: nothing is written, so that what was saved before stays.
pub fn save(files: &Files, model: &TextCnn, optimiser: &AdamW, progressed: &Progressed) -> Result<()> {
    if !model.is_finite()? {
        return Err(Error::NotFinite { what: "a parameter", step: progressed.step });
    }
    let mut tensors = model.weights();
    tensors.extend(model.table.moments(TABLE));
    tensors.extend(optimiser.moments());
    Ok(files.save(&tensors, progressed)?)
}

/// Puts model and optimiser back to where a run of the same identity stood; `None` where there is no checkpoint.
///
/// # Errors
/// A checkpoint of another identity, and what loading gives.
pub fn resume(files: &Files, model: &mut TextCnn, optimiser: &mut AdamW, identity: &str) -> Result<Option<Progressed>> {
    let Some((tensors, progressed)) = files.load::<Progressed>()? else { return Ok(None) };
    if progressed.identity != identity {
        return Err(limbeck_training::Error::OtherTraining { path: files.checkpoint() }.into());
    }
    let find = |name: &str| tensors.get(name).cloned();
    model.set_weights(find, missing_in(&files.checkpoint()))?;
    model.table.restore(TABLE, find)?;
    optimiser.restore(find)?;
    Ok(Some(progressed))
}

/// Saves the weights as the best so far.
pub fn save_best(files: &Files, model: &TextCnn, step: u64) -> Result<()> {
    Ok(files.save_best(&model.weights(), step)?)
}

/// Puts the best weights, which step `step` left, into the model.
pub fn take_best(files: &Files, model: &mut TextCnn, step: u64) -> Result<()> {
    let weights = files.load_best(step)?;
    model.set_weights(|name| weights.get(name).cloned(), missing_in(&files.best()))
}

fn missing_in(path: &Path) -> impl Fn(&str) -> Error {
    move |name| Error::Folder { path: path.into(), reason: format!("has no fitting {name}") }
}
