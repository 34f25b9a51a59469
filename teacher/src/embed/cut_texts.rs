//! [`CutTexts`]: how many texts are longer than the teacher takes.

use limbeck_encoder::{Special, TokenBatch};

use super::teacher::Teacher;
use crate::Result;

/// How many texts a teacher has cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CutTexts {
    /// How many were cut.
    pub cut: u64,
    /// Of how many.
    pub of: u64,
    /// The tokens that the teacher takes, special ones included.
    pub max_tokens: usize,
}

impl CutTexts {
    /// Counts the texts of `tokens`, tokenised after `prefix`, that the teacher has cut. A text of
    /// exactly the longest length may be whole, so these texts are tokenised again, up to one token more.
    pub(super) fn count(teacher: &dyn Teacher, prefix: &str, texts: &[&str], tokens: &TokenBatch) -> Result<Self> {
        let mut counted = Self { cut: 0, of: texts.len() as u64, max_tokens: 0 };
        let Some(most) = teacher.max_tokens() else { return Ok(counted) };
        counted.max_tokens = most;
        let tokenizer = teacher.tokenizer();
        let own = |texts: &[String], most| {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            tokenizer.encode_batch(&texts, Special::Without, most)
        };
        let full = texts.iter().enumerate().filter(|(row, _)| tokens.row_len(*row) >= most);
        let full: Vec<String> = full.map(|(_, text)| format!("{prefix}{text}")).collect();
        if full.is_empty() {
            return Ok(counted);
        }
        // The tokens around every text: what the empty text has beside the prefix.
        let with = teacher.tokenise_after(prefix, &[""])?.row_len(0);
        let around = with.saturating_sub(own(&[prefix.to_owned()], None)?.row_len(0));
        let whole = own(&full, Some(most + 1))?;
        counted.cut = whole.iter().filter(|ids| ids.len() + around > most).count() as u64;
        Ok(counted)
    }

    /// Adds the texts of another shard.
    pub(super) fn add(&mut self, other: Self) {
        self.cut += other.cut;
        self.of += other.of;
        self.max_tokens = self.max_tokens.max(other.max_tokens);
    }
}
