//! A batch as its distinct tokens.

use limbeck_encoder::TokenBatch;

/// A batch as its distinct tokens and the positions of each.
///
/// Frequent tokens occur many times in a batch (4,096 positions hold about 1,800 distinct tokens), so whatever depends
/// on the token alone is computed once for each distinct token and gathered by position.
#[derive(Debug, Clone)]
pub struct DistinctTokens {
    /// The tokens that occur, ascending.
    tokens: Vec<u32>,
    /// For every position of the flat batch, the index of its token in `tokens`.
    local: Vec<u32>,
    /// Where each text's positions start, and the end of the last.
    offsets: Vec<usize>,
    /// For every position, its text.
    text_of: Vec<u32>,
    /// The positions of token `k` are `positions[starts[k]..starts[k + 1]]`, ascending.
    starts: Vec<u32>,
    positions: Vec<u32>,
}

impl DistinctTokens {
    /// Sorts the tokens of `batch`. Every text must have at least one token.
    pub fn new(batch: &TokenBatch) -> Self {
        let mut order: Vec<u64> =
            batch.ids().iter().enumerate().map(|(at, &id)| u64::from(id) << 32 | at as u64).collect();
        order.sort_unstable();
        let mut tokens = Vec::new();
        let mut starts = Vec::new();
        let mut positions = Vec::with_capacity(order.len());
        let mut local = vec![0; order.len()];
        for entry in order {
            let (id, at) = ((entry >> 32) as u32, entry as u32);
            if tokens.last() != Some(&id) {
                tokens.push(id);
                starts.push(positions.len() as u32);
            }
            local[at as usize] = tokens.len() as u32 - 1;
            positions.push(at);
        }
        starts.push(positions.len() as u32);
        let offsets = batch.offsets().to_vec();
        let mut text_of = vec![0; local.len()];
        for (text, span) in offsets.windows(2).enumerate() {
            text_of[span[0]..span[1]].fill(text as u32);
        }
        Self { tokens, local, offsets, text_of, starts, positions }
    }

    /// The distinct tokens, ascending.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The number of texts.
    pub fn texts(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The positions of `text` in the flat batch.
    pub fn span(&self, text: usize) -> std::ops::Range<usize> {
        self.offsets[text]..self.offsets[text + 1]
    }

    /// The spans of all texts.
    pub fn spans(&self) -> impl ExactSizeIterator<Item = std::ops::Range<usize>> {
        self.offsets.windows(2).map(|pair| pair[0]..pair[1])
    }

    /// For every position, the index of its token in [`DistinctTokens::tokens`].
    pub fn local(&self) -> &[u32] {
        &self.local
    }

    /// The text that `position` belongs to.
    pub fn text_of(&self, position: usize) -> usize {
        self.text_of[position] as usize
    }

    /// The positions of the distinct token with the index `token`, ascending.
    pub fn positions_of(&self, token: usize) -> &[u32] {
        &self.positions[self.starts[token] as usize..self.starts[token + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_finds_its_token_and_every_token_its_positions() {
        let rows: [&[u32]; 3] = [&[7, 3, 7], &[9], &[3, 3]];
        let distinct = DistinctTokens::new(&rows.into_iter().collect());
        assert_eq!(distinct.tokens(), [3, 7, 9]);
        assert_eq!(distinct.local(), [1, 0, 1, 2, 0, 0]);
        assert_eq!(distinct.positions_of(0), [1, 4, 5]);
        assert_eq!(distinct.positions_of(1), [0, 2]);
        assert_eq!(distinct.text_of(3), 1);
        assert_eq!(distinct.spans().collect::<Vec<_>>(), [0..3, 3..4, 4..6]);
    }
}
