//! [`CacheTeacher`]: the teacher that fills a cache, on this machine or behind an API.

use limbeck_data::VectorType;
use limbeck_data::cache::CacheSpec;
use limbeck_encoder::Tokenizer;
use limbeck_teacher::OnnxEncoder;
use limbeck_teacher::api::{API_SHARD_ROWS, ApiTeacher};
use limbeck_teacher::embed::{EmbedTeacher, Teacher, TextTeacher};

use crate::error::Result;

/// The teacher that fills a cache.
pub enum CacheTeacher {
    /// It runs on this machine.
    Onnx(Box<OnnxEncoder>),
    /// It is behind an API.
    Api(Box<ApiTeacher>),
}

impl CacheTeacher {
    /// The teacher as the embed job takes it.
    pub fn for_job(&self) -> EmbedTeacher<'_> {
        match self {
            Self::Onnx(teacher) => EmbedTeacher::Tokens(&**teacher),
            Self::Api(teacher) => EmbedTeacher::Texts(&**teacher),
        }
    }

    /// The width of its vectors.
    pub fn dimension(&self) -> usize {
        match self {
            Self::Onnx(teacher) => Teacher::dimension(&**teacher),
            Self::Api(teacher) => TextTeacher::dimension(&**teacher),
        }
    }

    /// Its tokenizer; an API has none.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        match self {
            Self::Onnx(teacher) => Some(teacher.tokenizer()),
            Self::Api(_) => None,
        }
    }

    /// The settings of a cache that it fills; `text` is a hash of the text and of how it was prepared.
    ///
    /// # Errors
    /// The model's file can't be read.
    pub fn spec(&self, text: String, storage: VectorType) -> Result<CacheSpec> {
        match self {
            Self::Onnx(teacher) => Ok(CacheSpec::new(self.dimension(), storage, teacher.cache_fingerprint(text)?)),
            Self::Api(teacher) => {
                let spec = CacheSpec::new(self.dimension(), storage, teacher.cache_fingerprint(text));
                Ok(CacheSpec { shard_rows: API_SHARD_ROWS, ..spec })
            }
        }
    }
}
