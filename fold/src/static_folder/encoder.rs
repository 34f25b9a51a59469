//! A static model of another library as an [`Encoder`].

use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo, Student, TokenBatch, TokenEncoder};
use serde_json::Value;

/// A folded static model that truncates texts as its own library does.
pub struct StaticEncoder {
    student: Student,
    max_characters: Option<usize>,
}

impl StaticEncoder {
    /// An encoder of `student`. Its limit of characters comes from the metadata that
    /// [`StaticFolder::into_parts`](super::StaticFolder::into_parts) writes; other folded files have no limit.
    pub fn new(student: Student) -> Self {
        let metadata: Option<Value> = serde_json::from_str(student.metadata()).ok();
        let max_characters = metadata.and_then(|metadata| metadata["max_characters"].as_u64());
        Self { student, max_characters: max_characters.map(|most| most as usize) }
    }

    /// The student that encodes what [`StaticEncoder::cut`] leaves of a text.
    pub fn student(&self) -> &Student {
        &self.student
    }

    /// The beginning of `text` that the model's own library reads.
    pub fn cut<'a>(&self, text: &'a str) -> &'a str {
        // A character takes at least one byte, so most texts need no counting.
        let end = self.max_characters.filter(|&most| text.len() > most).and_then(|most| text.char_indices().nth(most));
        end.map_or(text, |(end, _)| &text[..end])
    }
}

impl Encoder for StaticEncoder {
    fn encode(&self, texts: &[&str]) -> Result<Embeddings, EncodeError> {
        let texts: Vec<&str> = texts.iter().map(|text| self.cut(text)).collect();
        Ok(self.student.encode(&texts)?)
    }

    fn info(&self) -> EncoderInfo {
        self.student.info()
    }

    fn token_encoder(&self) -> Option<&dyn TokenEncoder> {
        Some(self)
    }
}

impl TokenEncoder for StaticEncoder {
    fn ids_of(&self, texts: &[&str]) -> Result<TokenBatch, EncodeError> {
        let texts: Vec<&str> = texts.iter().map(|text| self.cut(text)).collect();
        self.student.ids_of(&texts)
    }

    fn ids_around(&self, own: &TokenBatch) -> Result<TokenBatch, EncodeError> {
        self.student.ids_around(own)
    }

    fn vocabulary(&self) -> usize {
        self.student.vocabulary()
    }

    fn encode_ids(&self, ids: &TokenBatch) -> Result<Embeddings, EncodeError> {
        self.student.encode_ids(ids)
    }
}
