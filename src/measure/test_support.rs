//! What the tests of this folder share: an encoder made of a function, a monitor that shows nothing, and golden values.

use std::sync::{LazyLock, Mutex};

use limbeck_data::progress::Silent;
use limbeck_data::{Interrupt, Monitor};
use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo};

/// Shows nothing and never stops the work.
pub(crate) fn silent() -> Monitor<'static> {
    static INTERRUPT: LazyLock<Interrupt> = LazyLock::new(Interrupt::new);
    Monitor::new(&Silent, &INTERRUPT)
}

/// An encoder whose vector of a text is a function of the text; it remembers how many texts each call had.
pub(crate) struct FakeEncoder<F> {
    vector: F,
    calls: Mutex<Vec<usize>>,
}

impl<F: Fn(&str) -> Vec<f32> + Send + Sync> FakeEncoder<F> {
    pub(crate) fn new(vector: F) -> Self {
        Self { vector, calls: Mutex::default() }
    }

    /// How many texts each call had.
    pub(crate) fn calls(&self) -> Vec<usize> {
        self.calls.lock().unwrap().clone()
    }
}

impl<F: Fn(&str) -> Vec<f32> + Send + Sync> Encoder for FakeEncoder<F> {
    fn encode(&self, texts: &[&str]) -> Result<Embeddings, EncodeError> {
        self.calls.lock().unwrap().push(texts.len());
        let rows: Vec<Vec<f32>> = texts.iter().map(|text| (self.vector)(text)).collect();
        let dimension = rows.first().map_or(1, Vec::len);
        Ok(Embeddings::new(rows.concat(), dimension))
    }

    fn info(&self) -> EncoderInfo {
        let dimension = (self.vector)("").len();
        EncoderInfo { dimension, parameters: 0, bytes: 0, engine: "fake", precision: "f32", threads: 1 }
    }
}

/// A pseudo-random vector of a word, as a table of embeddings would hold.
pub(crate) fn word_vector(word: &str, dimension: usize) -> Vec<f32> {
    let mut bytes = blake3::Hasher::new().update(word.as_bytes()).finalize_xof();
    (0..dimension)
        .map(|_| {
            let mut value = [0; 4];
            bytes.fill(&mut value);
            u32::from_le_bytes(value) as f32 / u32::MAX as f32 - 0.5
        })
        .collect()
}

/// The mean of the words' vectors: a bag of words.
pub(crate) fn bag(text: &str) -> Vec<f32> {
    let mut sum = vec![0.0; 16];
    for word in text.split_whitespace() {
        sum.iter_mut().zip(word_vector(word, 16)).for_each(|(sum, value)| *sum += value);
    }
    sum
}

/// The bag of words and of neighbouring words, which depends on word order.
pub(crate) fn bag_of_bigrams(text: &str) -> Vec<f32> {
    let mut sum = bag(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    for pair in words.windows(2) {
        sum.iter_mut().zip(word_vector(&pair.join(" "), 16)).for_each(|(sum, value)| *sum += value);
    }
    sum
}

/// `losses.json`: values that PyTorch and SciPy computed.
pub(crate) fn golden() -> serde_json::Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/losses.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// `classes.json`: values that scikit-learn computed.
pub(crate) fn golden_classes() -> serde_json::Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/classes/classes.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A list of rows, as a matrix.
pub(crate) fn golden_matrix(rows: &serde_json::Value) -> ndarray::Array2<f64> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(rows.clone()).unwrap();
    ndarray::Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}
