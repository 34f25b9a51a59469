//! [`StageId`]: a stage by its name.

use crate::recipe::Method;

/// A stage's name, as on the command line, in `state.json` and in `metrics.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StageId(&'static str);

impl StageId {
    /// The stage of this name.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0
    }
}

impl From<Method> for StageId {
    /// Each training method is a stage of the same name.
    fn from(method: Method) -> Self {
        Self(method.name())
    }
}

impl std::fmt::Display for StageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.0)
    }
}
