//! [`Collection`]: a folder of documents, queries and judgements in BEIR's layout.

use std::path::{Path, PathBuf};

use super::find_table::{find_queries, find_table};
use super::{CollectionError, CorpusReader, Judgements, Query, read_corpus, read_queries};
use crate::error::{Error, Result};

/// The splits whose judgements are taken where none is named, in this order.
const SPLITS: [&str; 3] = ["test", "dev", "train"];

/// A collection whose documents stay on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// The name: that of the folder.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// The queries, in the order of their file; some may have no judgement.
    pub queries: Vec<Query>,
    /// The judgements; some may be of queries or documents that the collection lacks.
    pub judgements: Judgements,
}

impl Collection {
    /// Opens the collection in `folder`, with the judgements of `qrels.tsv`, else of the first split that there is.
    ///
    /// # Errors
    /// A file that is missing or wrong; no query with a positive judgement. The error names the file, and the line.
    pub fn open(folder: &Path) -> Result<Self> {
        let of_split = |split: &str| find_table(&folder.join("qrels"), split).transpose();
        let mut found = [find_table(folder, "qrels").transpose()].into_iter().chain(SPLITS.iter().map(|s| of_split(s)));
        match found.find_map(|found| found).transpose()? {
            Some((file, _)) => Self::with_judgements(folder, &file),
            None => Err(no_file(folder, "judgements (qrels.tsv, or test.tsv, dev.tsv or train.tsv in qrels)")),
        }
    }

    /// Opens the collection in `folder`, with the judgements of `qrels/SPLIT.tsv`.
    ///
    /// # Errors
    /// As [`Collection::open`].
    pub fn open_split(folder: &Path, split: &str) -> Result<Self> {
        match find_table(&folder.join("qrels"), split)? {
            Some((file, _)) => Self::with_judgements(folder, &file),
            None => Err(no_file(folder, &format!("judgements qrels/{split}.tsv"))),
        }
    }

    /// All documents, in order; each call reads them anew.
    ///
    /// # Errors
    /// As [`read_corpus`].
    pub fn documents(&self) -> Result<CorpusReader> {
        read_corpus(&self.folder)
    }

    /// The queries that have a document judged positive, in order.
    pub fn judged_queries(&self) -> impl Iterator<Item = &Query> {
        self.queries.iter().filter(|query| self.judgements.of(&query.id).iter().any(|(_, grade)| *grade > 0))
    }

    fn with_judgements(folder: &Path, qrels: &Path) -> Result<Self> {
        if find_table(folder, "corpus")?.is_none() {
            return Err(no_file(folder, "documents (corpus.jsonl)"));
        }
        let Some(queries) = find_queries(folder)? else {
            return Err(no_file(folder, "queries (queries.jsonl)"));
        };
        let absolute = std::path::absolute(folder).map_err(Error::io("find", folder))?;
        let collection = Self {
            name: absolute.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            folder: folder.to_owned(),
            queries: read_queries(&queries)?,
            judgements: Judgements::read(qrels)?,
        };
        if collection.judged_queries().next().is_none() {
            return Err(CollectionError::NothingJudged { path: qrels.to_owned() }.into());
        }
        Ok(collection)
    }
}

fn no_file(folder: &Path, what: &str) -> Error {
    CollectionError::NoFile { folder: folder.to_owned(), what: what.to_owned() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A collection of two documents and two queries, of which one has a positive judgement.
    fn collection(changes: &[(&str, Option<&str>)]) -> (tempfile::TempDir, PathBuf) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("tiny");
        let files = [
            ("corpus.jsonl", "{\"_id\":\"d1\",\"title\":\"A\",\"text\":\"b\"}\n{\"_id\":\"d2\",\"text\":\"c\"}\n"),
            ("queries.jsonl", "{\"_id\":\"q1\",\"text\":\"x\"}\n{\"_id\":\"q2\",\"text\":\"y\"}\n"),
            ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td2\t1\nq2\td1\t0\n"),
            ("qrels/train.tsv", "q2\td1\t1\n"),
        ];
        for (name, content) in files {
            crate::files::write_bytes(&folder.join(name), content.as_bytes()).unwrap();
        }
        for (name, content) in changes {
            match content {
                Some(content) => crate::files::write_bytes(&folder.join(name), content.as_bytes()).unwrap(),
                None => crate::files::remove(&folder.join(name)).unwrap(),
            }
        }
        (temporary, folder)
    }

    fn judged(collection: &Collection) -> Vec<&str> {
        collection.judged_queries().map(|query| query.id.as_str()).collect()
    }

    #[test]
    fn a_folder_of_beir_is_opened_with_its_test_split() {
        let (_temporary, folder) = collection(&[]);
        let opened = Collection::open(&folder).unwrap();
        assert_eq!((opened.name.as_str(), opened.queries.len(), judged(&opened)), ("tiny", 2, vec!["q1"]));
        let documents: Vec<_> =
            opened.documents().unwrap().map(|document| document.unwrap().whole().into_owned()).collect();
        assert_eq!(documents, ["A b", "c"]);
    }

    #[test]
    fn judgements_beside_the_corpus_go_first_and_a_split_may_be_named() {
        let (_temporary, folder) = collection(&[("qrels.tsv", Some("q1\td1\t1\nq2\td1\t1\n"))]);
        assert_eq!(judged(&Collection::open(&folder).unwrap()), ["q1", "q2"]);
        assert_eq!(judged(&Collection::open_split(&folder, "train").unwrap()), ["q2"]);
        let error = Collection::open_split(&folder, "dev").unwrap_err();
        assert!(error.to_string().ends_with("tiny holds no judgements qrels/dev.tsv"), "{error}");
    }

    #[test]
    fn what_is_missing_is_named() {
        for (gone, what) in [
            ("corpus.jsonl", "documents (corpus.jsonl)"),
            ("queries.jsonl", "queries (queries.jsonl)"),
            ("qrels", "judgements (qrels.tsv, or test.tsv, dev.tsv or train.tsv in qrels)"),
        ] {
            let (_temporary, folder) = collection(&[(gone, None)]);
            let error = Collection::open(&folder).unwrap_err();
            assert!(error.to_string().ends_with(&format!("tiny holds no {what}")), "{error}");
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn judgements_of_other_queries_are_an_error() {
        let (_temporary, folder) = collection(&[("qrels/test.tsv", Some("z\td1\t1\nq1\td1\t0\n"))]);
        let error = Collection::open(&folder).unwrap_err();
        assert!(error.to_string().ends_with("test.tsv: no query has a document judged positive"), "{error}");
    }

    #[test]
    fn two_files_of_one_kind_are_an_error() {
        let (_temporary, folder) = collection(&[("queries.csv", Some("_id,text\nq1,x\n"))]);
        let error = Collection::open(&folder).unwrap_err().to_string();
        assert!(error.contains("queries.csv") && error.contains("could each be the queries"), "{error}");
    }
}
