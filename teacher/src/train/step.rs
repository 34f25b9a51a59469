//! One step: views, vectors, loss, gradients, update.

use candle_core::{Device, Tensor, Var};
use limbeck_encoder::TokenBatch;
use limbeck_training::losses::{infonce, infonce_hard_negative};
use limbeck_training::optimiser::AdamW;

use super::TrainSettings;
use super::engine::{Kept, Model};
use crate::backprop::Real;
use crate::{Error, Result};

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    pub loss: f64,
    /// The length of all gradients together, before they are clipped.
    pub gradient_norm: f64,
}

impl Outcome {
    /// Whether both are numbers.
    pub fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.gradient_norm.is_finite()
    }
}

/// Step number `step` (from 1) on `batch`, which holds `views` views of each example, one view after another. Where the loss
/// or the gradients aren't finite nothing is updated.
pub fn step<T: Real>(
    model: &Model,
    settings: &TrainSettings,
    optimiser: &mut AdamW,
    (batch, views): (&TokenBatch, usize),
    (step, learning_rate): (u64, f64),
) -> Result<Outcome> {
    let parts = parts(batch, settings.micro_batch);
    let mut vectors: Vec<T> = Vec::with_capacity(batch.rows() * model.config.hidden_size);
    // A batch in one part goes through once; one in several goes through again, a part at a time, with the same masks.
    let mut whole: Option<Kept<T>> = None;
    match &parts[..] {
        [part] => {
            let (found, kept) = model.keep(part, settings, step, 0)?;
            (vectors, whole) = (found, Some(kept));
        }
        parts => {
            for (number, part) in parts.iter().enumerate() {
                vectors.extend(model.vectors::<T>(part, settings, step, number)?);
            }
        }
    }
    let (loss, gradient) = loss(settings, vectors, (batch.rows(), views), model.config.hidden_size)?;
    let mut sum = model.no_gradients();
    let mut from = 0;
    for (number, part) in parts.iter().enumerate() {
        let kept = match whole.take() {
            Some(kept) => kept,
            None => model.keep(part, settings, step, number)?.1,
        };
        let to = from + part.rows() * model.config.hidden_size;
        model.back(part, kept, &gradient[from..to], &mut sum)?;
        from = to;
    }
    let (gradient_norm, gradients) = sum.finish()?;
    let outcome = Outcome { loss, gradient_norm };
    if outcome.is_finite() {
        // PyTorch's clip_grad_norm_ adds as much to the length.
        let scale = if settings.clip > 0.0 { (settings.clip / (gradient_norm + 1e-6)).min(1.0) } else { 1.0 };
        optimiser.update(|name, _| gradients.get(name), scale, learning_rate, step)?;
    }
    Ok(outcome)
}

/// Cuts a batch into parts of at most `rows` texts.
fn parts(batch: &TokenBatch, rows: usize) -> Vec<TokenBatch> {
    let starts = (0..batch.rows()).step_by(rows);
    starts.map(|start| (start..batch.rows().min(start + rows)).map(|row| batch.row(row)).collect()).collect()
}

/// The loss of the vectors (`[rows, width]`) and its gradient.
fn loss<T: Real>(
    settings: &TrainSettings,
    vectors: Vec<T>,
    (rows, views): (usize, usize),
    width: usize,
) -> Result<(f64, Vec<T>)> {
    let failed = Error::candle;
    let vectors = Tensor::from_vec(vectors, (rows, width), &Device::Cpu).and_then(|tensor| Var::from_tensor(&tensor));
    let vectors = vectors.map_err(failed("the loss"))?;
    let each = rows / views;
    let view = |at: usize| vectors.narrow(0, at * each, each).map_err(failed("the loss"));
    let loss = match views {
        2 => infonce(&view(0)?, &view(1)?, settings.temperature, settings.denominator)?,
        _ => {
            let weight = settings.hard_negative_weight;
            infonce_hard_negative(&view(0)?, &view(1)?, &view(2)?, settings.temperature, weight)?
        }
    };
    let value = loss.to_scalar::<T>().map_err(failed("the loss"))?.to_f64();
    let store = loss.backward().map_err(failed("the loss's gradient"))?;
    let gradient = store.get(&vectors).map(|gradient| gradient.flatten_all().and_then(|g| g.to_vec1()));
    let gradient = gradient.unwrap_or_else(|| Ok(vec![T::zero(); rows * width]));
    Ok((value, gradient.map_err(failed("the loss's gradient"))?))
}
