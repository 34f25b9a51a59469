//! The characters that a trained vocabulary is built from.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// How often a character stands at a word's beginning and inside words.
#[derive(Debug, Clone, Copy, Default)]
struct Places {
    first: u64,
    inside: u64,
}

/// Characters, each in order: those that stand anywhere, and those that stand inside words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Alphabet {
    pub all: BTreeSet<char>,
    pub inside: BTreeSet<char>,
}

impl Alphabet {
    /// The characters of these words, the most frequent first as long as there is room for `room` forms (a character, and a
    /// second time where it stands inside words). ASCII's letters, digits and signs are always there, so that what is written
    /// in them has no unknown token.
    pub fn of(words: &BTreeMap<String, u64>, room: usize, cased: bool) -> Self {
        let mut places: BTreeMap<char, Places> = BTreeMap::new();
        for (word, &count) in words {
            for (at, c) in word.chars().enumerate() {
                let places = places.entry(c).or_default();
                *(if at == 0 { &mut places.first } else { &mut places.inside }) += count;
            }
        }
        let mut alphabet = Self::default();
        for c in (0x21u8..0x7f).map(char::from).filter(|c| cased || !c.is_ascii_uppercase()) {
            alphabet.all.insert(c);
            if c.is_ascii_alphanumeric() {
                alphabet.inside.insert(c);
            }
        }
        let mut order: Vec<(char, Places)> = places.into_iter().collect();
        order.sort_by_key(|&(c, places)| (Reverse(places.first + places.inside), c));
        for (c, places) in order {
            let more = usize::from(!alphabet.all.contains(&c))
                + usize::from(places.inside > 0 && !alphabet.inside.contains(&c));
            if alphabet.all.len() + alphabet.inside.len() + more > room {
                break;
            }
            alphabet.all.insert(c);
            if places.inside > 0 {
                alphabet.inside.insert(c);
            }
        }
        alphabet
    }

    /// Whether the word is written in it.
    pub fn spells(&self, word: &str) -> bool {
        word.chars().enumerate().all(|(at, c)| if at == 0 { self.all.contains(&c) } else { self.inside.contains(&c) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_characters_go_first_where_there_is_no_room_and_ascii_never() {
        let words: BTreeMap<String, u64> =
            [("中", 9), ("文", 5), ("ж", 1), ("éa", 7)].into_iter().map(|(word, n)| (word.to_string(), n)).collect();
        let ascii = Alphabet::of(&BTreeMap::new(), 0, false);
        assert!(ascii.spells("abc1") && ascii.spells("!") && !ascii.spells("A") && !ascii.spells("!!"));
        let room = ascii.all.len() + ascii.inside.len() + 2;
        let alphabet = Alphabet::of(&words, room, false);
        assert!(alphabet.spells("中") && alphabet.spells("éa") && !alphabet.spells("文") && !alphabet.spells("ж"));
        assert!(!alphabet.spells("aé"), "é never stands inside");
    }
}
