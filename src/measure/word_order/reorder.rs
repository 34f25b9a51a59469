//! A sentence's words in another order.
//!
//! Blanks separate words. Most of a text may be in a script without blanks (Han, Hiragana, Katakana, Thai, Lao, Khmer,
//! Burmese); its words are then those of Unicode's annex 29: single Han characters, whole Latin words or numbers.
//! Punctuation stays with the word before it, as it does where blanks are written.

use std::ops::Range;

use limbeck_training::random::Random;
use strum::VariantArray;
use unicode_segmentation::UnicodeSegmentation;

use super::{FEWEST_WORDS, Reordering};

/// The words of `text` in another order, of a kind drawn at random. Only a `share` of all texts (0 to 1) is reordered:
/// `None` for the others, for those of fewer than [`FEWEST_WORDS`] words, and where the order makes no difference. The
/// result depends on the text and on `seed` alone.
pub fn another_order(text: &str, share: f64, seed: u64) -> Option<String> {
    let mut random = random_of(text, seed);
    if random.uniform() >= share {
        return None;
    }
    let words = SentenceWords::of(text);
    if words.len() < FEWEST_WORDS {
        return None;
    }
    let kind = Reordering::VARIANTS[random.below(Reordering::VARIANTS.len())];
    words.reordered(&words.original(), kind, &mut random)
}

/// The random generator of one sentence's pairs.
pub(super) fn random_of(sentence: &str, seed: u64) -> Random {
    let mut name = [0; 8];
    blake3::Hasher::new().update(sentence.as_bytes()).finalize_xof().fill(&mut name);
    Random::new(seed, &[u64::from_le_bytes(name)])
}

/// `words` in another order; `None` where all words are alike.
fn reorder<'a>(words: &[&'a str], kind: Reordering, random: &mut Random) -> Option<Vec<&'a str>> {
    let (mut words, half) = (words.to_vec(), words.len() / 2);
    match kind {
        Reordering::Swapped => {
            let one = random.below(words.len());
            let others: Vec<usize> =
                (0..words.len()).filter(|&other| words[other].to_lowercase() != words[one].to_lowercase()).collect();
            if others.is_empty() {
                return None;
            }
            words.swap(one, others[random.below(others.len())]);
        }
        Reordering::Halves => words.rotate_left(half),
        Reordering::Reversed => words.reverse(),
        Reordering::Shuffled => random.shuffle(&mut words),
    }
    Some(words)
}

/// A sentence's words, and whether blanks join them.
pub(super) struct SentenceWords<'a> {
    words: Vec<&'a str>,
    spaced: bool,
}

impl<'a> SentenceWords<'a> {
    pub(super) fn of(sentence: &'a str) -> Self {
        let letters = sentence.chars().filter(|c| c.is_alphabetic()).count();
        let without_blanks = sentence.chars().filter(|&c| is_written_without_blanks(c)).count();
        if 2 * without_blanks > letters {
            Self { words: segments(sentence), spaced: false }
        } else {
            Self { words: sentence.split_whitespace().collect(), spaced: true }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    /// The sentence, each run of blanks made one.
    pub(super) fn original(&self) -> String {
        self.join(&self.words)
    }

    /// The sentence in another order; `None` where the result differs from `original` in case alone.
    pub(super) fn reordered(&self, original: &str, kind: Reordering, random: &mut Random) -> Option<String> {
        let reordered = self.join(&reorder(&self.words, kind, random)?);
        (reordered.to_lowercase() != original.to_lowercase()).then_some(reordered)
    }

    fn join(&self, words: &[&str]) -> String {
        if self.spaced {
            return words.join(" ");
        }
        let mut text = String::new();
        for word in words {
            // Two Latin words side by side stay two words.
            let joint = text.chars().next_back().zip(word.chars().next());
            if joint.is_some_and(|(left, right)| needs_blank(left) && needs_blank(right)) {
                text.push(' ');
            }
            text.push_str(word);
        }
        text
    }
}

/// The words of annex 29, each with the punctuation after it; punctuation at the beginning goes with the first word.
pub(super) fn segments(sentence: &str) -> Vec<&str> {
    let mut words: Vec<Range<usize>> = Vec::new();
    // Whether the last word has its letters, and whether no blank has ended it yet.
    let (mut complete, mut open) = (false, false);
    for (start, segment) in sentence.split_word_bound_indices() {
        if segment.trim().is_empty() {
            open = false;
            continue;
        }
        let letters = segment.chars().any(char::is_alphanumeric);
        let end = start + segment.len();
        match words.last_mut() {
            Some(last) if open && !(letters && complete) => {
                last.end = end;
                complete |= letters;
            }
            _ => {
                words.push(start..end);
                (complete, open) = (letters, true);
            }
        }
    }
    words.into_iter().map(|word| &sentence[word]).collect()
}

fn needs_blank(c: char) -> bool {
    c.is_alphanumeric() && !is_written_without_blanks(c)
}

fn is_written_without_blanks(c: char) -> bool {
    matches!(u32::from(c),
        0x0E00..=0x0EFF     // Thai, Lao
        | 0x1000..=0x109F   // Burmese
        | 0x1780..=0x17FF   // Khmer
        | 0x3005..=0x3007 | 0x3040..=0x30FF | 0x31F0..=0x31FF   // Hiragana, Katakana
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x323AF) // Han
}
