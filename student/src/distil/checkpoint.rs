//! What a distillation keeps on disk to go on from: `checkpoint.safetensors`, and `best.safetensors` beside it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use limbeck_training::checkpoint;
use limbeck_training::optimiser::AdamW;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::TextCnn;

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

/// The two files of a run in a student's folder.
pub struct Files {
    folder: PathBuf,
}

impl Files {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    fn checkpoint(&self) -> PathBuf {
        self.folder.join("checkpoint.safetensors")
    }

    fn best(&self) -> PathBuf {
        self.folder.join("best.safetensors")
    }

    /// Whether a checkpoint lies there, of whatever run.
    pub fn any(&self) -> bool {
        self.checkpoint().exists()
    }

    /// Saves the run as it stands.
    pub fn save(&self, model: &TextCnn, optimiser: &AdamW, progressed: &Progressed) -> Result<()> {
        let mut tensors = model.table.state("embedding.weight")?;
        tensors.extend(model.dense.iter().map(|(name, variable)| (name.to_string(), variable.as_tensor().clone())));
        tensors.extend(optimiser.state());
        Ok(checkpoint::save(&self.checkpoint(), named(&tensors), progressed)?)
    }

    /// Puts model and optimiser back to where a run of the same identity stood; `None` where there is none.
    pub fn resume(&self, model: &mut TextCnn, optimiser: &mut AdamW, identity: &str) -> Result<Option<Progressed>> {
        let Some((tensors, progressed)) = checkpoint::load::<Progressed>(&self.checkpoint())? else { return Ok(None) };
        if progressed.identity != identity {
            return Ok(None);
        }
        let find = |name: &str| tensors.get(name).cloned();
        model.table.restore("embedding.weight", find)?;
        optimiser.restore(find)?;
        restore_dense(model, &tensors, &self.checkpoint())?;
        Ok(Some(progressed))
    }

    /// Saves the weights as the best so far.
    pub fn save_best(&self, model: &TextCnn, step: u64) -> Result<()> {
        let mut tensors = model.table.state("embedding.weight")?;
        tensors.truncate(1);
        tensors.extend(model.dense.iter().map(|(name, variable)| (name.to_string(), variable.as_tensor().clone())));
        Ok(checkpoint::save(&self.best(), named(&tensors), &step)?)
    }

    /// Puts the best weights, which step `step` left, into the model.
    pub fn take_best(&self, model: &mut TextCnn, step: u64) -> Result<()> {
        let broken = |reason: &str| Error::Folder { path: self.best(), reason: reason.into() };
        let (tensors, found) = checkpoint::load::<u64>(&self.best())?.ok_or_else(|| broken("is missing"))?;
        if found != step {
            return Err(broken("is of another step than the checkpoint says"));
        }
        restore_dense(model, &tensors, &self.best())?;
        let table = tensors.get("embedding.weight").filter(|t| t.elem_count() == model.table.values().len());
        let values = table.and_then(|table| table.flatten_all().and_then(|t| t.to_vec1::<f32>()).ok());
        let values = values.ok_or_else(|| broken("has no fitting embedding.weight"))?;
        model.table = limbeck_training::optimiser::SparseTable::new(values, model.config.embedding)?;
        Ok(())
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

fn restore_dense(model: &TextCnn, tensors: &HashMap<String, Tensor>, path: &Path) -> Result<()> {
    for (name, variable) in model.dense.iter() {
        let tensor = tensors.get(name).filter(|tensor| tensor.dims() == variable.dims());
        let tensor =
            tensor.ok_or_else(|| Error::Folder { path: path.into(), reason: format!("has no fitting {name}") })?;
        model.dense.set(name, tensor)?;
    }
    Ok(())
}
