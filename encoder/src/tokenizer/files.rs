//! The files that hold a tokenizer.

use std::path::{Path, PathBuf};

use super::{Tokenizer, vocab_txt};
use crate::{Error, Result};

/// The files that a folder's tokenizer is read from: the first that is there.
pub const TOKENIZER_FILES: [&str; 2] = ["tokenizer.json", "vocab.txt"];

/// Vocabularies of other kinds, which are not read.
const OTHER_VOCABULARIES: [&str; 6] =
    ["vocab.json", "merges.txt", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "bpe.codes"];

impl Tokenizer {
    /// The file of the tokenizer in `folder`, one of [`TOKENIZER_FILES`].
    pub fn find(folder: &Path) -> Option<PathBuf> {
        TOKENIZER_FILES.map(|name| folder.join(name)).into_iter().find(|path| path.is_file())
    }

    /// Reads the tokenizer in `folder`: its tokenizer.json, or BERT's `vocab.txt` with `tokenizer_config.json`.
    ///
    /// # Errors
    /// As [`Tokenizer::from_file`], and when the folder has neither file.
    pub fn from_folder(folder: &Path) -> Result<Self> {
        match Self::find(folder) {
            Some(path) => Self::from_file(&path),
            None => {
                let other = OTHER_VOCABULARIES.into_iter().find(|name| folder.join(name).is_file());
                Err(Error::NoTokenizer { folder: folder.into(), other })
            }
        }
    }

    /// Reads a tokenizer.json, or a `vocab.txt` of BERT's and the `tokenizer_config.json` beside it.
    ///
    /// # Errors
    /// When a file can't be read or is damaged, when the `tokenizers` library refuses it, when its model fails on
    /// unknown words, or when its post-processor does not put the same tokens before and after every text.
    pub fn from_file(path: &Path) -> Result<Self> {
        if path.extension().is_some_and(|extension| extension == "txt") {
            return Self::from_bytes(&vocab_txt::tokenizer_json(path)?, path);
        }
        let json = std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
        Self::from_bytes(&json, path)
    }
}
