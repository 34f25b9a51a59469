//! A map from words of up to 12 bytes to ids. A word is one number, its key; a look-up takes one product and a few
//! comparisons, mostly in one cache line.

/// The longest word that has a key, in bytes. Key and id together have sixteen.
pub(super) const LONGEST: usize = 12;

/// How many bytes a window has.
const WINDOW: usize = 16;

/// The bits of a key.
const KEY: u128 = (1 << (8 * LONGEST)) - 1;

/// A hash map by open addressing with linear probing, two thirds full. A slot holds a key and above it the id; a free
/// slot is 0.
pub(super) struct ShortWords(Vec<u128>);

impl ShortWords {
    /// A map of the words that have a key.
    pub(super) fn new<'a>(words: impl Iterator<Item = (&'a [u8], u32)> + Clone) -> Self {
        let keyed = words.filter_map(|(word, id)| Some((key_of(word)?, id)));
        let slots = keyed.clone().count() * 3 / 2 + 1;
        let mut map = Self(vec![0; slots]);
        for (key, id) in keyed {
            let at = map.slot(key);
            map.0[at] = key | u128::from(id) << (8 * LONGEST);
        }
        map
    }

    /// The id of the word with this key.
    #[inline]
    pub(super) fn get(&self, key: u128) -> Option<u32> {
        let found = self.0[self.slot(key)];
        (found != 0).then_some((found >> (8 * LONGEST)) as u32)
    }

    /// The slot of the key, or the free slot for it.
    #[inline]
    fn slot(&self, key: u128) -> usize {
        // The hash: both halves of the 128-bit product of the key's halves, into which digits of π are xored.
        let (low, high) = (key as u64 ^ 0x243f_6a88_85a3_08d3, (key >> 64) as u64 ^ 0x1319_8a2e_0370_7344);
        let product = u128::from(low) * u128::from(high);
        let hash = product as u64 ^ (product >> 64) as u64;
        // Scales the hash from all u64 to the slots.
        let mut at = ((u128::from(hash) * self.0.len() as u128) >> 64) as usize;
        while self.0[at] != 0 && self.0[at] & KEY != key {
            at = if at + 1 < self.0.len() { at + 1 } else { 0 };
        }
        at
    }
}

/// A word's key: its bytes as a number, the first byte lowest. The empty word, words longer than [`LONGEST`] and words
/// with a NUL have none.
pub(super) fn key_of(word: &[u8]) -> Option<u128> {
    if word.is_empty() || word.len() > LONGEST || word.contains(&0) {
        return None;
    }
    let mut bytes = [0; WINDOW];
    bytes[..word.len()].copy_from_slice(word);
    Some(u128::from_le_bytes(bytes))
}

/// The key of `length` bytes, at least 1, of a word or window from byte `at` on.
#[inline]
pub(super) fn part(key: u128, at: usize, length: usize) -> u128 {
    (key >> (8 * at)) & (u128::MAX >> (8 * (WINDOW - length)))
}

/// The 16 bytes of a text from byte `at` on as a number, the first byte lowest; zeros after the text's end.
#[inline]
pub(super) fn window(text: &[u8], at: usize) -> u128 {
    if let Some(bytes) = text[at..].first_chunk() {
        return u128::from_le_bytes(*bytes);
    }
    match text.last_chunk() {
        Some(bytes) if at < text.len() => u128::from_le_bytes(*bytes) >> (8 * (at + WINDOW - text.len())),
        _ => {
            let mut bytes = [0; WINDOW];
            bytes[..text.len() - at].copy_from_slice(&text[at..]);
            u128::from_le_bytes(bytes)
        }
    }
}

/// How many ASCII letters and digits a window of ASCII begins with.
#[inline]
pub(super) fn letters(window: u128) -> usize {
    const BYTES: u128 = u128::MAX / 0xff;
    // The highest bit of each byte that is `least` or more; no byte carries into the next.
    let reaches = |bytes: u128, least: u8| bytes + BYTES * u128::from(0x80 - least);
    let folded = window | (BYTES * 0x20);
    let letters = reaches(folded, b'a') & !reaches(folded, b'z' + 1);
    let digits = reaches(window, b'0') & !reaches(window, b'9' + 1);
    (!(letters | digits) & (BYTES * 0x80)).trailing_zeros() as usize / 8
}

/// A key of letters and digits in lower case.
#[inline]
pub(super) fn lowercase(key: u128) -> u128 {
    // The bit 0x20 makes a letter lower case. Digits have the bit already; NULs must not get it.
    const BYTES: u128 = u128::MAX / 0xff;
    let filled = ((key + BYTES * 0x7f) & (BYTES * 0x80)) >> 2;
    key | filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_with_a_key_is_found_and_no_other_word() {
        let words: Vec<String> =
            (0..5_000).map(|n| format!("{}{n}", "ab".repeat(n % 8))).chain(["x".repeat(12), "y".repeat(13)]).collect();
        let ids = words.iter().enumerate().map(|(id, word)| (word.as_bytes(), id as u32));
        let map = ShortWords::new(ids.clone());
        for (word, id) in ids {
            let found = key_of(word).map(|key| map.get(key));
            assert_eq!(found, (word.len() <= LONGEST).then_some(Some(id)), "{word:?}");
        }
        for other in ["abc", "5000", "abab", "xxxxxxxxxxx"] {
            assert_eq!(key_of(other.as_bytes()).and_then(|key| map.get(key)), None, "{other}");
        }
        for none in [&b""[..], b"a\0", &[b'x'; 13]] {
            assert_eq!(key_of(none), None);
        }
        assert_eq!(ShortWords::new(std::iter::empty()).get(7), None);
    }

    #[test]
    fn letters_are_counted_and_lowercased_at_every_place_of_the_window() {
        let text: Vec<u8> = (0..0x80).chain(*b"Ab3xyZ0189aZzAbcdef-").collect();
        for end in 0..=text.len() {
            let text = &text[..end];
            for at in 0..=end {
                let expected = text[at..].iter().take(WINDOW).take_while(|byte| byte.is_ascii_alphanumeric()).count();
                let window = window(text, at);
                assert_eq!(letters(window), expected, "{at}..{end}");
                if (1..=LONGEST).contains(&expected) {
                    let word = text[at..at + expected].to_ascii_lowercase();
                    assert_eq!(Some(lowercase(part(window, 0, expected))), key_of(&word));
                }
            }
        }
    }

    #[test]
    fn a_part_is_the_key_of_its_bytes() {
        let word = b"unbelievable";
        let key = key_of(word).unwrap();
        for at in 0..word.len() {
            for length in 1..=word.len() - at {
                assert_eq!(Some(part(key, at, length)), key_of(&word[at..at + length]));
            }
        }
    }
}
