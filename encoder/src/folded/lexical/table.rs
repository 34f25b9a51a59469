//! [`LexicalTable`]: the words that a lexical half knows and their rows, before they are written to a file.

use half::f16;
use serde::{Deserialize, Serialize};

use super::super::Precision;
use crate::Error;

/// The widest row. 512 numbers are hardly better than 256; a wider row is a mistake.
const WIDEST: usize = 4_096;

/// Words, and a row of numbers for each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LexicalTable {
    /// The words as [`WordTokenizer`](crate::WordTokenizer) gives them, in ascending order of their bytes.
    pub words: Vec<String>,
    /// `[words, dimension]`: a word's inverse document frequency times its row of V.
    pub rows: Vec<f32>,
    /// The width of a row.
    pub dimension: usize,
}

/// The sizes of a lexical half, as a file's header holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::folded) struct LexicalShape {
    /// How many words there are.
    pub(in crate::folded) words: usize,
    /// The width of a row.
    pub(in crate::folded) dimension: usize,
    /// The bytes of all words.
    pub(in crate::folded) bytes: usize,
}

impl LexicalShape {
    /// Refuses sizes that can't be. With sizes in range, no product of them overflows.
    pub(in crate::folded) fn check(&self) -> Result<(), String> {
        let Self { words, dimension, bytes } = *self;
        if !(1..=WIDEST).contains(&dimension) {
            return Err(format!("a lexical half of {dimension} numbers (1 to {WIDEST} are possible)"));
        }
        if !(1..u32::MAX as usize).contains(&words) || bytes < words || bytes > u32::MAX as usize {
            return Err(format!("a lexical half of {words} words in {bytes} bytes"));
        }
        Ok(())
    }
}

impl LexicalTable {
    /// Checks that the words are in order, that each has a row, and that all numbers are finite.
    ///
    /// # Errors
    /// [`Error::Parts`] says what is wrong.
    pub fn check(&self) -> crate::Result<()> {
        self.check_for(Precision::F32).map_err(|what| Error::Parts { what })
    }

    /// [`LexicalTable::check`]; in f16 the rows must be within its range too.
    pub(in crate::folded) fn check_for(&self, precision: Precision) -> Result<(), String> {
        self.shape().check()?;
        if self.words.len() * self.dimension != self.rows.len() {
            let (words, rows, dimension) = (self.words.len(), self.rows.len(), self.dimension);
            return Err(format!("lexical rows: {rows} numbers, {words} words need {dimension} each"));
        }
        if let Some(pair) = self.words.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(format!("the words {:?} and {:?} are not in ascending order", pair[0], pair[1]));
        }
        if self.words[0].is_empty() {
            return Err("an empty word".into());
        }
        let most = if precision == Precision::F16 { f16::MAX.to_f32() } else { f32::MAX };
        // NaN is within no range.
        match self.rows.iter().position(|value| !(-most..=most).contains(value)) {
            Some(at) => Err(format!("lexical rows: number {at} is {}", self.rows[at])),
            None => Ok(()),
        }
    }

    pub(in crate::folded) fn shape(&self) -> LexicalShape {
        let bytes = self.words.iter().map(String::len).sum();
        LexicalShape { words: self.words.len(), dimension: self.dimension, bytes }
    }
}
