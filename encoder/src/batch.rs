//! [`TokenBatch`], the batch type of every engine: flat token ids and offsets, without padding.

/// Token ids of several texts, one after another.
///
/// Row `i` is `ids[offsets[i]..offsets[i + 1]]`. An engine that needs padding adds its own and masks by length, never
/// by token id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBatch {
    ids: Vec<u32>,
    offsets: Vec<usize>,
}

impl Default for TokenBatch {
    fn default() -> Self {
        Self { ids: Vec::new(), offsets: vec![0] }
    }
}

impl TokenBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one text's token ids as a row; an empty row is allowed.
    pub fn push(&mut self, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
        self.offsets.push(self.ids.len());
    }

    /// Appends the row that `fill` appends to the vector it is given; `fill` must change nothing else there.
    pub fn push_with<R>(&mut self, fill: impl FnOnce(&mut Vec<u32>) -> R) -> R {
        let result = fill(&mut self.ids);
        self.offsets.push(self.ids.len());
        result
    }

    /// The number of texts.
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether the batch holds no text.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }

    /// The token ids of text `index`.
    ///
    /// # Panics
    /// When the batch has no row `index`.
    pub fn row(&self, index: usize) -> &[u32] {
        &self.ids[self.offsets[index]..self.offsets[index + 1]]
    }

    /// The number of tokens of text `index`.
    pub fn row_len(&self, index: usize) -> usize {
        self.offsets[index + 1] - self.offsets[index]
    }

    /// All rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        self.offsets.windows(2).map(|pair| &self.ids[pair[0]..pair[1]])
    }

    /// The token ids of all texts, one text after another.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The start of each row and the end of the last: `rows() + 1` offsets into [`TokenBatch::ids`].
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// The number of tokens of the longest text, 0 for an empty batch.
    pub fn longest(&self) -> usize {
        self.offsets.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
    }

    /// Removes all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.offsets.truncate(1);
    }
}

impl<'a> FromIterator<&'a [u32]> for TokenBatch {
    fn from_iter<I: IntoIterator<Item = &'a [u32]>>(rows: I) -> Self {
        let mut batch = Self::new();
        rows.into_iter().for_each(|row| batch.push(row));
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_also_empty_ones_come_back_unchanged() {
        let rows: [&[u32]; 4] = [&[1, 2, 3], &[], &[4], &[]];
        let batch: TokenBatch = rows.into_iter().collect();
        assert_eq!(batch.rows(), 4);
        assert_eq!(batch.iter().collect::<Vec<_>>(), rows);
        assert_eq!(batch.offsets(), [0, 3, 3, 4, 4]);
        assert_eq!(batch.longest(), 3);
    }

    #[test]
    fn a_cleared_batch_equals_a_new_one() {
        let mut batch = TokenBatch::new();
        batch.push(&[7]);
        batch.clear();
        assert_eq!(batch, TokenBatch::new());
    }
}
