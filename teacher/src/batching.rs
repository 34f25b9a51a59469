//! Texts grouped to batches of similar length, and the vectors of batches put back in the order of the texts.

use limbeck_encoder::{Embeddings, Special, TokenBatch, Tokenizer};

use crate::Result;

/// Tokens of a batch for each thread of a session on the CPU, padding included, unless the options say otherwise.
///
/// Measured on all-MiniLM-L6-v2, sentences a second of STSB at 384, 512 and 1,024 tokens: in f32 on one core 667, 680,
/// 636; in int8 1,678, 1,677, 1,627, on two cores 3,288, 3,360, 3,178; longer texts in int8 1,199, 1,202, 1,143. The
/// states of larger batches no longer fit the core's cache (f32 at 2,048: a twelfth slower, at 8,192 half again).
pub const BATCH_TOKENS: usize = 512;

/// Batches of at most `most_tokens` tokens, padding included, but of at least one text: the indices of the texts,
/// shortest first; texts of one length keep their order. The batches depend on the lengths alone.
pub(crate) fn plan(texts: &TokenBatch, most_tokens: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..texts.rows()).collect();
    order.sort_by_key(|&row| texts.row_len(row));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for row in order {
        match batches.last_mut() {
            // The text is the longest so far, so the batch is padded to its length.
            Some(batch) if (batch.len() + 1) * texts.row_len(row) <= most_tokens => batch.push(row),
            _ => batches.push(vec![row]),
        }
    }
    batches
}

/// How a text is prepared for the tokenizer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextInput<'a> {
    /// Put before every text.
    pub prefix: &'a str,
    /// Whether the text and its prefix are lower-cased.
    pub lower_case: bool,
}

impl TextInput<'_> {
    /// The tokens of `texts`, cut to `max_tokens`.
    pub(crate) fn tokenise(
        self,
        tokenizer: &Tokenizer,
        texts: &[&str],
        special: Special,
        max_tokens: Option<usize>,
    ) -> limbeck_encoder::Result<TokenBatch> {
        if self.prefix.is_empty() && !self.lower_case {
            return tokenizer.encode_batch(texts, special, max_tokens);
        }
        let prepare = |text: &&str| {
            let text = format!("{}{text}", self.prefix);
            if self.lower_case { text.to_lowercase() } else { text }
        };
        let texts: Vec<String> = texts.iter().map(prepare).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        tokenizer.encode_batch(&texts, special, max_tokens)
    }
}

/// The unit vectors of `texts`. `pooled` makes the vectors of a batch, `width` values a text.
pub(crate) fn encode(
    texts: &TokenBatch,
    width: usize,
    pooled: impl Fn(&TokenBatch) -> Result<Vec<f32>>,
) -> Result<Embeddings> {
    let mut vectors = vec![0.0; texts.rows() * width];
    for places in plan(texts, BATCH_TOKENS) {
        let batch: TokenBatch = places.iter().map(|&place| texts.row(place)).collect();
        for (place, row) in places.into_iter().zip(pooled(&batch)?.chunks_exact(width)) {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
            let to = &mut vectors[place * width..(place + 1) * width];
            to.iter_mut().zip(row).for_each(|(to, x)| *to = x / length);
        }
    }
    Ok(Embeddings::new(vectors, width))
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
    fn batches_hold_texts_of_similar_length_and_no_more_tokens_than_allowed() {
        let texts = texts(&[5, 2, 9, 2, 4, 0, 3]);
        assert_eq!(plan(&texts, 10), [&[5, 1, 3][..], &[6, 4], &[0], &[2]]);
    }

    #[test]
    fn a_text_longer_than_allowed_is_a_batch_of_its_own() {
        let texts = texts(&[100, 1]);
        assert_eq!(plan(&texts, 10), [&[1][..], &[0]]);
    }

    #[test]
    fn no_texts_are_no_batches() {
        assert!(plan(&TokenBatch::new(), 10).is_empty());
    }
}
