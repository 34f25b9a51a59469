//! [`PlannedRun`]: a checked recipe and the folder of its run.

use std::path::PathBuf;

use super::run_folder::RunFolder;
use crate::recipe::{Method, Plan};

/// A checked recipe and the folder of its run.
#[derive(Debug, Clone)]
pub struct PlannedRun {
    /// The checked recipe.
    pub plan: Plan,
    /// Where its stages write.
    pub folder: RunFolder,
}

impl PlannedRun {
    /// Where the student of `method` lies: the last method's is the run's student.
    pub fn student_folder(&self, method: Method) -> PathBuf {
        match self.plan.last_method() == Some(method) {
            true => self.folder.student(),
            false => self.folder.method(method),
        }
    }
}
