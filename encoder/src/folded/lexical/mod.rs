//! A lexical half in a folded file.
//!
//! | section | content |
//! |---|---|
//! | lexical offsets | u32: where each word begins in the next section, and where the last one ends |
//! | lexical words | the words in ascending order, one after another |
//! | lexical rows | a row for each word, in the file's precision |
//! | lexical scale | int8 only: what 1 is worth in each row |

mod write;

use serde::{Deserialize, Serialize};

pub(super) use write::LexicalWriter;

use super::{Precision, mapped::MappedSection};
use crate::lexical::{LexicalRows, LexicalSource, LexicalTable, LexicalView, WIDEST};

/// The sizes of a lexical half, as a file's header holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LexicalShape {
    /// How many words there are.
    pub(super) words: usize,
    /// The width of a row.
    pub(super) dimension: usize,
    /// The bytes of all words.
    pub(super) bytes: usize,
}

impl LexicalShape {
    /// The sizes of `table`.
    pub(super) fn of(table: &LexicalTable) -> Self {
        let bytes = table.words.iter().map(String::len).sum();
        Self { words: table.words.len(), dimension: table.dimension, bytes }
    }

    /// Refuses sizes that can't be. With sizes in range, no product of them overflows.
    pub(super) fn check(&self) -> Result<(), String> {
        let Self { words, dimension, bytes } = *self;
        if !(1..=WIDEST).contains(&dimension) || words == 0 || bytes < words || bytes > u32::MAX as usize {
            return Err(format!("a lexical half of {dimension} numbers for {words} words in {bytes} bytes"));
        }
        Ok(())
    }
}

/// The sections of a half in a folded file.
pub(super) struct LexicalSections {
    pub(super) precision: Precision,
    pub(super) offsets: MappedSection,
    pub(super) words: MappedSection,
    pub(super) rows: MappedSection,
    /// None but in int8.
    pub(super) scales: MappedSection,
}

impl LexicalSource for LexicalSections {
    fn view(&self) -> LexicalView<'_> {
        let rows = self.rows.as_ref();
        let rows = match self.precision {
            Precision::F32 => LexicalRows::F32(bytemuck::cast_slice(rows)),
            Precision::F16 => LexicalRows::F16(bytemuck::cast_slice(rows)),
            Precision::Int8 => {
                LexicalRows::Int8(bytemuck::cast_slice(rows), bytemuck::cast_slice(self.scales.as_ref()))
            }
        };
        let offsets = bytemuck::cast_slice(self.offsets.as_ref());
        LexicalView { offsets, words: self.words.as_ref(), rows }
    }
}
