//! [`LexicalTable`]: the words that a lexical half knows and their rows, as fitting leaves them.

use crate::Error;

/// The widest row. 512 numbers are hardly better than 256; a wider row is a mistake.
pub(crate) const WIDEST: usize = 4_096;

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

impl LexicalTable {
    /// Checks that the words are in order, that each has a row, and that all numbers are finite.
    ///
    /// # Errors
    /// [`Error::Parts`] says what is wrong.
    pub fn check(&self) -> crate::Result<()> {
        self.check_within(f32::MAX).map_err(|what| Error::Parts { what })
    }

    /// [`LexicalTable::check`] with no number beyond `most`.
    pub(crate) fn check_within(&self, most: f32) -> Result<(), String> {
        if !(1..=WIDEST).contains(&self.dimension) {
            return Err(format!("a lexical half of {} numbers (1 to {WIDEST} are possible)", self.dimension));
        }
        let bytes: usize = self.words.iter().map(String::len).sum();
        if self.words.is_empty() || bytes > u32::MAX as usize {
            return Err(format!("a lexical half of {} words in {bytes} bytes", self.words.len()));
        }
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
        // NaN is within no range.
        match self.rows.iter().position(|value| !(-most..=most).contains(value)) {
            Some(at) => Err(format!("lexical rows: number {at} is {}", self.rows[at])),
            None => Ok(()),
        }
    }

    /// Where each word begins among the bytes of all words, and where the last one ends.
    pub(crate) fn offsets(&self) -> Vec<u32> {
        let ends = self.words.iter().scan(0u32, |end, word| {
            *end += word.len() as u32;
            Some(*end)
        });
        std::iter::once(0).chain(ends).collect()
    }
}
