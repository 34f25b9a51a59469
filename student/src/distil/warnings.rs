//! What is odd about the targets of a distillation, said before the work rather than after it.

use limbeck_data::cache::SHARD_ROWS;
use limbeck_encoder::normalise;

use super::settings::DistilSettings;
use super::targets::Targets;
use crate::error::Result;

/// About this many rows of the cache are looked at, taken from all over it.
const SAMPLE: usize = 8_192;
/// Targets whose pairs have a higher mean cosine than this are all alike.
const ALIKE: f64 = 0.98;
/// Targets whose mean is longer than this crowd around one direction.
const CROWDED: f64 = 0.8;
/// Fewer held-out texts than these tell a good student from a bad one by chance.
const FEW: u64 = 100;

/// Warnings about `targets` for a distillation by `settings`, a line each with its figure and what to do.
///
/// # Errors
/// A cache that can't be read.
pub fn warnings(targets: &Targets, settings: &DistilSettings) -> Result<Vec<String>> {
    targets.check()?;
    let mut warnings = Vec::new();
    let spread = Spread::of(targets)?;
    if spread.mean_cosine() > ALIKE {
        warnings.push(format!(
            "the targets are all alike: the mean cosine of two of them is {:.3}; a student learns nothing from them: \
             see that the teacher's pooling, prefix and text are right",
            spread.mean_cosine()
        ));
    } else if spread.norm > CROWDED && settings.losses.centred.weight == 0.0 {
        warnings.push(format!(
            "the targets crowd around one direction: their mean is {:.3} long; distil.losses.centred = 1.0 teaches \
             what tells them apart",
            spread.norm
        ));
    }
    if let Some(held_out) = few_held_out(targets)? {
        warnings.push(format!(
            "only {held_out} texts are held out to measure by, too few to choose the best weights: give more text, or \
             raise text.hold_out"
        ));
    }
    Ok(warnings)
}

/// How far the targets spread.
struct Spread {
    /// The length of the mean of the targets, each of length 1.
    norm: f64,
    rows: usize,
}

impl Spread {
    /// The spread of a sample of the cache: whole slices, evenly from its first to its last.
    fn of(targets: &Targets) -> Result<Self> {
        let (cache, dimension) = (targets.cache, targets.dimension());
        let slices = cache.slices();
        let longest = slices.iter().map(|slice| slice.rows.len()).max().unwrap_or(1).max(1);
        let wanted = SAMPLE.div_ceil(longest).max(2).min(slices.len());
        let (mut sum, mut rows) = (vec![0f64; dimension], 0);
        for number in 0..wanted {
            let slice = &slices[number * slices.len() / wanted];
            for vector in cache.read_slice(slice)?.embeddings.chunks_exact_mut(dimension) {
                if normalise(vector) {
                    sum.iter_mut().zip(&*vector).for_each(|(sum, &x)| *sum += f64::from(x));
                    rows += 1;
                }
            }
        }
        let length = sum.iter().map(|sum| sum * sum).sum::<f64>().sqrt();
        Ok(Self { norm: length / (rows.max(1)) as f64, rows })
    }

    /// The mean cosine of two different rows: the squared length of the sum holds every pair twice, and every row with
    /// itself.
    fn mean_cosine(&self) -> f64 {
        let rows = self.rows as f64;
        if self.rows < 2 { 0.0 } else { (rows * self.norm * self.norm - 1.0) / (rows - 1.0) }
    }
}

/// The number of held-out texts, where it is small.
fn few_held_out(targets: &Targets) -> Result<Option<u64>> {
    let found = match targets.held_out {
        Some(held_out) => held_out.rows(),
        // A twentieth of so large a cache is more than enough.
        None if targets.cache.rows() > SHARD_ROWS as u64 => return Ok(None),
        None => targets.held_out()?.texts.len() as u64,
    };
    Ok((found < FEW).then_some(found))
}

#[cfg(test)]
#[path = "warnings_tests.rs"]
mod tests;
