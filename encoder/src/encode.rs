//! [`Encoder`]: the single meeting point of every engine.

use std::error::Error as StdError;

use crate::folded::LexicalHalf;

/// The error of an engine that cannot encode: the engine's own error, boxed.
pub type EncodeError = Box<dyn StdError + Send + Sync + 'static>;

/// Embeddings of several texts: row-major `rows × dimension`, f32.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    data: Vec<f32>,
    dimension: usize,
}

impl Embeddings {
    /// Takes `data` as rows of `dimension` values.
    ///
    /// # Panics
    /// When the length of `data` is no multiple of `dimension`, or `dimension` is 0.
    pub fn new(data: Vec<f32>, dimension: usize) -> Self {
        assert!(
            dimension > 0 && data.len().is_multiple_of(dimension),
            "{} values cannot be cut into rows of {dimension}",
            data.len()
        );
        Self { data, dimension }
    }

    /// The number of texts.
    pub fn rows(&self) -> usize {
        self.data.len() / self.dimension
    }

    /// The width of a row.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The vector of text `index`.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.data[index * self.dimension..(index + 1) * self.dimension]
    }

    /// All vectors in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.data.chunks_exact(self.dimension)
    }

    /// All values, row after row.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// The values, row after row, without a copy.
    pub fn into_vec(self) -> Vec<f32> {
        self.data
    }

    /// Appends the rows of `other`.
    ///
    /// # Panics
    /// When the widths differ.
    pub fn extend(&mut self, other: &Self) {
        assert_eq!(self.dimension, other.dimension, "rows of two widths");
        self.data.extend_from_slice(&other.data);
    }
}

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
}
