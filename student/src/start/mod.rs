//! The start of a student: a static embedding model that is good already, which the training improves.

mod cooccurrence;
mod least_squares;
mod token_vectors;

pub use cooccurrence::Cooccurrence;
pub use least_squares::{Bags, least_squares};
pub use token_vectors::from_token_vectors;

use candle_core::{DType, Device, Tensor};

use crate::config::StudentConfig;
use crate::dense::DenseParameters;
use crate::error::{Error, Result};
use crate::model::TextCnn;

/// A static model: the embedding table, and the skip that maps a mean embedding to the teacher's space.
#[derive(Debug, Clone)]
pub struct Start {
    /// `vocabulary × width` values; row 0 is zero.
    pub table: Vec<f32>,
    /// The table's width.
    pub width: usize,
    /// `dimension × width` values.
    pub skip: Vec<f32>,
    /// The teacher's width.
    pub dimension: usize,
    /// The target of the empty text: `dimension` values.
    pub empty_target: Vec<f32>,
}

/// The `a` of smooth inverse frequency, `a / (a + p)` (Arora, Liang and Ma 2017): a token of this probability has the
/// weight 1/2.
const SMOOTHING: f64 = 1e-3;

/// The weight of a token of this probability.
fn smooth_inverse_frequency(probability: f64) -> f32 {
    (SMOOTHING / (SMOOTHING + probability)) as f32
}

impl Start {
    /// A student that gives this model's vectors: its convolutions are fresh and add nothing yet.
    pub fn student(&self, config: StudentConfig, seed: u64, device: &Device) -> Result<TextCnn> {
        let dense = DenseParameters::fresh(&config, seed, DType::F32, device)?;
        if config.skip {
            let skip = Tensor::from_slice(&self.skip, (self.dimension, self.width), device);
            dense.set("skip.weight", &skip.map_err(Error::tensor("the skip of the start"))?)?;
        }
        TextCnn::new(config, self.table.clone(), dense, device.clone())
    }
}
