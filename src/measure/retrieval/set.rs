//! [`RetrievalSet`]: a collection made ready for several models.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use limbeck_data::Monitor;
use limbeck_data::collection::Collection;

use super::documents::{encode_documents, word_index};
use super::figures::JudgedQuery;
use super::vectors::DocumentVectors;
use crate::error::Result;
use crate::measure::bm25::Bm25;
use crate::measure::model::NamedModel;
use crate::measure::set_names::set_names;

/// A collection whose queries and judgements are in memory, with an index of its documents by their words; the
/// documents stay on the disk.
pub struct RetrievalSet {
    /// The name in tables.
    pub name: String,
    /// The queries with a positive judgement.
    pub queries: Vec<SetQuery>,
    /// The documents by their words.
    pub index: Bm25,
    /// How many queries have no positive judgement.
    pub left_out: usize,
    /// How many positive judgements are of documents that the collection lacks.
    pub missing: usize,
    collection: Collection,
}

/// A query of a set.
pub struct SetQuery {
    /// The query.
    pub text: String,
    /// The documents that answer it.
    pub judged: JudgedQuery,
}

/// Opens the collections in `folders` and names them as [`set_names`] says.
///
/// # Errors
/// As [`RetrievalSet::open`]; a folder given twice.
pub fn open_sets(folders: &[PathBuf], monitor: Monitor<'_>) -> Result<Vec<RetrievalSet>> {
    let absolute: Vec<PathBuf> =
        folders.iter().map(|folder| std::path::absolute(folder).unwrap_or_else(|_| folder.clone())).collect();
    set_names(&absolute)?
        .into_iter()
        .zip(folders)
        .map(|(name, folder)| RetrievalSet::open(name, folder, monitor))
        .collect()
}

impl RetrievalSet {
    /// Opens the collection in `folder` and reads its documents once to count their words and once to index them. Notes
    /// judgements of documents that it lacks.
    ///
    /// # Errors
    /// As [`Collection::open`] and [`Collection::documents`]; an interrupt.
    pub fn open(name: String, folder: &Path, monitor: Monitor<'_>) -> Result<Self> {
        let collection = Collection::open(folder)?;
        let judged = collection.judged_queries().flat_map(|query| collection.judgements.of(&query.id));
        let wanted: HashSet<&str> = judged.filter(|(_, grade)| *grade > 0).map(|(id, _)| id.as_str()).collect();
        let mut places: HashMap<String, u32> = HashMap::new();
        let known = |first: u32, ids: &[String]| {
            let known = (first..).zip(ids).filter(|(_, id)| wanted.contains(id.as_str()));
            places.extend(known.map(|(place, id)| (id.clone(), place)));
        };
        let index = word_index(|| Ok(collection.documents()?), &format!("{name}: words"), known, monitor)?;
        let mut missing = 0;
        let query = |query: &limbeck_data::collection::Query| {
            let mut judged = JudgedQuery::default();
            for (id, grade) in collection.judgements.of(&query.id).iter().filter(|(_, grade)| *grade > 0) {
                judged.ideal.push(*grade);
                match places.get(id) {
                    Some(&place) => drop(judged.grades.insert(place, *grade)),
                    None => missing += 1,
                }
            }
            judged.ideal.sort_unstable_by(|a, b| b.cmp(a));
            SetQuery { text: query.text.clone(), judged }
        };
        let queries: Vec<SetQuery> = collection.judged_queries().map(query).collect();
        let left_out = collection.queries.len() - queries.len();
        if missing > 0 {
            monitor.note(&format!("{name}: {missing} judgements are of documents that the collection lacks"));
        }
        Ok(Self { name, queries, index, left_out, missing, collection })
    }

    /// A model's vectors of all documents.
    ///
    /// # Errors
    /// A document that cannot be read; what encoding gives; the vectors cannot be stored.
    pub fn encode_documents(&self, model: &NamedModel<'_>, monitor: Monitor<'_>) -> Result<DocumentVectors> {
        let (total, what) = (self.index.documents() as u64, format!("documents of {}", self.name));
        encode_documents(self.collection.documents()?, total, model, &what, monitor)
    }
}
