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

/// The weight of each of a table's `rows`, by smooth inverse frequency. Row 0 is padding and has none.
fn token_weights(frequencies: &[u64], rows: usize) -> impl Iterator<Item = f32> {
    let total = frequencies.iter().sum::<u64>().max(1) as f64;
    let probability = move |id: usize| frequencies.get(id).copied().unwrap_or(0) as f64 / total;
    (0..rows).map(move |id| if id == 0 { 0.0 } else { (SMOOTHING / (SMOOTHING + probability(id))) as f32 })
}

/// Items in groups, as in the compressed rows of a sparse matrix.
struct Grouped<T> {
    /// The items of group `g` are `items[starts[g]..starts[g + 1]]`.
    starts: Vec<usize>,
    items: Vec<T>,
}

impl<T: Copy + Default> Grouped<T> {
    /// Groups pairs of a group and an item; within a group the items keep their order.
    fn new(groups: usize, pairs: impl Iterator<Item = (u32, T)> + Clone) -> Self {
        let mut starts = vec![0; groups + 1];
        pairs.clone().for_each(|(group, _)| starts[group as usize + 1] += 1);
        (0..groups).for_each(|group| starts[group + 1] += starts[group]);
        let mut items = vec![T::default(); starts[groups]];
        let mut next = starts.clone();
        for (group, item) in pairs {
            items[next[group as usize]] = item;
            next[group as usize] += 1;
        }
        Self { starts, items }
    }

    fn groups(&self) -> usize {
        self.starts.len() - 1
    }

    fn of(&self, group: usize) -> &[T] {
        &self.items[self.starts[group]..self.starts[group + 1]]
    }
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
