//! Plain characters, which `tokie` and the reference normalise and split alike.
//!
//! The two disagree about characters of newer Unicode versions (one removes those that it takes for unassigned) and
//! about a few controls. Combining marks are left out as well, because their order depends on their neighbours. Both
//! treat the remaining characters one by one, and a test compares all of them.

/// Ranges of plain characters beyond ASCII, in order.
const RANGES: [(u32, u32); 46] = [
    (0x80, 0x2ff),  // Latin-1, Latin Extended, phonetic
    (0x370, 0x377), // Greek …
    (0x37a, 0x37f),
    (0x384, 0x38a),
    (0x38c, 0x38c),
    (0x38e, 0x3a1),
    (0x3a3, 0x482), // … and Cyrillic
    (0x48a, 0x52f),
    (0x531, 0x556), // Armenian
    (0x561, 0x587),
    (0x5d0, 0x5ea), // Hebrew letters
    (0x61b, 0x61b),
    (0x61e, 0x64a), // Arabic letters and digits
    (0x660, 0x66f),
    (0x671, 0x6d5),
    (0x6ee, 0x70d),
    (0x904, 0x939),   // Devanagari letters
    (0xe01, 0xe30),   // Thai letters
    (0x10d0, 0x10ff), // Georgian
    (0x1e00, 0x1f15), // more Latin and Greek
    (0x2000, 0x2064), // spaces, dashes, quotation marks
    (0x2074, 0x208e),
    (0x20a0, 0x20c0), // currencies
    (0x2100, 0x218b), // letter-like, numbers
    (0x2190, 0x2429), // arrows, mathematics
    (0x2460, 0x2b73), // enclosed, boxes, symbols
    (0x2e80, 0x2e99),
    (0x2e9b, 0x2ef3),
    (0x2f00, 0x2fd5),
    (0x3000, 0x3029), // CJK punctuation
    (0x3030, 0x303f),
    (0x3041, 0x3096), // kana
    (0x309b, 0x30ff),
    (0x3105, 0x312f), // bopomofo
    (0x3131, 0x318e),
    (0x3190, 0x31e5),
    (0x3220, 0x9fff), // CJK ideographs
    (0xac00, 0xd7a3), // Hangul
    (0xf900, 0xfa6d),
    (0xfe0f, 0xfe0f), // the mark of a coloured emoji
    (0xfe30, 0xfe52),
    (0xff01, 0xffbe),   // full-width forms
    (0x1f300, 0x1f6d7), // emoji
    (0x1f780, 0x1f7d8),
    (0x1f90c, 0x1f9ff),
    (0x20000, 0x2a6df), // more CJK ideographs
];

/// Whether `c`, a character beyond ASCII, is plain.
#[inline]
pub(super) fn is_plain(c: char) -> bool {
    let c = c as u32;
    if (0x4e00..=0x9fff).contains(&c) {
        return true;
    }
    let after = RANGES.partition_point(|&(first, _)| first <= c);
    after > 0 && c <= RANGES[after - 1].1
}

/// All plain characters beyond ASCII.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = char> {
    RANGES.into_iter().flat_map(|(first, last)| first..=last).filter_map(char::from_u32)
}
