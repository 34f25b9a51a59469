//! The characters that a trained vocabulary is built from.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::characters::Case;

/// The characters of a vocabulary.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Alphabet {
    /// All of them.
    pub all: BTreeSet<char>,
    /// The characters that occur inside words, after their first character.
    pub inside: BTreeSet<char>,
}

impl Alphabet {
    /// The most frequent characters of these words, in at most `room` forms: a character that occurs inside words has a
    /// second form. ASCII's letters, digits and signs are always included, so that ASCII text has no unknown token.
    pub(super) fn of(words: &BTreeMap<String, u64>, room: usize, case: Case) -> Self {
        // The counts of a character at the start of words and inside words.
        let mut counts: BTreeMap<char, [u64; 2]> = BTreeMap::new();
        for (word, &count) in words {
            word.chars().enumerate().for_each(|(at, c)| counts.entry(c).or_default()[at.min(1)] += count);
        }
        let mut alphabet = Self::default();
        for c in (0x21u8..0x7f).map(char::from).filter(|c| case == Case::Kept || !c.is_ascii_uppercase()) {
            alphabet.all.insert(c);
            if c.is_ascii_alphanumeric() {
                alphabet.inside.insert(c);
            }
        }
        let mut order: Vec<(char, [u64; 2])> = counts.into_iter().collect();
        order.sort_by_key(|&(c, [first, inside])| (Reverse(first + inside), c));
        for (c, [_, inside]) in order {
            let more = [!alphabet.all.contains(&c), inside > 0 && !alphabet.inside.contains(&c)].map(usize::from);
            if alphabet.all.len() + alphabet.inside.len() + more[0] + more[1] > room {
                break;
            }
            alphabet.all.insert(c);
            if inside > 0 {
                alphabet.inside.insert(c);
            }
        }
        alphabet
    }

    /// Whether all characters of the word are included.
    pub(super) fn spells(&self, word: &str) -> bool {
        word.chars().enumerate().all(|(at, c)| if at == 0 { self.all.contains(&c) } else { self.inside.contains(&c) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_room_rare_characters_are_left_out_but_never_ascii() {
        let words: BTreeMap<String, u64> =
            [("中", 9), ("文", 5), ("ж", 1), ("éa", 7)].into_iter().map(|(word, n)| (word.to_string(), n)).collect();
        let ascii = Alphabet::of(&BTreeMap::new(), 0, Case::Lowered);
        assert!(ascii.spells("abc1") && ascii.spells("!") && !ascii.spells("A") && !ascii.spells("!!"));
        let room = ascii.all.len() + ascii.inside.len() + 2;
        let alphabet = Alphabet::of(&words, room, Case::Lowered);
        assert!(alphabet.spells("中") && alphabet.spells("éa") && !alphabet.spells("文") && !alphabet.spells("ж"));
        assert!(!alphabet.spells("aé"), "é never occurs inside a word");
    }
}
