//! Characters: the ideographs that BERT makes words of, and capitals.

use limbeck_encoder::{Special, Tokenizer};

use crate::error::Result;

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

/// Whether BERT makes a word of the ideograph `c`.
pub(super) fn is_ideograph(c: char) -> bool {
    IDEOGRAPHS.iter().any(|&(first, last)| (first..=last).contains(&c))
}

/// The character of a text that has just one.
pub(super) fn single(text: &str) -> Option<char> {
    let mut characters = text.chars();
    characters.next().filter(|_| characters.next().is_none())
}

/// What a vocabulary does with capitals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// Capitals and small letters are different characters.
    Kept,
    /// Capitals become small letters.
    Lowered,
}

impl Case {
    /// The treatment of capitals by `tokenizer`, found with a word in both forms.
    pub(super) fn of(tokenizer: &Tokenizer) -> Result<Self> {
        let ids = |text: &str| {
            let mut ids = Vec::new();
            tokenizer.encode_into(text, Special::Without, None, &mut ids).map(|()| ids)
        };
        Ok(if ids("THE")? == ids("the")? { Self::Lowered } else { Self::Kept })
    }
}
