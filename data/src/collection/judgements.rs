//! [`Judgements`]: what people judged to answer a query.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use super::CollectionError;
use crate::error::Result;
use crate::text::{Lines, ReadOptions, TextError};

/// The judged documents of each query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgements {
    /// By the query's id: the ids of documents and their grades, in the order of the file. A grade above 0 is positive.
    pub by_query: BTreeMap<String, Vec<(String, i32)>>,
}

impl Judgements {
    /// Reads lines of query, document and grade with tabs between, as BEIR has them, or of query, iteration, document
    /// and grade, as TREC has them. A first line whose grade is no number is a header. A line that stands twice counts
    /// once.
    ///
    /// # Errors
    /// A file that cannot be read; a line of other fields; one pair with two grades; no judgement at all. The error
    /// names file and line.
    pub fn read(path: &Path) -> Result<Self> {
        let mut lines = Lines::open(path, &ReadOptions::default())?;
        let mut judgements = Self::default();
        while let Some(text) = lines.next_line()?.map(Cow::into_owned) {
            let parsed = if text.trim().is_empty() { Ok(None) } else { judgement(&text).map(Some) };
            let what = match parsed {
                Ok(None) => continue,
                Ok(Some((query, document, grade))) => match judgements.add(query, document, grade) {
                    Ok(()) => continue,
                    Err(other) => format!("`{query}` and `{document}` have the grade {other} in an earlier line"),
                },
                Err(BadLine::Grade(_)) if lines.line == 1 => continue,
                Err(BadLine::Grade(grade)) => format!("the grade `{grade}` is no whole number"),
                Err(BadLine::Fields(found)) => format!("{found} fields where 3 belong"),
            };
            return Err(CollectionError::Judgement { path: path.to_owned(), line: lines.line, what }.into());
        }
        let empty = judgements.by_query.is_empty();
        if empty { Err(TextError::Empty { path: path.to_owned() }.into()) } else { Ok(judgements) }
    }

    /// The judged documents of a query; none where it has none.
    pub fn of(&self, query: &str) -> &[(String, i32)] {
        self.by_query.get(query).map_or(&[], Vec::as_slice)
    }

    /// The number of judgements.
    pub fn len(&self) -> usize {
        self.by_query.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_query.is_empty()
    }

    /// Adds a judgement, or gives the other grade that the same pair has.
    fn add(&mut self, query: &str, document: &str, grade: i32) -> std::result::Result<(), i32> {
        if !self.by_query.contains_key(query) {
            self.by_query.insert(query.to_owned(), Vec::new());
        }
        let Some(judged) = self.by_query.get_mut(query) else { return Ok(()) };
        match judged.iter().find(|(other, _)| other == document) {
            Some(&(_, other)) if other != grade => Err(other),
            Some(_) => Ok(()),
            None => {
                judged.push((document.to_owned(), grade));
                Ok(())
            }
        }
    }
}

/// Why a line is no judgement.
enum BadLine {
    /// So many fields.
    Fields(usize),
    /// A grade that is no whole number.
    Grade(String),
}

fn judgement(line: &str) -> std::result::Result<(&str, &str, i32), BadLine> {
    let fields: Vec<&str> = match line.contains('\t') {
        true => line.split('\t').map(str::trim).collect(),
        false => line.split_whitespace().collect(),
    };
    let (query, document, grade) = match fields[..] {
        [query, document, grade] | [query, _, document, grade] => (query, document, grade),
        _ => return Err(BadLine::Fields(fields.len())),
    };
    let grade = grade.parse().map_err(|_| BadLine::Grade(grade.to_owned()))?;
    Ok((query, document, grade))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> std::result::Result<Judgements, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qrels.tsv");
        std::fs::write(&path, content).unwrap();
        Judgements::read(&path).map_err(|error| {
            assert!(error.hint().is_some());
            error.to_string().split_once("qrels.tsv").unwrap().1.to_owned()
        })
    }

    #[test]
    fn a_header_may_stand_above_or_not() {
        let with = read("query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td 2\t0\nq2\td1\t1\n").unwrap();
        let without = read("q1\td1\t2\nq1\td 2\t0\nq2\td1\t1\n").unwrap();
        assert_eq!(with, without);
        assert_eq!(with.of("q1"), [("d1".to_owned(), 2), ("d 2".to_owned(), 0)]);
        assert_eq!((with.len(), with.of("q3").len()), (3, 0));
    }

    #[test]
    fn the_lines_of_trec_have_a_field_more() {
        assert_eq!(read("q1 0 d1 2\n").unwrap().of("q1"), [("d1".to_owned(), 2)]);
    }

    #[test]
    fn a_line_twice_counts_once_and_with_another_grade_is_an_error() {
        assert_eq!(read("q\td\t1\nq\td\t1\n").unwrap().len(), 1);
        assert_eq!(
            read("q\td\t1\nq\td\t2\n").unwrap_err(),
            ", line 2: `q` and `d` have the grade 1 in an earlier line"
        );
    }

    #[test]
    fn a_bad_line_is_named() {
        assert_eq!(read("q\td\t1\nq\te\thigh\n").unwrap_err(), ", line 2: the grade `high` is no whole number");
        assert_eq!(read("q\td\t1\nq\te\n").unwrap_err(), ", line 2: 2 fields where 3 belong");
        assert_eq!(read("query-id\tcorpus-id\tscore\n").unwrap_err(), " is empty");
    }
}
