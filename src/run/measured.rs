//! What was measured of a teacher, kept beside it: recipes over one base, and a student trained anew, have the same one, and a
//! teacher is slow.

use std::io::ErrorKind;
use std::path::PathBuf;

use limbeck_data::files;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::context::Context;
use super::stage::Stage;
use super::state::fingerprint;
use crate::error::{Error, Result};
use crate::summary::ModelSummary;

/// The folder in that of a run.
const FOLDER: &str = "measured";

/// A teacher's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Measured {
    /// Its row, all but the speed.
    pub row: ModelSummary,
    /// Its similarities of the pairs of reordered sentences, where word order is measured.
    pub order: Option<Vec<f64>>,
}

impl Context<'_> {
    /// What `measure` gives for the teacher `name`, or gave before on the same material.
    pub(super) fn remembered(&self, name: &str, measure: impl FnOnce() -> Result<Measured>) -> Result<Measured> {
        let key = json!([
            env!("CARGO_PKG_VERSION"),
            name,
            fingerprint(self, Stage::ExportTeacher),
            // The held-out vectors; a student's vocabulary doesn't concern them.
            fingerprint(self, Stage::Text),
            self.plan.recipe.cache,
            Stage::Evaluate.settings(self),
        ]);
        let key = blake3::hash(key.to_string().as_bytes()).to_hex();
        let path = self.measured_folder().join(format!("{}.json", &key[..16]));
        let json = |source| Error::Json { what: "teacher's figures", path: path.clone(), source };
        match std::fs::read(&path) {
            Ok(bytes) => return serde_json::from_slice(&bytes).map_err(json),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(limbeck_data::Error::io("read", &path)(source).into()),
        }
        let measured = measure()?;
        let text = serde_json::to_vec(&measured).map_err(json)?;
        files::write_bytes(&path, &text)?;
        Ok(measured)
    }

    /// Where that is kept.
    pub(super) fn measured_folder(&self) -> PathBuf {
        self.home_folder(Stage::ExportTeacher).join(FOLDER)
    }
}
