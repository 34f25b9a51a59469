//! The longest input, and lower-casing.

use std::path::Path;

use serde::Deserialize;

use crate::Result;
use crate::model_files::parse_if_there;

/// How a text is prepared for the tokenizer, as far as files of sentence-transformers say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Limits {
    /// The longest input in tokens, special ones included.
    pub max_tokens: Option<usize>,
    /// Whether texts, prompts included, are lower-cased before the tokenizer sees them.
    pub lower_case: bool,
}

#[derive(Deserialize)]
struct LimitsFile {
    max_seq_length: Option<usize>,
    /// Far beyond any integer in a tokenizer without a limit.
    model_max_length: Option<f64>,
    do_lower_case: Option<bool>,
}

impl Limits {
    /// Reads `sentence_bert_config.json`, else `tokenizer_config.json`, where newer releases of sentence-transformers
    /// keep the limit. Each file lies in `folder` or in `transformer`. Only the first file's `do_lower_case` counts: the
    /// other's is the tokenizer's own affair.
    pub(crate) fn read(folder: &Path, transformer: &Path) -> Result<Self> {
        let mut found = Self::default();
        for name in ["sentence_bert_config.json", "tokenizer_config.json"] {
            for place in [folder, transformer] {
                let Some(file) = parse_if_there::<LimitsFile>(&place.join(name))? else { continue };
                if name == "sentence_bert_config.json" {
                    found.lower_case |= file.do_lower_case.unwrap_or_default();
                }
                let by_tokenizer = file.model_max_length.filter(|&length| length >= 1.0).map(|length| length as usize);
                found.max_tokens = found.max_tokens.or(file.max_seq_length).or(by_tokenizer);
            }
        }
        // The number that stands for "no limit".
        found.max_tokens = found.max_tokens.filter(|&most| most < 1 << 40);
        Ok(found)
    }
}
