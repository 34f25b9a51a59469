//! [`LexicalHalf`]: words, their rows, and the sum that makes a text's half of them.

use std::{fmt, sync::Arc};

use super::{
    LexicalTable,
    index::{LexicalSections, LexicalView, Storage},
};
use crate::{Embeddings, Result, WordTokenizer, folded::math, normalise};

/// √⅔: the length of the dense half in a whole vector.
pub const DENSE_WEIGHT: f32 = 0.816_496_6;
/// √⅓: the length of the lexical half in a whole vector, where the text has a known word.
pub const LEXICAL_WEIGHT: f32 = 0.577_350_26;

/// The lexical half of a student's vectors: a row a word. It can stand beside any model's dense vectors.
///
/// A text's half is the sum of √count · row over its distinct words, scaled to length 1; the whole text is read,
/// whatever limit of tokens the student has. The sum has one fixed order and no instructions of its own, so all
/// machines give the same bits. A clone shares the table, which in a folded file stays mapped.
///
/// ```
/// use limbeck_encoder::folded::{LexicalHalf, LexicalTable};
///
/// # fn main() -> Result<(), limbeck_encoder::Error> {
/// let words = ["cell", "map"].map(String::from).to_vec();
/// let half = LexicalHalf::new(LexicalTable { words, rows: vec![3.0, 0.0, 0.0, 4.0], dimension: 2 })?;
/// let mut vector = [0.0; 2];
/// assert!(half.encode_into("The mappings of maps", &mut vector));
/// assert_eq!(vector, [0.0, 1.0]);
/// assert!(!half.encode_into("of proteins", &mut vector));
/// assert_eq!(vector, [0.0, 0.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LexicalHalf {
    storage: Arc<Storage>,
    tokenizer: Arc<WordTokenizer>,
    words: usize,
    dimension: usize,
}

impl fmt::Debug for LexicalHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("LexicalHalf");
        debug.field("words", &self.words).field("dimension", &self.dimension).finish_non_exhaustive()
    }
}

impl LexicalHalf {
    /// A half of these words, in memory and in f32.
    ///
    /// # Errors
    /// A table whose parts don't fit together.
    pub fn new(table: LexicalTable) -> Result<Self> {
        table.check()?;
        let (words, dimension) = (table.words.len(), table.dimension);
        Ok(Self { storage: Arc::new(Storage::owned(table)), tokenizer: Arc::default(), words, dimension })
    }

    /// The half of a folded file, whose sections have been checked.
    pub(in crate::folded) fn mapped(sections: LexicalSections) -> Self {
        let (words, dimension) = (sections.shape.words, sections.shape.dimension);
        Self { storage: Arc::new(Storage::Mapped(sections)), tokenizer: Arc::default(), words, dimension }
    }

    /// The width of the half.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// How many words have a row.
    pub fn words(&self) -> usize {
        self.words
    }

    /// The words and their rows, copied, in f32.
    pub fn table(&self) -> LexicalTable {
        let view = self.storage.view();
        let words = (0..self.words).map(|row| String::from_utf8_lossy(view.word(row)).into_owned()).collect();
        let mut rows = vec![0.0; self.words * self.dimension];
        (0u32..).zip(rows.chunks_exact_mut(self.dimension)).for_each(|(row, to)| view.add(row, 1.0, to));
        LexicalTable { words, rows, dimension: self.dimension }
    }

    /// Whether the text has a word with a row. The half of a text without one is zeros.
    pub fn knows(&self, text: &str) -> bool {
        let (view, mut is_known) = (self.storage.view(), false);
        self.tokenizer.for_each_word(text, |word| is_known = is_known || view.find(word).is_some());
        is_known
    }

    /// Writes the text's half, of length 1, to `out`. Returns whether it has a direction: where no word of the text is
    /// known, it is zeros.
    ///
    /// # Panics
    /// When `out` has another length than [`LexicalHalf::dimension`].
    pub fn encode_into(&self, text: &str, out: &mut [f32]) -> bool {
        assert_eq!(out.len(), self.dimension, "the width of a lexical half");
        self.sum(self.storage.view(), text, out)
    }

    /// The whole vectors of `texts`: each row of `dense`, scaled to length √⅔, and behind it the text's half, scaled to
    /// length √⅓.
    ///
    /// # Panics
    /// When `dense` hasn't as many rows as there are texts.
    pub fn beside<T: AsRef<str>>(&self, dense: &Embeddings, texts: &[T]) -> Embeddings {
        assert_eq!(dense.rows(), texts.len(), "a dense vector for each text");
        let width = dense.dimension() + self.dimension;
        let mut whole = vec![0.0; texts.len() * width];
        for ((text, dense), whole) in texts.iter().zip(dense.iter()).zip(whole.chunks_exact_mut(width)) {
            self.write_whole(text.as_ref(), dense, whole);
        }
        Embeddings::new(whole, width)
    }

    /// Writes a text's whole vector to `whole`.
    pub(in crate::folded) fn write_whole(&self, text: &str, dense: &[f32], whole: &mut [f32]) {
        let (first, second) = whole.split_at_mut(dense.len());
        first.copy_from_slice(dense);
        normalise(first);
        first.iter_mut().for_each(|value| *value *= DENSE_WEIGHT);
        self.sum(self.storage.view(), text, second);
        second.iter_mut().for_each(|value| *value *= LEXICAL_WEIGHT);
    }

    fn sum(&self, view: LexicalView<'_>, text: &str, out: &mut [f32]) -> bool {
        let mut rows = Vec::new();
        self.tokenizer.for_each_word(text, |word| rows.extend(view.find(word)));
        // In the order of the table: the order of the text's words changes no bit.
        rows.sort_unstable();
        out.fill(0.0);
        for same in rows.chunk_by(|a, b| a == b) {
            view.add(same[0], (same.len() as f32).sqrt(), out);
        }
        math::normalise(out);
        out.iter().any(|&value| value != 0.0)
    }
}
