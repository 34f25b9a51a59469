//! `state.json`: what each stage of a run was made from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use limbeck_data::files;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::context::Context;
use super::stage::Stage;
use crate::error::{Error, Result, STATE};

const FILE: &str = "state.json";

/// Raised whenever a stage's files change their meaning, so that what an older program made is made anew.
const FORMAT: u32 = 1;

/// What a stage is made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// The hash of the rest.
    fingerprint: String,
    settings: Value,
    /// What it reads, by the marks of those stages.
    reads: BTreeMap<String, String>,
}

impl Made {
    /// As it is now. Taken before a stage is begun, so that what changes meanwhile is seen as a change.
    pub fn from(context: &Context, stage: Stage) -> Self {
        let settings = stage.settings(context);
        let reads = stage.reads(context).into_iter().filter(|read| context.stages().contains(read));
        let reads: BTreeMap<_, _> = reads.map(|read| (read.name().to_string(), mark(context, read))).collect();
        let whole = serde_json::json!([FORMAT, stage.name(), settings, reads]);
        let fingerprint = blake3::hash(whole.to_string().as_bytes()).to_hex().to_string();
        Self { fingerprint, settings, reads }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Done {
    #[serde(flatten)]
    made: Made,
    seconds: f64,
    /// The sizes of [`Stage::large`]'s files in bytes, by their place in the run's folder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    files: BTreeMap<PathBuf, u64>,
    /// The hash of [`Stage::contents`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

/// What was done, stage by stage.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    stages: BTreeMap<String, Done>,
    /// Stages that were broken off: the fingerprint of what they were begun with, and the seconds that they have taken so far.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    broken_off: BTreeMap<String, (String, f64)>,
}

impl State {
    /// Reads the state of the run in `folder`; none yet is an empty one.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| Error::Json { what: STATE, path, source }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(limbeck_data::Error::io("read", &path)(source).into()),
        }
    }

    /// Writes it.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let json = |source| Error::Json { what: STATE, path: path.clone(), source };
        let text = serde_json::to_string_pretty(self).map_err(json)?;
        Ok(files::write_bytes(&path, text.as_bytes())?)
    }

    /// Takes out what is said of `stage`, which is about to be done anew.
    pub fn forget(&mut self, stage: Stage) {
        self.stages.remove(stage.name());
    }

    /// Notes that the stage, begun with `made` and broken off, has taken so many seconds.
    pub fn spend(&mut self, stage: Stage, made: &Made, seconds: f64) {
        self.broken_off.insert(stage.name().into(), (made.fingerprint.clone(), seconds));
    }

    /// Takes out the seconds that the stage had taken when it was broken off, begun with `made`.
    pub fn spent(&mut self, stage: Stage, made: &Made) -> f64 {
        let spent = self.broken_off.remove(stage.name());
        spent.filter(|(fingerprint, _)| *fingerprint == made.fingerprint).map_or(0.0, |(_, seconds)| seconds)
    }

    /// How long the stage took when it was last done.
    pub fn seconds(&self, stage: Stage) -> f64 {
        self.stages.get(stage.name()).map_or(0.0, |done| done.seconds)
    }

    /// Notes that `stage` is done, `made` being taken before it was begun.
    ///
    /// # Errors
    /// When files that it left can't be read.
    pub fn record(&mut self, context: &Context, stage: Stage, made: Made, seconds: f64) -> Result<()> {
        let content = stage.contents(context).map(|paths| hash(&paths)).transpose()?;
        let size = |path: PathBuf| -> Result<(PathBuf, u64)> {
            let bytes = std::fs::metadata(&path).map_err(limbeck_data::Error::io("read", &path))?.len();
            Ok((path.strip_prefix(&context.folder).unwrap_or(&path).to_path_buf(), bytes))
        };
        let files = stage.large(context).into_iter().map(size).collect::<Result<_>>()?;
        self.stages.insert(stage.name().into(), Done { made, seconds, files, content });
        Ok(())
    }

    /// Why `stage` is not up to date; `None` where it is.
    pub fn reason(&self, context: &Context, stage: Stage) -> Option<String> {
        let Some(done) = self.stages.get(stage.name()) else { return Some("not done yet".into()) };
        if let Some(missing) = stage.outputs(context).iter().find(|path| !path.exists()) {
            return Some(format!("{} is missing", missing.display()));
        }
        for (path, &bytes) in &done.files {
            let path = context.folder.join(path);
            match std::fs::metadata(&path) {
                Ok(found) if found.len() == bytes => {}
                Ok(_) => return Some(format!("{} is not as it was left", path.display())),
                Err(_) => return Some(format!("{} is missing", path.display())),
            }
        }
        let (then, now) = (&done.made, Made::from(context, stage));
        if then.fingerprint == now.fingerprint {
            return None;
        }
        if let Some(key) = difference(&then.settings, &now.settings, String::new()) {
            return Some(format!("{key} changed"));
        }
        let changed = now.reads.iter().find(|(name, mark)| then.reads.get(*name) != Some(mark));
        Some(changed.map_or("made by another version".into(), |(name, _)| format!("{name} changed")))
    }
}

/// What those who read `stage` know it by: the hash of its contents where that is noted, else its fingerprint.
fn mark(context: &Context, stage: Stage) -> String {
    let fingerprint = fingerprint(context, stage);
    if stage.contents(context).is_none() {
        return fingerprint;
    }
    // A state that can't be read is an error where it is read to decide on a stage.
    let state = State::read(&context.home(stage).folder).unwrap_or_default();
    let done = state.stages.get(stage.name()).filter(|done| done.made.fingerprint == fingerprint);
    done.and_then(|done| done.content.clone()).unwrap_or(fingerprint)
}

/// The hash of some files.
fn hash(paths: &[PathBuf]) -> Result<String> {
    let mut hash = blake3::Hasher::new();
    for path in paths {
        let read = std::fs::File::open(path).and_then(|mut file| {
            hash.update(&file.metadata()?.len().to_le_bytes());
            std::io::copy(&mut file, &mut hash)
        });
        read.map_err(limbeck_data::Error::io("read", path))?;
    }
    Ok(hash.finalize().to_hex().to_string())
}

/// The hash of a stage's settings and of the marks of what it reads.
pub fn fingerprint(context: &Context, stage: Stage) -> String {
    Made::from(context, stage).fingerprint
}

/// The first key at which two settings differ.
fn difference(old: &Value, new: &Value, key: String) -> Option<String> {
    if old == new {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (old, new) else { return Some(key) };
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.dedup();
    names.into_iter().find_map(|name| {
        let below = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
        difference(old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null), below)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_difference_is_named_by_its_key() {
        let (old, new) = (json!({"a": 1, "b": {"c": [1], "d": 2}}), json!({"a": 1, "b": {"c": [2], "d": 3}}));
        assert_eq!(difference(&old, &new, String::new()), Some("b.c".into()));
        assert_eq!(difference(&old, &old, String::new()), None);
        assert_eq!(difference(&json!({}), &json!({"x": 1}), String::new()), Some("x".into()));
    }
}
