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

/// The files with the limit. Older models name the first after their network; newer releases of sentence-transformers
/// keep the limit in the last, whose `do_lower_case` is the tokenizer's own affair.
const FILES: [&str; 8] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
    "tokenizer_config.json",
];

impl Limits {
    /// Reads the first of [`FILES`] that states a limit. Each file lies in `folder` or in `transformer`.
    pub(crate) fn read(folder: &Path, transformer: &Path) -> Result<Self> {
        let mut found = Self::default();
        for name in FILES {
            for place in [folder, transformer] {
                let Some(file) = parse_if_there::<LimitsFile>(&place.join(name))? else { continue };
                if name != "tokenizer_config.json" {
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
