//! [`WordBag`]: the words of a collection, and texts that mix them.

use std::collections::HashMap;

use unicode_segmentation::UnicodeSegmentation;

use super::draws::Draws;

/// The fewest words of a mixture.
const FEWEST_WORDS: usize = 2;
/// The most words of a mixture.
const MOST_WORDS: usize = 12;
/// The most entries of the bag: after so many, later words and repetitions are passed over.
const MOST_ENTRIES: usize = 1 << 18;
/// Keeps the draws apart from those of spans, which have the same seed.
const MIXTURE_SEED: u64 = 0x4d49_5854_4d49_5854;

/// The words of the documents so far. A word that occurred n times stands in it ⌊√n⌋ times: rare words are drawn more
/// often than they are written, and frequent ones still more often than rare ones.
#[derive(Debug, Default)]
pub(in crate::text) struct WordBag {
    entries: Vec<Box<str>>,
    /// How often each word of the bag occurred.
    occurrences: HashMap<Box<str>, u64>,
}

impl WordBag {
    /// Takes the words of the next document: those with a letter, as they are written.
    pub(in crate::text) fn take(&mut self, document: &str) {
        let has_letter = |word: &&str| word.chars().any(char::is_alphabetic);
        for word in document.unicode_words().filter(has_letter) {
            if self.entries.len() == MOST_ENTRIES {
                return;
            }
            let occurrences = match self.occurrences.get_mut(word) {
                Some(occurrences) => occurrences,
                None => self.occurrences.entry(word.into()).or_default(),
            };
            *occurrences += 1;
            if occurrences.isqrt().pow(2) == *occurrences {
                self.entries.push(word.into());
            }
        }
    }

    /// Texts of 2 to 12 words of the bag, for the document whose hash is `group`: as many as `mean`, or one more. They
    /// depend on this document and those before it. An empty bag gives none.
    pub(in crate::text) fn mixtures(&self, group: u64, mean: f64, seed: u64) -> impl Iterator<Item = String> {
        let mut draws = Draws::new(group, seed ^ MIXTURE_SEED);
        let count = if self.entries.is_empty() { 0 } else { draws.rounded(mean) };
        (0..count).map(move |_| {
            let length = FEWEST_WORDS + draws.below(MOST_WORDS + 1 - FEWEST_WORDS);
            let words: Vec<&str> = (0..length).map(|_| &*self.entries[draws.below(self.entries.len())]).collect();
            words.join(" ")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bag(documents: &[&str]) -> WordBag {
        let mut bag = WordBag::default();
        documents.iter().for_each(|document| bag.take(document));
        bag
    }

    #[test]
    fn a_word_stands_in_the_bag_as_often_as_the_root_of_its_count() {
        let bag = bag(&["rare, often often often", "often often often often often often 42 --"]);
        let count = |word: &str| bag.entries.iter().filter(|entry| ***entry == *word).count();
        assert_eq!((count("rare"), count("often"), bag.entries.len()), (1, 3, 4));
    }

    #[test]
    fn mixtures_have_two_to_twelve_words_and_a_mean_count() {
        let bag = bag(&["one two three four five"]);
        let texts: Vec<String> = (0..1000).flat_map(|group| bag.mixtures(group, 1.5, 0)).collect();
        assert!((1450..1550).contains(&texts.len()), "{}", texts.len());
        let lengths: Vec<usize> = texts.iter().map(|text| text.split(' ').count()).collect();
        assert_eq!((lengths.iter().min(), lengths.iter().max()), (Some(&2), Some(&12)));
    }

    #[test]
    fn document_bag_and_seed_decide() {
        let (small, large) = (bag(&["one two three"]), bag(&["one two three", "four five six seven eight"]));
        let of = |bag: &WordBag, group, seed| bag.mixtures(group, 5.0, seed).collect::<Vec<_>>();
        assert_eq!(of(&small, 1, 0), of(&small, 1, 0));
        assert!(of(&small, 1, 0) != of(&small, 2, 0) && of(&small, 1, 0) != of(&small, 1, 1));
        assert_ne!(of(&small, 1, 0), of(&large, 1, 0));
        assert!(of(&bag(&["1 2 3"]), 1, 0).is_empty());
    }
}
