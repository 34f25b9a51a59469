//! [`LongTexts`]: how often the texts of a cache come in a pass, by their length.

/// From this many times the mean number of tokens a text is long.
const LONG: f64 = 2.0;

/// The number of tokens of every text to train on, in the cache's order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TextLengths(Vec<u16>);

impl TextLengths {
    /// Adds the lengths of further texts.
    pub(super) fn extend(&mut self, lengths: impl Iterator<Item = usize>) {
        self.0.extend(lengths.map(|tokens| u16::try_from(tokens).unwrap_or(u16::MAX)));
    }
}

/// Which texts come more often than once in a pass. A collection's documents drown among their sentences and spans,
/// which are many times as many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LongTexts {
    /// How often a long text comes.
    times: usize,
    /// The fewest tokens of a long text.
    from: usize,
}

impl LongTexts {
    /// Long texts, as `lengths` tell them, come `times`.
    pub(super) fn new(times: usize, lengths: &TextLengths) -> Self {
        let sum: u64 = lengths.0.iter().map(|&tokens| u64::from(tokens)).sum();
        let mean = sum as f64 / lengths.0.len().max(1) as f64;
        Self { times, from: (LONG * mean).ceil().max(1.0) as usize }
    }

    /// How often a text of `tokens` tokens comes in a pass.
    pub(super) fn times(self, tokens: usize) -> usize {
        if tokens >= self.from { self.times } else { 1 }
    }

    /// How many examples each slice gives in a pass, of which the texts to train on are `train_rows`.
    pub(super) fn examples(self, train_rows: &[usize], lengths: &TextLengths) -> Vec<usize> {
        let mut rest = lengths.0.as_slice();
        let of_slice = |&rows: &usize| {
            let (slice, after) = rest.split_at(rows.min(rest.len()));
            rest = after;
            slice.iter().map(|&tokens| self.times(tokens.into())).sum()
        };
        train_rows.iter().map(of_slice).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(tokens: &[usize]) -> TextLengths {
        let mut all = TextLengths::default();
        all.extend(tokens.iter().copied());
        all
    }

    #[test]
    fn texts_of_twice_the_mean_length_come_more_often() {
        let lengths = lengths(&[1, 2, 3, 4, 16, 10]);
        let long = LongTexts::new(4, &lengths);
        assert_eq!([1, 11, 12, 16, 70_000].map(|tokens| long.times(tokens)), [1, 1, 4, 4, 4]);
        assert_eq!(long.examples(&[2, 0, 3, 1], &lengths), [2, 0, 6, 1]);
    }

    #[test]
    fn every_text_comes_once_where_nothing_else_is_asked_for() {
        let lengths = lengths(&[1, 2, 300]);
        assert_eq!(LongTexts::new(1, &lengths).examples(&[2, 1], &lengths), [2, 1]);
        assert_eq!(LongTexts::new(4, &TextLengths::default()).examples(&[], &TextLengths::default()), [0; 0]);
    }
}
