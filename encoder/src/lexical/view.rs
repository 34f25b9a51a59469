//! [`LexicalView`]: the words and rows of a lexical half, read where they lie. Words are found by bisection in place.

use std::cmp::Ordering;

use half::f16;

use super::LexicalTable;

/// Where the words and rows of a half lie: in memory, or in the mapping of a file.
pub(crate) trait LexicalSource: Send + Sync {
    /// The words and rows.
    fn view(&self) -> LexicalView<'_>;
}

/// Words and rows in memory.
pub(super) struct InMemory {
    offsets: Vec<u32>,
    words: String,
    rows: Vec<f32>,
}

impl InMemory {
    pub(super) fn new(table: LexicalTable) -> Self {
        Self { offsets: table.offsets(), words: table.words.concat(), rows: table.rows }
    }
}

impl LexicalSource for InMemory {
    fn view(&self) -> LexicalView<'_> {
        let rows = LexicalRows::F32(&self.rows);
        LexicalView { offsets: &self.offsets, words: self.words.as_bytes(), rows }
    }
}

/// The words and rows of a half, borrowed.
#[derive(Clone, Copy)]
pub(crate) struct LexicalView<'a> {
    /// Where each word begins, and where the last one ends.
    pub(crate) offsets: &'a [u32],
    /// The words, one after another, in ascending order.
    pub(crate) words: &'a [u8],
    pub(crate) rows: LexicalRows<'a>,
}

/// Rows in one of the precisions.
#[derive(Clone, Copy)]
pub(crate) enum LexicalRows<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
    /// The numbers, and a scale for each row.
    Int8(&'a [i8], &'a [f32]),
}

impl LexicalView<'_> {
    /// Checks that the offsets are those of words in ascending order, each of at least a byte.
    pub(crate) fn check_words(&self) -> Result<(), String> {
        let Self { offsets, words, .. } = self;
        let are_ascending = offsets.windows(2).all(|pair| pair[0] < pair[1]);
        let end = offsets.last().map(|&end| end as usize);
        if offsets.first() != Some(&0) || end != Some(words.len()) || !are_ascending {
            return Err("the offsets of its words are wrong".into());
        }
        match (1..offsets.len() - 1).find(|&at| self.word(at - 1) >= self.word(at)) {
            Some(at) => Err(format!("its word {at} is not in ascending order")),
            None => Ok(()),
        }
    }

    /// The row of `word`.
    pub(super) fn find(&self, word: &str) -> Option<u32> {
        let (mut low, mut high) = (0, self.offsets.len() - 1);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.word(middle).cmp(word.as_bytes()) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Some(middle as u32),
            }
        }
        None
    }

    /// The bytes of the word that has this row.
    pub(super) fn word(&self, row: usize) -> &[u8] {
        &self.words[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    /// Adds `weight` times the row to `sums`.
    pub(super) fn add(&self, row: u32, weight: f32, sums: &mut [f32]) {
        let row = row as usize;
        let place = row * sums.len()..(row + 1) * sums.len();
        match self.rows {
            LexicalRows::F32(rows) => add(sums, rows[place].iter().copied(), weight),
            LexicalRows::F16(rows) => add(sums, rows[place].iter().map(|value| value.to_f32()), weight),
            LexicalRows::Int8(rows, scales) => {
                add(sums, rows[place].iter().map(|&number| f32::from(number)), weight * scales[row]);
            }
        }
    }
}

fn add(sums: &mut [f32], row: impl Iterator<Item = f32>, weight: f32) {
    sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
}
