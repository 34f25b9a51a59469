//! [`ReadOptions`]: how the bytes of a file become texts.

use super::decode::Encodings;

/// The most bytes of a row that is read whole, unless texts may be longer: far more than any text, and few enough that
/// a file without line ends does not fill the memory.
pub const MAX_ROW_BYTES: usize = 256 << 20;

/// How the bytes of a file become texts.
#[derive(Debug, Clone)]
pub(crate) struct ReadOptions {
    /// The encodings of the bytes.
    pub(crate) encodings: Encodings,
    /// The most bytes of a line, record or element. A longer one is skipped, and gives the error
    /// [`super::TextError::TooLong`], behind which reading goes on.
    pub(crate) row_limit: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self::new(Encodings::default())
    }
}

impl ReadOptions {
    pub(crate) fn new(encodings: Encodings) -> Self {
        Self { encodings, row_limit: MAX_ROW_BYTES }
    }

    /// With a limit that no text of at most `chars` characters can pass.
    pub(super) fn for_texts_of(self, chars: usize) -> Self {
        // JSON may write a character as two escapes of six bytes.
        Self { row_limit: self.row_limit.max(chars.saturating_mul(12)), ..self }
    }
}
