//! [`Embeddings`]: the vectors of several texts.

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
