//! `state.json`: what each stage of a run was made from.

use std::collections::BTreeMap;
use std::path::Path;

use limbeck_data::files;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::context::Context;
use super::stage::Stage;
use crate::error::{Error, Result};

const FILE: &str = "state.json";

/// Raised whenever a stage's files change their meaning, so that what an older program made is made anew.
const FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Done {
    fingerprint: String,
    settings: Value,
    reads: BTreeMap<String, String>,
    seconds: f64,
    /// The hash of the files that it left, where those who read the stage go by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

/// What a stage is about to be made from. What changes while it is made is then seen as a change.
pub struct Made {
    fingerprint: String,
    settings: Value,
    reads: BTreeMap<String, String>,
}

impl Made {
    /// As it is now.
    pub fn from(context: &Context, stage: Stage) -> Self {
        Self {
            fingerprint: fingerprint(context, stage),
            settings: stage.settings(context),
            reads: reads(context, stage),
        }
    }
}

/// What was done, stage by stage.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    stages: BTreeMap<String, Done>,
}

impl State {
    /// Reads the state of the run in `folder`; none yet is an empty one.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        match std::fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|source| Error::Json { what: "state of a run", path, source })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(limbeck_data::Error::io("read", &path)(source).into()),
        }
    }

    /// Writes it.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let json = |source| Error::Json { what: "state of a run", path: path.clone(), source };
        let text = serde_json::to_string_pretty(self).map_err(json)?;
        Ok(files::write_bytes(&path, text.as_bytes())?)
    }

    /// Takes out what is said of `stage`, which is about to be done anew.
    pub fn forget(&mut self, stage: Stage) {
        self.stages.remove(stage.name());
    }

    /// How long the stage took when it last ran.
    pub fn seconds(&self, stage: Stage) -> f64 {
        self.stages.get(stage.name()).map_or(0.0, |done| done.seconds)
    }

    /// Notes that `stage` is done, `made` being taken before it was begun.
    ///
    /// # Errors
    /// When files that it left can't be read.
    pub fn record(&mut self, context: &Context, stage: Stage, made: Made, seconds: f64) -> Result<()> {
        let Made { fingerprint, settings, reads } = made;
        let content = counts_by_content(stage).then(|| content(context, stage)).transpose()?;
        self.stages.insert(stage.name().into(), Done { fingerprint, settings, reads, seconds, content });
        Ok(())
    }

    /// Why `stage` is not up to date; `None` where it is.
    pub fn reason(&self, context: &Context, stage: Stage) -> Option<String> {
        let Some(done) = self.stages.get(stage.name()) else { return Some("not done yet".into()) };
        if let Some(missing) = stage.outputs(context).iter().find(|path| !path.exists()) {
            return Some(format!("{} is missing", missing.display()));
        }
        if done.fingerprint == fingerprint(context, stage) {
            return None;
        }
        if let Some(key) = difference(&done.settings, &stage.settings(context), String::new()) {
            return Some(format!("{key} changed"));
        }
        let now = reads(context, stage);
        let changed = now.iter().find(|(name, fingerprint)| done.reads.get(*name) != Some(fingerprint));
        Some(changed.map_or("made by another version".into(), |(name, _)| format!("{name} changed")))
    }
}

fn reads(context: &Context, stage: Stage) -> BTreeMap<String, String> {
    let reads = stage.reads(context).into_iter().filter(|read| context.stages().contains(read));
    reads.map(|read| (read.name().to_string(), mark(context, read))).collect()
}

/// Whether those who read the stage ask what it left rather than what it was made from: a text file that was touched, or edited
/// where nothing is taken from it, gives the same sentences, and then nothing after them is done anew.
fn counts_by_content(stage: Stage) -> bool {
    stage == Stage::Text
}

/// What those who read `stage` know it by.
fn mark(context: &Context, stage: Stage) -> String {
    let fingerprint = fingerprint(context, stage);
    if !counts_by_content(stage) {
        return fingerprint;
    }
    // A state that can't be read is an error where it is read to decide on a stage.
    let state = State::read(&context.home(stage).folder).unwrap_or_default();
    let done = state.stages.get(stage.name()).filter(|done| done.fingerprint == fingerprint);
    done.and_then(|done| done.content.clone()).unwrap_or(fingerprint)
}

/// The hash of what the stage left.
fn content(context: &Context, stage: Stage) -> Result<String> {
    let mut hash = blake3::Hasher::new();
    let mut paths = stage.outputs(context);
    // Only where a source has articles.
    paths.extend(Some(context.folder.join("text/documents.parquet")).filter(|path| path.exists()));
    for path in &paths {
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
    let whole = serde_json::json!([FORMAT, stage.name(), stage.settings(context), reads(context, stage)]);
    blake3::hash(whole.to_string().as_bytes()).to_hex().to_string()
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
