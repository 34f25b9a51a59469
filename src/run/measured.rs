//! The figures of a teacher, kept in its run's folder, so that recipes over one base measure a slow teacher once.

use std::path::PathBuf;

use serde_json::json;

use super::context::Context;
use super::stage::Stage;
use super::state::fingerprint;
use crate::error::Result;
use crate::measure::evaluation::TeacherFigures;

/// The folder in that of a run.
const FOLDER: &str = "measured";

impl Context<'_> {
    /// What `measure` gives for the teacher `name`, or gave before on the same material.
    pub(super) fn remembered(
        &self,
        name: &str,
        measure: impl FnOnce() -> Result<TeacherFigures>,
    ) -> Result<TeacherFigures> {
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
        TeacherFigures::read_or_measure(&path, measure)
    }

    /// Where that is kept.
    pub(super) fn measured_folder(&self) -> PathBuf {
        self.home_folder(Stage::ExportTeacher).join(FOLDER)
    }
}
