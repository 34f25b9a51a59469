//! [`TrainableStudent`]: a student with the optimisers of its parameters, as every training of a student uses it.

use candle_core::{Result as TensorResult, Tensor};
use limbeck_training::StepOutcome;
use limbeck_training::checkpoint::{NamedTensors, SavedTensors};
use limbeck_training::optimiser::{AdamW, AdamWSettings};
use limbeck_training::random::Random;

use crate::error::{Error, Result};
use crate::graph::{Backend, PooledTexts};
use crate::model::{TABLE, TextCnn, TokenRows};

/// A student in training.
pub(crate) struct TrainableStudent {
    pub(crate) model: TextCnn,
    pub(crate) backend: Backend,
    adam: AdamWSettings,
    optimiser: AdamW,
    /// A hash of the weights before the first step.
    pub(crate) start_hash: String,
}

impl TrainableStudent {
    /// `model` before its first step.
    pub(crate) fn new(model: TextCnn, weight_decay: f64) -> Result<Self> {
        let adam = AdamWSettings { weight_decay, ..AdamWSettings::default() };
        let named = model.dense.iter().map(|(name, variable)| (name.to_string(), variable.clone()));
        let optimiser = AdamW::new(named.collect::<Vec<_>>(), adam, |_| true)?;
        let backend = Backend::of(&model.device);
        let start_hash = weights_hash(&model)?;
        Ok(Self { model, backend, adam, optimiser, start_hash })
    }

    /// The vectors of pooled texts under dropout masks of their own, not yet normalised.
    pub(crate) fn masked(
        &self,
        pooled: &PooledTexts,
        texts: usize,
        dropout: f64,
        random: &mut Random,
    ) -> Result<Tensor> {
        let masks = self.model.masks(texts, dropout, random)?;
        self.model.project(pooled, masks.as_ref())
    }

    /// Updates the student by the gradients of `loss`, a scalar computed from `rows`; changes nothing when the loss or
    /// a gradient is not finite.
    pub(crate) fn update(&mut self, loss: &Tensor, rows: &TokenRows, step: u64, rate: f64) -> Result<StepOutcome> {
        let failed = Error::tensor;
        let loss_value = f64::from(loss.to_scalar::<f32>().map_err(failed("the loss"))?);
        let gradients = loss.backward().map_err(failed("the gradients"))?;
        let variables = self.model.dense.iter().map(|(_, variable)| variable).chain([&rows.variable]);
        let squares = variables.filter_map(|variable| gradients.get(variable)).map(square);
        let square = squares.sum::<TensorResult<f64>>().map_err(failed("the gradients' length"))?;
        let outcome = StepOutcome { loss: loss_value, gradient_norm: square.sqrt() };
        if outcome.is_finite() {
            self.optimiser.step(&gradients, rate, step)?;
            if let Some(gradient) = gradients.get(&rows.variable) {
                self.model.table.update(rows.tokens.tokens(), gradient, rate, step, &self.adam)?;
            }
        }
        Ok(outcome)
    }

    pub(crate) fn moments(&self) -> NamedTensors<'_> {
        self.model.table.moments(TABLE).into_iter().chain(self.optimiser.moments()).collect()
    }

    pub(crate) fn set_weights(&mut self, saved: &SavedTensors) -> Result<()> {
        self.model.set_weights(|name| saved.get(name).cloned(), |name| saved.missing(name).into())
    }

    /// Puts back weights and moments.
    pub(crate) fn restore(&mut self, saved: &SavedTensors) -> Result<()> {
        self.set_weights(saved)?;
        self.model.table.restore(TABLE, saved)?;
        Ok(self.optimiser.restore(saved)?)
    }
}

/// The squared length of a gradient.
fn square(gradient: &Tensor) -> TensorResult<f64> {
    Ok(f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?))
}

/// A hash of all weights.
pub(crate) fn weights_hash(model: &TextCnn) -> Result<String> {
    let mut bytes: Vec<u8> = bytemuck::cast_slice(model.table.values()).to_vec();
    for (_, variable) in model.dense.iter() {
        let values = variable.flatten_all().and_then(|all| all.to_vec1::<f32>());
        bytes.extend_from_slice(bytemuck::cast_slice(&values.map_err(Error::tensor("reading weights"))?));
    }
    Ok(limbeck_data::files::sha256_bytes(&bytes))
}
