//! [`Encoder`]: the single meeting point of every engine.

use std::error::Error as StdError;

use crate::{TokenBatch, embeddings::Embeddings, lexical::LexicalHalf};

/// The error of an engine that cannot encode: the engine's own error, boxed.
pub type EncodeError = Box<dyn StdError + Send + Sync + 'static>;

/// The facts about an encoder that tables show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncoderInfo {
    /// The width of the vectors.
    pub dimension: usize,
    /// How many trained parameters the model has.
    pub parameters: u64,
    /// The size of the model's file in bytes.
    pub bytes: u64,
    /// The engine that computes: `onnxruntime`, `candle` or `folded`.
    pub engine: &'static str,
    /// The precision of its weights: `f32`, `f16` or `int8`.
    pub precision: &'static str,
    /// How many threads it uses.
    pub threads: usize,
}

/// The side of a search that a text is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchSide {
    /// What somebody looks for.
    Query,
    /// What is found.
    Document,
}

/// Turns each text into one vector of length 1, or of zeros where a static model knows no token of the text.
///
/// Every text has a finite vector, also the empty text. A text's vector does not depend on the other texts of the call;
/// only an int8 teacher in ONNX Runtime, which scales activations by the batch, makes an exception.
pub trait Encoder: Send + Sync {
    /// Encodes `texts`, any number of them; row `i` of the result belongs to `texts[i]`. The engine cuts its own
    /// batches.
    ///
    /// # Errors
    /// When the engine fails.
    fn encode(&self, texts: &[&str]) -> Result<Embeddings, EncodeError>;

    /// As [`Encoder::encode`], for texts on one side of a search: a model that was trained with prompts for queries and
    /// documents puts its own before the texts. All others take the texts as they are.
    ///
    /// # Errors
    /// When the engine fails.
    fn encode_side(&self, _side: SearchSide, texts: &[&str]) -> Result<Embeddings, EncodeError> {
        self.encode(texts)
    }

    /// The facts about this encoder.
    fn info(&self) -> EncoderInfo;

    /// The lexical half that the vectors end with, where they have one. The numbers before it are the dense half.
    fn lexical(&self) -> Option<&LexicalHalf> {
        None
    }
    /// The tokens that the engine reads, where it shows them.
    fn token_encoder(&self) -> Option<&dyn TokenEncoder> {
        None
    }
}

/// An engine that shows the tokens it reads, and takes texts as tokens.
pub trait TokenEncoder: Send + Sync {
    /// The ids that the engine reads of each text: cut to its limit, with the prompt and the special tokens around.
    ///
    /// # Errors
    /// When a text can't be tokenised.
    fn ids_of(&self, texts: &[&str]) -> Result<TokenBatch, EncodeError>;

    /// As [`TokenEncoder::ids_of`], for texts that are given by their own ids, without special tokens.
    ///
    /// # Errors
    /// When the limit leaves no room for the special tokens.
    fn ids_around(&self, own: &TokenBatch) -> Result<TokenBatch, EncodeError>;

    /// Ids lie below this number.
    fn vocabulary(&self) -> usize;

    /// The vectors of ids that [`TokenEncoder::ids_of`] or [`TokenEncoder::ids_around`] gave, without a lexical half:
    /// ids tell no words.
    ///
    /// # Errors
    /// When an id is outside the vocabulary, or the engine fails.
    fn encode_ids(&self, ids: &TokenBatch) -> Result<Embeddings, EncodeError>;
}
