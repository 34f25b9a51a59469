//! The two ways to embed texts with gradients: passes by hand on the CPU, candle's graph on other devices.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use limbeck_encoder::TokenBatch;
use limbeck_training::random::Random;

use super::{BertSettings, Head};
use crate::backprop::{Dropout, Gradients, Network, Parameters, Real, Tape};
use crate::bert::Bert;
use crate::{BertConfig, Error, Pooler, Result};

/// The random stream of dropout.
const DROPOUT: u64 = 21;

/// A model in training: its shape, its variables, and how its vectors are computed meanwhile.
pub(super) struct BertInTraining<'a> {
    pub(super) config: &'a BertConfig,
    pub(super) parameters: &'a Parameters,
    pub(super) pooler: Pooler,
    pub(super) settings: &'a BertSettings,
    pub(super) seed: u64,
    /// Whether the passes by hand compute; they need the variables in host memory.
    pub(super) by_hand: bool,
}

/// What the backward pass over a part of a batch needs of its forward pass.
pub(super) enum ForwardState<T> {
    Tape(Tape<T>),
    Graph(Tensor),
}

/// The gradients of a step, summed over its parts.
pub(super) enum GradientSum<T> {
    Host(Gradients<T>),
    Device(BTreeMap<String, Tensor>),
}

impl BertInTraining<'_> {
    /// The network of the passes by hand; at inference only the pooler `cls` has a head.
    pub(super) fn network(&self, training: bool) -> Network<'_> {
        let head = self.pooler == Pooler::Cls || (training && self.head());
        Network { config: self.config, parameters: self.parameters, pooler: self.pooler, head }
    }

    /// candle's graph over the same variables.
    pub(super) fn graph(&self) -> Result<Bert> {
        let find = &mut |name: &str, _: &[usize]| {
            let missing = || Error::MissingTensor { path: "the model".into(), name: name.to_owned() };
            self.parameters.get(name).map(|variable| variable.as_tensor().clone()).ok_or_else(missing)
        };
        Bert::new(self.config, self.parameters.has_pooler(), find)
    }

    /// Whether pooled vectors pass the head in training.
    fn head(&self) -> bool {
        self.settings.head == Head::Training
    }

    /// The masks of part `part` of step `step`: the same at every call.
    fn dropout(&self, step: u64, part: usize) -> Dropout {
        let random = Random::new(self.seed, &[DROPOUT, step, part as u64]);
        Dropout::new(random, self.settings.dropout, self.settings.attention_dropout)
    }

    /// The vectors of a part of a batch, `[texts, H]`.
    pub(super) fn vectors<T: Real>(&self, part: &TokenBatch, step: u64, number: usize) -> Result<Vec<T>> {
        let mut dropout = self.dropout(step, number);
        if self.by_hand {
            return self.network(true).vectors(part, &mut dropout);
        }
        numbers(&self.graph()?.trained(part, self.pooler, self.head(), &mut dropout)?.detach())
    }

    /// The same vectors, and the state for the backward pass.
    pub(super) fn forward<T: Real>(
        &self,
        part: &TokenBatch,
        step: u64,
        number: usize,
    ) -> Result<(Vec<T>, ForwardState<T>)> {
        let mut dropout = self.dropout(step, number);
        if self.by_hand {
            let tape = self.network(true).forward(part, &mut dropout)?;
            return Ok((tape.vectors().to_vec(), ForwardState::Tape(tape)));
        }
        let vectors = self.graph()?.trained(part, self.pooler, self.head(), &mut dropout)?;
        Ok((numbers(&vectors)?, ForwardState::Graph(vectors)))
    }

    /// No gradients yet.
    pub(super) fn no_gradients<T: Real>(&self) -> GradientSum<T> {
        match self.by_hand {
            true => GradientSum::Host(Gradients::new(self.parameters, &|name| self.settings.learns(name))),
            false => GradientSum::Device(BTreeMap::new()),
        }
    }

    /// The backward pass from the gradient of a part's vectors (`[texts, H]`); adds the parameters' gradients to `sum`.
    pub(super) fn backward<T: Real>(
        &self,
        part: &TokenBatch,
        state: ForwardState<T>,
        gradient: &[T],
        sum: &mut GradientSum<T>,
    ) -> Result<()> {
        match (state, sum) {
            (ForwardState::Tape(tape), GradientSum::Host(gradients)) => {
                self.network(true).backward(part, tape, gradient, gradients)
            }
            (ForwardState::Graph(vectors), GradientSum::Device(sums)) => {
                let failed = Error::candle;
                let gradient = Tensor::from_slice(gradient, vectors.dims(), vectors.device());
                let value = gradient.and_then(|gradient| vectors.mul(&gradient)?.sum_all());
                let store = value.and_then(|value| value.backward()).map_err(failed("the backward pass of BERT"))?;
                for (name, variable) in self.parameters.iter().filter(|(name, _)| self.settings.learns(name)) {
                    let Some(gradient) = store.get(variable) else { continue };
                    let total = match sums.remove(name) {
                        Some(sum) => (sum + gradient).map_err(failed("adding gradients"))?,
                        None => gradient.clone(),
                    };
                    sums.insert(name.to_owned(), total);
                }
                Ok(())
            }
            _ => unreachable!("both come from the same engine"),
        }
    }
}

impl<T: Real> GradientSum<T> {
    /// The length of all gradients as one vector, and the gradients by name.
    pub(super) fn finish(self) -> Result<(f64, BTreeMap<String, Tensor>)> {
        match self {
            Self::Host(gradients) => Ok((gradients.norm(), gradients.into_tensors()?)),
            Self::Device(sums) => {
                let square = |tensor: &Tensor| tensor.sqr()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>();
                let mut total = 0.0;
                for tensor in sums.values() {
                    total += square(tensor).map_err(Error::candle("the gradients' length"))?;
                }
                Ok((total.sqrt(), sums))
            }
        }
    }
}

fn numbers<T: Real>(tensor: &Tensor) -> Result<Vec<T>> {
    let host = tensor.to_device(&Device::Cpu).and_then(|tensor| tensor.flatten_all()?.to_vec1());
    host.map_err(Error::candle("reading vectors"))
}
