//! `state.json`: what each stage of a run was made from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use limbeck_data::cache::is_tokens_name;
use limbeck_data::files;
use serde::{Deserialize, Serialize};

use super::fingerprint::{StageInputs, hash_files};
use super::run_folder::RunFolder;
use super::stage::Outputs;
use super::stage_id::StageId;
use crate::error::{Error, Result};

/// A finished stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// What it was made from.
    #[serde(flatten)]
    pub inputs: StageInputs,
    /// How long it took.
    pub seconds: f64,
    /// The sizes of its large files in bytes, by their place in the run's folder.
    #[serde(rename = "files", default, skip_serializing_if = "BTreeMap::is_empty")]
    tracked_files: BTreeMap<PathBuf, u64>,
    /// The hash of [`Outputs::hashed_files`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

/// The finished and the interrupted stages of a run.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    stages: BTreeMap<String, StageRecord>,
    /// Interrupted stages: the fingerprint of their inputs, and the seconds that they have taken so far.
    #[serde(rename = "broken_off", default, skip_serializing_if = "BTreeMap::is_empty")]
    interrupted: BTreeMap<String, (String, f64)>,
}

impl State {
    /// Reads the state of a run; a run without one has finished no stage.
    pub fn read(run: &RunFolder) -> Result<Self> {
        let path = run.state();
        let Some(bytes) = files::read_if_present(&path)? else { return Ok(Self::default()) };
        serde_json::from_slice(&bytes).map_err(|source| Error::State { path, source })
    }

    /// Writes the state.
    pub fn write(&self, run: &RunFolder) -> Result<()> {
        let path = run.state();
        let text = serde_json::to_string_pretty(self).map_err(|source| Error::State { path: path.clone(), source })?;
        Ok(files::write_bytes(&path, text.as_bytes())?)
    }

    /// The record of a finished stage.
    pub fn record_of(&self, stage: StageId) -> Option<&StageRecord> {
        self.stages.get(stage.name())
    }

    /// Removes the record of `stage`, which is about to run again.
    pub fn remove(&mut self, stage: StageId) {
        self.stages.remove(stage.name());
    }

    /// Adds the seconds that the interrupted stage has taken.
    pub fn add_elapsed(&mut self, stage: StageId, inputs: &StageInputs, seconds: f64) {
        self.interrupted.insert(stage.name().into(), (inputs.fingerprint.clone(), seconds));
    }

    /// Takes out the seconds that the stage had taken when it was interrupted; none where its inputs were others.
    pub fn take_elapsed(&mut self, stage: StageId, inputs: &StageInputs) -> f64 {
        let elapsed = self.interrupted.remove(stage.name());
        elapsed.filter(|(fingerprint, _)| *fingerprint == inputs.fingerprint).map_or(0.0, |(_, seconds)| seconds)
    }

    /// Records that `stage` is finished. `inputs` are those from before it started, so that a change meanwhile counts
    /// as one.
    ///
    /// # Errors
    /// When a file that it left can't be read.
    pub fn record(
        &mut self,
        stage: StageId,
        run: &RunFolder,
        inputs: StageInputs,
        outputs: &Outputs,
        seconds: f64,
    ) -> Result<()> {
        let hashed = &outputs.hashed_files;
        let content = (!hashed.is_empty()).then(|| hash_files(hashed)).transpose()?;
        let size = |path: PathBuf| -> Result<(PathBuf, u64)> {
            let bytes = std::fs::metadata(&path).map_err(limbeck_data::Error::io("read", &path))?.len();
            Ok((path.strip_prefix(run.root()).unwrap_or(&path).to_path_buf(), bytes))
        };
        let tracked_files = tracked_files(outputs).into_iter().map(size).collect::<Result<_>>()?;
        self.stages.insert(stage.name().into(), StageRecord { inputs, seconds, tracked_files, content });
        Ok(())
    }

    /// Why `stage`, whose inputs are `now`, is not up to date; `None` where it is.
    pub fn reason(&self, stage: StageId, run: &RunFolder, now: &StageInputs, outputs: &Outputs) -> Option<String> {
        let Some(record) = self.record_of(stage) else { return Some("not done yet".into()) };
        if let Some(missing) = outputs.files.iter().find(|path| !path.exists()) {
            return Some(format!("{} is missing", missing.display()));
        }
        record.damage(run.root()).or_else(|| now.change_since(&record.inputs))
    }
}

impl StageRecord {
    /// The hash by which other stages know the result: that of its content where it has one, else the fingerprint.
    pub fn content_or_fingerprint(&self) -> &str {
        self.content.as_deref().unwrap_or(&self.inputs.fingerprint)
    }

    /// A large file that is gone or of another size, in words.
    fn damage(&self, root: &Path) -> Option<String> {
        self.tracked_files.iter().find_map(|(path, &bytes)| {
            let path = root.join(path);
            match std::fs::metadata(&path) {
                Ok(found) if found.len() == bytes => None,
                Ok(_) => Some(format!("{} has another size than when it was written", path.display())),
                Err(_) => Some(format!("{} is missing", path.display())),
            }
        })
    }
}

/// The large files of a stage: what a full disk or a careless hand cuts short.
fn tracked_files(outputs: &Outputs) -> Vec<PathBuf> {
    let entries = |folder: &PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let within = outputs.tracked_folders.iter().flat_map(entries).map(|entry| entry.path());
    // Vectors of tokens come and go with the students that ask for them.
    let is_tracked = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let endings = [".safetensors", ".limbeck", ".onnx", ".parquet"];
        endings.iter().any(|ending| name.ends_with(ending)) && !is_tokens_name(&name)
    };
    outputs.files.iter().cloned().chain(within).filter(is_tracked).collect()
}
