//! What a training keeps on disk to go on from: `checkpoint.safetensors`, and `best.safetensors` beside it.

use std::path::{Path, PathBuf};

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::Learner;
use crate::checkpoint;
use crate::error::{Error, Result};

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
    pub fn save<L: Learner>(&self, learner: &mut L, progressed: &Progressed) -> std::result::Result<(), L::Error> {
        learner.keep(progressed.step)?;
        let mut tensors = learner.weights()?;
        tensors.extend(learner.moments()?);
        checkpoint::save(&self.checkpoint(), named(&tensors), progressed)?;
        learner.kept(progressed.step)
    }

    /// Puts the learner back to where a training of the same identity stood; `None` where there is none.
    pub fn resume<L: Learner>(
        &self,
        learner: &mut L,
        identity: &str,
    ) -> std::result::Result<Option<Progressed>, L::Error> {
        let Some((tensors, progressed)) = checkpoint::load::<Progressed>(&self.checkpoint())? else { return Ok(None) };
        if progressed.identity != identity {
            return Ok(None);
        }
        let find = |name: &str| tensors.get(name).cloned();
        learner.set_weights(&find)?;
        learner.set_moments(&find)?;
        Ok(Some(progressed))
    }

    /// Saves the weights as the best so far.
    pub fn save_best<L: Learner>(&self, learner: &L, step: u64) -> std::result::Result<(), L::Error> {
        Ok(checkpoint::save(&self.best(), named(&learner.weights()?), &step)?)
    }

    /// Puts the best weights back, which step `step` left.
    pub fn take_best<L: Learner>(&self, learner: &mut L, step: u64) -> std::result::Result<(), L::Error> {
        let broken = |reason: &str| Error::Checkpoint { path: self.best(), reason: reason.into() };
        let (tensors, found) = checkpoint::load::<u64>(&self.best())?.ok_or_else(|| broken("is missing"))?;
        if found != step {
            return Err(broken("is of another step than the checkpoint says").into());
        }
        learner.set_weights(&|name| tensors.get(name).cloned())
    }

    /// Removes both files.
    pub fn remove(&self) -> Result<()> {
        for path in [self.checkpoint(), self.best()] {
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::File { path, operation: "removing", source });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn named(tensors: &[(String, Tensor)]) -> impl Iterator<Item = (&str, &Tensor)> {
    tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
}
