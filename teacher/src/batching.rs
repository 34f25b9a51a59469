//! Cutting texts into batches of like length.

use std::ops::Range;

use limbeck_encoder::TokenBatch;

/// Texts in order of length, and where this order is cut. A function of the lengths alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batches {
    /// Places in the given batch, shortest first; equal ones in the order they came.
    order: Vec<usize>,
    cuts: Vec<Range<usize>>,
}

impl Batches {
    /// Batches of at most `most_tokens` tokens, padding counted, and of at least one text.
    pub fn plan(texts: &TokenBatch, most_tokens: usize) -> Self {
        let mut order: Vec<usize> = (0..texts.rows()).collect();
        order.sort_by_key(|&row| texts.row_len(row));
        let mut cuts = Vec::new();
        let mut start = 0;
        for (end, &row) in order.iter().enumerate() {
            // The text at `end` is the longest so far, so the batch would be padded to it.
            if end > start && (end + 1 - start) * texts.row_len(row) > most_tokens {
                cuts.push(start..end);
                start = end;
            }
        }
        if start < order.len() {
            cuts.push(start..order.len());
        }
        Self { order, cuts }
    }

    /// The batches, each a list of places.
    pub fn iter(&self) -> impl Iterator<Item = &[usize]> {
        self.cuts.iter().map(|cut| &self.order[cut.clone()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lengths: &[usize]) -> TokenBatch {
        let mut batch = TokenBatch::new();
        lengths.iter().for_each(|&length| batch.push(&vec![1; length]));
        batch
    }

    #[test]
    fn batches_hold_texts_of_like_length_and_no_more_tokens_than_allowed() {
        let texts = texts(&[5, 2, 9, 2, 4, 0, 3]);
        let batches = Batches::plan(&texts, 10);
        assert_eq!(batches.iter().collect::<Vec<_>>(), [&[5, 1, 3][..], &[6, 4], &[0], &[2]]);
    }

    #[test]
    fn a_text_longer_than_allowed_is_a_batch_of_its_own() {
        let texts = texts(&[100, 1]);
        let batches = Batches::plan(&texts, 10);
        assert_eq!(batches.iter().collect::<Vec<_>>(), [&[1][..], &[0]]);
    }

    #[test]
    fn no_texts_are_no_batches() {
        assert_eq!(Batches::plan(&TokenBatch::new(), 10).iter().count(), 0);
    }
}
