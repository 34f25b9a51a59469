//! Which characters BERT's pre-tokenizer makes words of their own.

/// The CJK ideographs around which BERT's normaliser puts spaces (`_is_chinese_char` in BERT's tokenization.py).
const IDEOGRAPHS: [(char, char); 8] = [
    ('\u{3400}', '\u{4dbf}'),
    ('\u{4e00}', '\u{9fff}'),
    ('\u{f900}', '\u{faff}'),
    ('\u{20000}', '\u{2a6df}'),
    ('\u{2a700}', '\u{2b73f}'),
    ('\u{2b740}', '\u{2b81f}'),
    ('\u{2b820}', '\u{2ceaf}'),
    ('\u{2f800}', '\u{2fa1f}'),
];

/// Whether `c` is such an ideograph.
pub(super) fn is_ideograph(c: char) -> bool {
    IDEOGRAPHS.iter().any(|&(first, last)| (first..=last).contains(&c))
}

/// The only character of `text`, if it has one.
pub(super) fn only(text: &str) -> Option<char> {
    let mut characters = text.chars();
    characters.next().filter(|_| characters.next().is_none())
}
