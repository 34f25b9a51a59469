//! Tasks that models are measured on beside graded pairs: their sets, made ready once for all models, and a model's
//! scores. A task is a field in both structs, so that command, stage, table, report and card show every task alike.

use std::path::PathBuf;

use indexmap::IndexMap;
use limbeck_data::Monitor;
use serde::{Deserialize, Serialize};

use super::model::NamedModel;
use super::retrieval::set::open_sets;
use super::retrieval::{RetrievalScore, RetrievalSet, retrieval};
use crate::error::Result;

/// The sets of all tasks.
#[derive(Default)]
pub struct TaskSets {
    /// Collections to search.
    pub retrieval: Vec<RetrievalSet>,
}

/// Where the sets of each task lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskPaths {
    /// Folders in BEIR's layout.
    pub retrieval: Vec<PathBuf>,
}

/// A model's scores on the sets of each task, by their names in the order given; a task without a set has no key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskScores {
    /// Search.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub retrieval: IndexMap<String, RetrievalScore>,
}

impl TaskSets {
    /// Opens all sets.
    ///
    /// # Errors
    /// As [`open_sets`].
    pub fn open(paths: &TaskPaths, monitor: Monitor<'_>) -> Result<Self> {
        Ok(Self { retrieval: open_sets(&paths.retrieval, monitor)? })
    }

    /// Whether there is no set.
    pub fn is_empty(&self) -> bool {
        self.retrieval.is_empty()
    }

    /// Scores `model` on all sets; documents are embedded by `documents` where that is another model.
    ///
    /// # Errors
    /// As [`retrieval`].
    pub fn score(
        &self,
        model: &NamedModel<'_>,
        documents: Option<&NamedModel<'_>>,
        monitor: Monitor<'_>,
    ) -> Result<TaskScores> {
        let search =
            |set: &RetrievalSet| Ok((set.name.clone(), retrieval(model, documents.unwrap_or(model), set, monitor)?));
        Ok(TaskScores { retrieval: self.retrieval.iter().map(search).collect::<Result<_>>()? })
    }
}
