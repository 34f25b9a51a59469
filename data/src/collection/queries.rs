//! [`read_queries`].

use std::path::Path;

use super::Query;
use super::columns::RowNames;
use super::rows::{Ids, rows_of};
use crate::error::Result;
use crate::text::{TextError, format_of};

/// All queries of a file, in order: rows with an id and a text, as BEIR's `queries.jsonl` has them, or lines of plain
/// text. A query without an id has the number of its line or row.
///
/// # Errors
/// A file that cannot be read, has no column with text or no query; a row whose id is empty, or stands before. The
/// error names the file, and the line or row.
pub fn read_queries(path: &Path) -> Result<Vec<Query>> {
    let format = format_of(path).ok_or_else(|| TextError::UnknownFormat { path: path.to_owned() })?;
    let mut ids = Ids::default();
    let query = |row: Result<super::rows::Row>| {
        let row = row?;
        let id = row.id.unwrap_or_else(|| row.place.number.to_string());
        ids.add(&id, path, row.place)?;
        Ok(Query { id, text: row.text.trim().to_owned() })
    };
    let queries = rows_of(path, format, RowNames::of_queries())?.map(query).collect::<Result<Vec<_>>>()?;
    if queries.is_empty() { Err(TextError::Empty { path: path.to_owned() }.into()) } else { Ok(queries) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, content: &str) -> std::result::Result<Vec<(String, String)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let pairs = |queries: Vec<Query>| queries.into_iter().map(|query| (query.id, query.text)).collect();
        read_queries(&path).map(pairs).map_err(|error| {
            assert!(error.hint().is_some());
            error.to_string().split_once(name).unwrap().1.to_owned()
        })
    }

    fn pairs<const N: usize>(expected: [(&str, &str); N]) -> Vec<(String, String)> {
        expected.map(|(id, text)| (id.to_owned(), text.to_owned())).into()
    }

    #[test]
    fn the_queries_of_beir_have_their_ids() {
        let content = "{\"_id\": \"q1\", \"text\": \"who? \", \"metadata\": {}}\n{\"_id\": 7, \"text\": \"where\"}\n";
        assert_eq!(read("queries.jsonl", content).unwrap(), pairs([("q1", "who?"), ("7", "where")]));
    }

    #[test]
    fn a_line_of_plain_text_is_a_query_by_its_number() {
        assert_eq!(read("asked.txt", "who\n\nwhere is it\n").unwrap(), pairs([("1", "who"), ("3", "where is it")]));
        assert_eq!(read("asked.jsonl", "\"who\"\n\"where\"\n").unwrap(), pairs([("1", "who"), ("2", "where")]));
    }

    #[test]
    fn a_query_may_stand_under_its_own_name() {
        assert_eq!(read("q.tsv", "qid\tquery\n4\twho\n").unwrap(), pairs([("4", "who")]));
        assert_eq!(read("q.csv", "question\nwho\n").unwrap(), pairs([("2", "who")]));
    }

    #[test]
    fn an_id_twice_is_an_error_that_names_the_line() {
        let error = read("q.jsonl", "{\"_id\":\"a\",\"text\":\"x\"}\n{\"_id\":\"a\",\"text\":\"y\"}\n").unwrap_err();
        assert_eq!(error, ", line 2: the id `a` stands in an earlier row too");
    }

    #[test]
    fn a_file_without_queries_is_an_error() {
        assert_eq!(read("q.txt", "\n\n").unwrap_err(), " is empty");
    }
}
