//! Where the words and rows of a lexical half lie: in the mapping of a folded file, or in memory. Words are found by
//! bisection in place.

use std::cmp::Ordering;

use half::f16;

use super::{super::Precision, LexicalShape, LexicalTable};
use crate::folded::{file::MappedSection, math};

/// The words of a half and their rows.
pub(super) enum Storage {
    /// In a folded file.
    Mapped(LexicalSections),
    /// In memory, in f32.
    Owned { offsets: Vec<u32>, words: String, rows: Vec<f32> },
}

/// The sections of a half in a folded file.
pub(in crate::folded) struct LexicalSections {
    pub(in crate::folded) shape: LexicalShape,
    pub(in crate::folded) precision: Precision,
    pub(in crate::folded) offsets: MappedSection,
    pub(in crate::folded) words: MappedSection,
    pub(in crate::folded) rows: MappedSection,
    /// A scale for each row; none but in int8.
    pub(in crate::folded) scales: MappedSection,
}

impl Storage {
    pub(super) fn owned(table: LexicalTable) -> Self {
        Self::Owned { offsets: table.offsets(), words: table.words.concat(), rows: table.rows }
    }

    /// The numbers, to be read.
    pub(super) fn view(&self) -> LexicalView<'_> {
        match self {
            Self::Owned { offsets, words, rows } => {
                LexicalView { offsets, words: words.as_bytes(), rows: RowView::F32(rows) }
            }
            Self::Mapped(sections) => {
                let rows = sections.rows.as_ref();
                let rows = match sections.precision {
                    Precision::F32 => RowView::F32(bytemuck::cast_slice(rows)),
                    Precision::F16 => RowView::F16(bytemuck::cast_slice(rows)),
                    Precision::Int8 => {
                        RowView::Int8(bytemuck::cast_slice(rows), bytemuck::cast_slice(sections.scales.as_ref()))
                    }
                };
                LexicalView {
                    offsets: bytemuck::cast_slice(sections.offsets.as_ref()),
                    words: sections.words.as_ref(),
                    rows,
                }
            }
        }
    }
}

/// The words and rows of a half, borrowed.
#[derive(Clone, Copy)]
pub(super) struct LexicalView<'a> {
    offsets: &'a [u32],
    words: &'a [u8],
    rows: RowView<'a>,
}

/// Rows in one of the precisions.
#[derive(Clone, Copy)]
enum RowView<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
    /// The numbers, and a scale for each row.
    Int8(&'a [i8], &'a [f32]),
}

impl LexicalView<'_> {
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
            RowView::F32(rows) => add(sums, rows[place].iter().copied(), weight),
            RowView::F16(rows) => add(sums, rows[place].iter().map(|value| math::half(value.to_bits())), weight),
            RowView::Int8(rows, scales) => {
                add(sums, rows[place].iter().map(|&number| f32::from(number)), weight * scales[row]);
            }
        }
    }
}

fn add(sums: &mut [f32], row: impl Iterator<Item = f32>, weight: f32) {
    sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
}

/// Checks the words of a file: in ascending order, each of at least a byte, and the offsets theirs.
pub(in crate::folded) fn check_words(offsets: &[u32], words: &[u8]) -> Result<(), String> {
    let are_ascending = offsets.windows(2).all(|pair| pair[0] < pair[1]);
    if offsets.first() != Some(&0) || offsets.last().map(|&end| end as usize) != Some(words.len()) || !are_ascending {
        return Err("the offsets of its words are wrong".into());
    }
    let word = |at: usize| &words[offsets[at] as usize..offsets[at + 1] as usize];
    match (1..offsets.len() - 1).find(|&at| word(at - 1) >= word(at)) {
        Some(at) => Err(format!("its word {at} is not in ascending order")),
        None => Ok(()),
    }
}
