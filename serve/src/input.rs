//! [`Input`]: the texts of a request, or their token ids.

use std::ops::Range;

use limbeck_encoder::TokenBatch;

/// Texts one after another in one string.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Texts {
    all: String,
    ends: Vec<usize>,
}

impl Texts {
    pub(crate) fn push(&mut self, text: &str) {
        self.all.push_str(text);
        self.ends.push(self.all.len());
    }

    pub(crate) fn rows(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn row(&self, row: usize) -> &str {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.all[start..self.ends[row]]
    }
}

/// What a request gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// Texts.
    Texts(Texts),
    /// The token ids of texts, without special tokens.
    Ids(TokenBatch),
}

impl Input {
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.rows(),
            Self::Ids(ids) => ids.rows(),
        }
    }
}

/// Some rows of several inputs, all texts or all token ids.
pub(crate) enum Rows<'a> {
    Texts(Vec<&'a str>),
    Ids(TokenBatch),
}

impl<'a> Rows<'a> {
    /// No rows, of the kind of `input`.
    pub(crate) fn like(input: &Input) -> Self {
        match input {
            Input::Texts(_) => Self::Texts(Vec::new()),
            Input::Ids(_) => Self::Ids(TokenBatch::new()),
        }
    }

    /// Adds `rows` of `input`, unless it is of another kind. Returns whether they were added.
    pub(crate) fn add(&mut self, input: &'a Input, rows: Range<usize>) -> bool {
        match (self, input) {
            (Self::Texts(all), Input::Texts(texts)) => all.extend(rows.map(|row| texts.row(row))),
            (Self::Ids(all), Input::Ids(ids)) => rows.for_each(|row| all.push(ids.row(row))),
            _ => return false,
        }
        true
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Ids(ids) => ids.rows(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(rows: &[&str]) -> Input {
        let mut texts = Texts::default();
        rows.iter().for_each(|text| texts.push(text));
        Input::Texts(texts)
    }

    #[test]
    fn texts_come_back_also_empty_ones() {
        let Input::Texts(texts) = texts(&["", "ab", "", "é"]) else { unreachable!() };
        let rows: Vec<&str> = (0..texts.rows()).map(|row| texts.row(row)).collect();
        assert_eq!(rows, ["", "ab", "", "é"]);
    }

    #[test]
    fn rows_of_several_requests_stand_together_and_ids_apart_from_texts() {
        let (first, second, ids) = (texts(&["a", "b"]), texts(&["c", "d", "e"]), Input::Ids(TokenBatch::new()));
        let mut rows = Rows::like(&first);
        assert!(rows.add(&first, 1..2) && rows.add(&second, 0..2) && !rows.add(&ids, 0..0));
        assert!(matches!(&rows, Rows::Texts(texts) if texts == &["b", "c", "d"]));
    }
}
