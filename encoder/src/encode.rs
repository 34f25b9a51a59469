//! [`Encoder`]: the single meeting point of every engine.

use std::error::Error as StdError;

/// What an engine reports when it can't encode; the engine's own error is the source.
pub type EncodeError = Box<dyn StdError + Send + Sync + 'static>;

/// Embeddings of several texts: row-major `rows × dimension`, f32.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    data: Vec<f32>,
    dimension: usize,
}

impl Embeddings {
    /// Takes `data` as rows of `dimension` numbers. Panics when the length is no multiple of it.
    pub fn new(data: Vec<f32>, dimension: usize) -> Self {
        assert!(
            dimension > 0 && data.len().is_multiple_of(dimension),
            "{} numbers are no rows of {dimension}",
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

    /// All numbers, row after row.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// Gives the numbers away.
    pub fn into_vec(self) -> Vec<f32> {
        self.data
    }

    /// Appends the rows of `other`. Panics when the widths differ.
    pub fn extend(&mut self, other: &Self) {
        assert_eq!(self.dimension, other.dimension, "rows of two widths");
        self.data.extend_from_slice(&other.data);
    }
}

/// What an encoder is, for tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncoderInfo {
    /// The width of the vectors.
    pub dimension: usize,
    /// How many trained numbers the model has.
    pub parameters: u64,
    /// How many bytes the model takes as a file.
    pub bytes: u64,
    /// What computes: `onnxruntime`, `candle` or `folded`.
    pub engine: &'static str,
    /// The precision of its weights: `f32`, `f16` or `int8`.
    pub precision: &'static str,
    /// How many threads it uses.
    pub threads: usize,
}

/// Text in, one vector of length 1 a text out; zeros where a static model knows nothing of a text.
///
/// Every text has a finite vector, the empty one too, and a text's vector doesn't depend on the texts beside it (an int8
/// teacher in ONNX Runtime excepted, which scales activations by the batch).
pub trait Encoder: Send + Sync {
    /// Encodes `texts`; row `i` of the result belongs to `texts[i]`. Any number of texts: an engine cuts batches for itself.
    fn encode(&self, texts: &[&str]) -> Result<Embeddings, EncodeError>;

    /// What this encoder is.
    fn info(&self) -> EncoderInfo;
}
