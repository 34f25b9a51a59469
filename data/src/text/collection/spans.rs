//! Draws runs of words out of a document.

use unicode_segmentation::UnicodeSegmentation;

use super::draws::Draws;

/// The fewest words of a span.
const FEWEST_WORDS: usize = 2;
/// The most words of a span.
const MOST_WORDS: usize = 40;
/// Keeps the draws apart from those of samples, which have the same seed.
const SPAN_SEED: u64 = 0x5350_414e_5350_414e;

/// The words of a document, each with its place in bytes.
pub(super) type Words<'a> = [(usize, &'a str)];

/// The words of `document`.
pub(super) fn words_of(document: &str) -> Vec<(usize, &str)> {
    document.unicode_word_indices().collect()
}

/// How many sentences a document counts as: the `sentences` of its text, or where these are longer than the mean run,
/// or their ends can't be told, one for every 21 `words`.
pub(super) fn sentences_or_runs(words: &Words, sentences: usize) -> f64 {
    let mean_words = (FEWEST_WORDS + MOST_WORDS) as f64 / 2.0;
    (sentences as f64).max(words.len() as f64 / mean_words)
}

/// Random runs of 2 to 40 of the `words` of `document`, whose hash is `group`: as many as `mean`, or one more. Each run
/// is the stretch of the document from its first word to its last. Lengths are uniform up to the document's own, then
/// places are. A document of one word gives none.
pub(super) fn spans<'a>(
    document: &'a str,
    words: &Words<'a>,
    group: u64,
    mean: f64,
    seed: u64,
) -> impl Iterator<Item = &'a str> {
    let mut draws = Draws::new(group, seed ^ SPAN_SEED);
    let count = if words.len() < FEWEST_WORDS { 0 } else { draws.rounded(mean) };
    (0..count).map(move |_| {
        let most = words.len().min(MOST_WORDS);
        let length = FEWEST_WORDS + draws.below(most + 1 - FEWEST_WORDS);
        let first = draws.below(words.len() + 1 - length);
        let (last, word) = words[first + length - 1];
        &document[words[first].0..last + word.len()]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(document: &str, group: u64, mean: f64, seed: u64) -> impl Iterator<Item = &str> {
        super::spans(document, &words_of(document), group, mean, seed).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn lengths_and_places_are_uniform_and_whole_words() {
        let document = (0..100).map(|n| format!("word{n}")).collect::<Vec<_>>().join(", ");
        let found: Vec<&str> = spans(&document, 7, 4000.0, 0).collect();
        assert_eq!(found.len(), 4000);
        let lengths: Vec<usize> = found.iter().map(|span| span.split(", ").count()).collect();
        assert_eq!((lengths.iter().min(), lengths.iter().max()), (Some(&2), Some(&40)));
        let mean = lengths.iter().sum::<usize>() as f64 / 4000.0;
        assert!((20.5..21.5).contains(&mean), "{mean}");
        assert!(found.iter().all(|span| document.contains(span) && span.starts_with("word") && !span.ends_with(',')));
        let begins = |word: &str| found.iter().filter(|span| span.split(", ").next() == Some(word)).count();
        assert!(begins("word0") > 10 && begins("word98") > 0);
    }

    #[test]
    fn hash_and_seed_decide_and_short_documents_give_short_spans() {
        let of = |group, seed| spans("one two three", group, 20.0, seed).collect::<Vec<_>>();
        assert_eq!(of(1, 0), of(1, 0));
        assert!(of(1, 0) != of(2, 0) && of(1, 0) != of(1, 1));
        assert!(of(1, 0).iter().all(|span| ["one two", "two three", "one two three"].contains(span)));
        assert_eq!(spans("one.", 1, 20.0, 0).count() + spans("", 1, 20.0, 0).count(), 0);
    }

    #[test]
    fn a_mean_between_whole_numbers_is_kept_over_documents() {
        let count: usize = (0..2000).map(|group| spans("one two three", group, 1.3, 0).count()).sum();
        assert!((2500..2700).contains(&count), "{count}");
    }

    #[test]
    fn a_text_without_ends_of_sentences_counts_a_sentence_for_every_21_words() {
        let document = (0..2100).map(|n| format!("word{n}")).collect::<Vec<_>>().join(" ");
        let words = words_of(&document);
        assert_eq!((sentences_or_runs(&words, 1), sentences_or_runs(&words, 300)), (100.0, 300.0));
    }
}
