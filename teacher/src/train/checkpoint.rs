//! What a training keeps on disk to go on from: `checkpoint.safetensors`, and `best.safetensors` beside it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use limbeck_training::checkpoint;
use limbeck_training::optimiser::AdamW;
use serde::{Deserialize, Serialize};

use crate::backprop::Parameters;
use crate::{Error, Result};

/// Where a training stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progressed {
    /// Settings, examples and start of the training as text: a checkpoint of another one is not gone on from.
    pub identity: String,
    /// The last step taken.
    pub step: u64,
    /// Dev Spearman before the first step.
    pub start: Option<f64>,
    /// The best dev Spearman so far and its step.
    pub best: Option<(f64, u64)>,
}

/// The two files.
pub struct Files {
    folder: PathBuf,
}

impl Files {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// Where the training as it stands is kept.
    pub fn checkpoint(&self) -> PathBuf {
        self.folder.join("checkpoint.safetensors")
    }

    fn best(&self) -> PathBuf {
        self.folder.join("best.safetensors")
    }

    /// Whether a checkpoint lies there, of whatever training.
    pub fn any(&self) -> bool {
        self.checkpoint().exists()
    }

    /// Saves the training as it stands.
    pub fn save(&self, parameters: &Parameters, optimiser: &AdamW, progressed: &Progressed) -> Result<()> {
        let moments = optimiser.state();
        let moments = moments.iter().map(|(name, tensor)| (name.as_str(), tensor));
        let weights = parameters.iter().map(|(name, variable)| (name, variable.as_tensor()));
        Ok(checkpoint::save(&self.checkpoint(), weights.chain(moments), progressed)?)
    }

    /// Puts weights and moments back to where a training of the same identity stood; `None` where there is none.
    pub fn resume(&self, parameters: &Parameters, optimiser: &mut AdamW, identity: &str) -> Result<Option<Progressed>> {
        let Some((tensors, progressed)) = checkpoint::load::<Progressed>(&self.checkpoint())? else { return Ok(None) };
        if progressed.identity != identity {
            return Ok(None);
        }
        self.restore(parameters, &tensors, &self.checkpoint())?;
        optimiser.restore(|name| tensors.get(name).and_then(|tensor| tensor.to_device(parameters.device()).ok()))?;
        Ok(Some(progressed))
    }

    /// Saves the weights as the best so far.
    pub fn save_best(&self, parameters: &Parameters, step: u64) -> Result<()> {
        let weights = parameters.iter().map(|(name, variable)| (name, variable.as_tensor()));
        Ok(checkpoint::save(&self.best(), weights, &step)?)
    }

    /// Puts the best weights back, which step `step` left.
    pub fn take_best(&self, parameters: &Parameters, step: u64) -> Result<()> {
        let broken = |what: &str| Error::BrokenWeights { path: self.best(), what: what.into() };
        let (tensors, found) = checkpoint::load::<u64>(&self.best())?.ok_or_else(|| broken("it is missing"))?;
        if found != step {
            return Err(broken("it is of another step than the checkpoint says"));
        }
        self.restore(parameters, &tensors, &self.best())
    }

    /// Removes both files.
    pub fn remove(&self) -> Result<()> {
        for path in [self.checkpoint(), self.best()] {
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io(&path, "remove")(source));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn restore(&self, parameters: &Parameters, tensors: &HashMap<String, Tensor>, path: &Path) -> Result<()> {
        for (name, variable) in parameters.iter() {
            let tensor = tensors.get(name).filter(|tensor| tensor.dims() == variable.dims());
            let missing = || Error::MissingTensor { path: path.to_owned(), name: name.to_owned() };
            let tensor = tensor.ok_or_else(missing)?;
            let set = tensor.to_device(variable.device()).and_then(|tensor| variable.set(&tensor));
            set.map_err(Error::candle("putting a weight back"))?;
        }
        Ok(())
    }
}
