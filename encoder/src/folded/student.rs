//! [`Student`]: a folded file, opened.

use std::{fs, path::Path};

use crate::{Embeddings, EncodeError, Encoder, EncoderInfo, Error, Result, Special, TokenBatch, Tokenizer};

use super::{Parts, Precision};

/// Writes `parts` as one file and says how many bytes it has. An earlier file there is replaced when the new one is whole.
pub fn write(path: &Path, parts: &Parts, precision: Precision) -> Result<u64> {
    parts.check()?;
    let _ = precision;
    let _ = fs::metadata(path);
    Err(Error::Parts { what: "writing is being built".into() })
}

/// A student opened from its folded file; encodes texts on the CPU.
pub struct Student {
    tokenizer: Tokenizer,
    dimension: usize,
    max_tokens: Option<usize>,
    metadata: String,
    info: EncoderInfo,
}

impl Student {
    /// Maps the file and checks all of it.
    pub fn open(path: &Path) -> Result<Self> {
        Err(Error::NotFolded { path: path.into() })
    }

    /// Uses `threads` threads of its own; 0: as many as the machine has cores. One thread is the caller's own.
    pub fn with_threads(self, threads: usize) -> Result<Self> {
        let _ = threads;
        Ok(self)
    }

    /// One unit vector a text (all zeros where the student gives the zero vector).
    pub fn encode(&self, texts: &[&str]) -> Result<Embeddings> {
        self.encode_tokens(&self.tokenizer.encode_batch(texts, Special::Without, self.max_tokens)?)
    }

    /// The same from token ids, which are those of [`Student::tokenizer`] without special tokens.
    pub fn encode_tokens(&self, tokens: &TokenBatch) -> Result<Embeddings> {
        Ok(Embeddings::new(vec![0.0; tokens.rows() * self.dimension], self.dimension))
    }

    /// What this student is, for tables.
    pub fn info(&self) -> EncoderInfo {
        self.info.clone()
    }

    /// The student's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The width of a vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// How many tokens of a text are read; none: all.
    pub fn max_tokens(&self) -> Option<usize> {
        self.max_tokens
    }

    /// The writer's own JSON.
    pub fn metadata(&self) -> &str {
        &self.metadata
    }
}

impl Encoder for Student {
    fn encode(&self, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        Ok(Student::encode(self, texts)?)
    }

    fn info(&self) -> EncoderInfo {
        Student::info(self)
    }
}
