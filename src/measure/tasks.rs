//! Tasks that models are measured on beside graded pairs: their sets, made ready once for all models, and a model's
//! scores. A task is a field in both structs, so that command, stage, table, report and card show every task alike.

use std::path::PathBuf;

use indexmap::IndexMap;
use limbeck_data::Monitor;
use limbeck_data::labelled::{self, LabelledSet};
use serde::{Deserialize, Serialize};

use super::classification::{ClassificationScore, classification};
use super::clustering::{ClusteringScore, clustering};
use super::model::NamedModel;
use super::retrieval::set::open_sets;
use super::retrieval::{RetrievalScore, RetrievalSet, retrieval};
use super::set_names::set_names;
use crate::error::Result;

/// Where the sets of each task lie, a folder each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskPaths {
    /// Collections in BEIR's layout.
    pub retrieval: Vec<PathBuf>,
    /// Tables `train` and `test` of texts and labels.
    pub classification: Vec<PathBuf>,
    /// The same, of which the test part is clustered.
    pub clustering: Vec<PathBuf>,
}

/// The sets of all tasks.
#[derive(Default)]
pub struct TaskSets {
    /// Collections to search.
    pub retrieval: Vec<RetrievalSet>,
    /// Texts to classify.
    pub classification: Vec<LabelledSet>,
    /// Texts to cluster.
    pub clustering: Vec<LabelledSet>,
}

/// A model's scores on the sets of each task, by their names in the order given; a task without a set has no key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskScores {
    /// Search.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub retrieval: IndexMap<String, RetrievalScore>,
    /// Classes, by a logistic regression.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub classification: IndexMap<String, ClassificationScore>,
    /// Clusters, by k-means.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub clustering: IndexMap<String, ClusteringScore>,
}

impl TaskScores {
    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.retrieval.is_empty() && self.classification.is_empty() && self.clustering.is_empty()
    }
}

impl TaskSets {
    /// Opens all sets. Notes judgements of documents that a collection lacks, and test labels that training lacks.
    ///
    /// # Errors
    /// As [`open_sets`] and [`labelled::read`]; a folder given twice for one task.
    pub fn open(paths: &TaskPaths, monitor: Monitor<'_>) -> Result<Self> {
        let classification = labelled_sets(&paths.classification)?;
        classification.iter().filter_map(LabelledSet::note).for_each(|note| monitor.note(&note));
        let clustering = labelled_sets(&paths.clustering)?;
        Ok(Self { retrieval: open_sets(&paths.retrieval, monitor)?, classification, clustering })
    }

    /// Scores `model` on all sets; the documents of a search are embedded by `documents` where that is another model.
    ///
    /// # Errors
    /// As [`retrieval`], [`classification`] and [`clustering`].
    pub fn score(
        &self,
        model: &NamedModel<'_>,
        documents: Option<&NamedModel<'_>>,
        monitor: Monitor<'_>,
    ) -> Result<TaskScores> {
        let search =
            |set: &RetrievalSet| Ok((set.name.clone(), retrieval(model, documents.unwrap_or(model), set, monitor)?));
        let classify = |set: &LabelledSet| Ok((set.name.clone(), classification(model, set, monitor)?));
        let cluster = |set: &LabelledSet| Ok((set.name.clone(), clustering(model, set, monitor)?));
        Ok(TaskScores {
            retrieval: self.retrieval.iter().map(search).collect::<Result<_>>()?,
            classification: self.classification.iter().map(classify).collect::<Result<_>>()?,
            clustering: self.clustering.iter().map(cluster).collect::<Result<_>>()?,
        })
    }
}

/// Reads the labelled sets in `folders`, which get the names that [`set_names`] gives.
fn labelled_sets(folders: &[PathBuf]) -> Result<Vec<LabelledSet>> {
    let absolute: Vec<PathBuf> =
        folders.iter().map(|folder| std::path::absolute(folder).unwrap_or_else(|_| folder.clone())).collect();
    let named = set_names(&absolute)?.into_iter().zip(folders);
    named.map(|(name, folder)| Ok(LabelledSet { name, ..labelled::read(folder)? })).collect()
}
