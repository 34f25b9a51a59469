//! The two ways to embed texts with gradients: passes by hand on the CPU, candle's graph on other devices.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo, Special, TokenBatch, Tokenizer};
use limbeck_training::random::Random;

use super::{BertSettings, Head};
use crate::backprop::{Dropout, Gradients, Network, Parameters, Tape};
use crate::batching::TextInput;
use crate::bert::{Bert, numbers};
use crate::{Error, Pooler, Result, TeacherFolder, batching};

/// The random stream of dropout.
const DROPOUT: u64 = 21;

/// A model in training, and how its vectors are computed meanwhile.
pub(super) struct BertInTraining<'a> {
    pub(super) start: &'a TeacherFolder,
    pub(super) settings: &'a BertSettings,
    pub(super) seed: u64,
    pub(super) tokenizer: Tokenizer,
    pub(super) parameters: Parameters,
    /// Whether the passes by hand compute; they need the variables in host memory.
    pub(super) by_hand: bool,
}

/// What the backward pass over a part of a batch needs of its forward pass.
pub(super) enum ForwardState {
    Tape(Tape<f32>),
    Graph(Tensor),
}

/// The gradients of a step, summed over its parts.
pub(super) enum GradientSum {
    Host(Gradients<f32>),
    Device(BTreeMap<String, Tensor>),
}

impl BertInTraining<'_> {
    /// The tokens of texts, cut to `max_tokens`.
    pub(super) fn tokenise(&self, texts: &[&str], max_tokens: usize) -> Result<TokenBatch> {
        let input = TextInput { prefix: &self.start.prefix, lower_case: self.start.lower_case };
        Ok(input.tokenise(&self.tokenizer, texts, Special::With, Some(max_tokens))?)
    }

    /// The network of the passes by hand; at inference only the pooler `cls` has a head.
    pub(super) fn network(&self, training: bool) -> Network<'_> {
        let &TeacherFolder { ref config, pooler, .. } = self.start;
        let head = pooler == Pooler::Cls || (training && self.settings.head == Head::Training);
        Network { config, parameters: &self.parameters, pooler, head }
    }

    /// candle's graph over the same variables.
    pub(super) fn graph(&self) -> Result<Bert> {
        let find = &mut |name: &str, _: &[usize]| {
            let missing = || Error::MissingTensor { path: "the model".into(), name: name.to_owned() };
            self.parameters.get(name).map(|variable| variable.as_tensor().clone()).ok_or_else(missing)
        };
        Bert::new(&self.start.config, self.parameters.has_pooler(), find)
    }

    /// The vectors by candle's graph, which can be differentiated.
    fn by_graph(&self, part: &TokenBatch, dropout: &mut Dropout) -> Result<Tensor> {
        self.graph()?.trained(part, self.start.pooler, self.settings.head == Head::Training, dropout)
    }

    /// The masks of part `part` of step `step`: the same at every call.
    fn dropout(&self, step: u64, part: usize) -> Dropout {
        let random = Random::new(self.seed, &[DROPOUT, step, part as u64]);
        Dropout::new(random, self.settings.dropout, self.settings.attention_dropout)
    }

    /// The vectors of a part of a batch, `[texts, H]`.
    pub(super) fn vectors(&self, part: &TokenBatch, step: u64, number: usize) -> Result<Vec<f32>> {
        let mut dropout = self.dropout(step, number);
        if self.by_hand {
            return self.network(true).vectors(part, &mut dropout);
        }
        numbers(&self.by_graph(part, &mut dropout)?)
    }

    /// The same vectors, and the state for the backward pass.
    pub(super) fn forward(&self, part: &TokenBatch, step: u64, number: usize) -> Result<(Vec<f32>, ForwardState)> {
        let mut dropout = self.dropout(step, number);
        if self.by_hand {
            let tape = self.network(true).forward(part, &mut dropout)?;
            return Ok((tape.vectors().to_vec(), ForwardState::Tape(tape)));
        }
        let vectors = self.by_graph(part, &mut dropout)?;
        Ok((numbers(&vectors)?, ForwardState::Graph(vectors)))
    }

    /// No gradients yet.
    pub(super) fn no_gradients(&self) -> GradientSum {
        match self.by_hand {
            true => GradientSum::Host(Gradients::new(&self.parameters, &|name| self.settings.learns(name))),
            false => GradientSum::Device(BTreeMap::new()),
        }
    }

    /// The backward pass from the gradient of a part's vectors (`[texts, H]`); adds the parameters' gradients to `sum`.
    pub(super) fn backward(
        &self,
        part: &TokenBatch,
        state: ForwardState,
        gradient: &[f32],
        sum: &mut GradientSum,
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

/// The model as it is now, without dropout and with the head of inference, to be measured on a dev set.
impl Encoder for BertInTraining<'_> {
    fn encode(&self, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        let tokens = self.tokenise(texts, self.start.max_tokens)?;
        let graph = (!self.by_hand).then(|| self.graph()).transpose()?;
        Ok(batching::encode(&tokens, self.start.config.hidden_size, |batch| match &graph {
            None => self.network(false).vectors(batch, &mut Dropout::none()),
            Some(graph) => numbers(&graph.pooled(batch, self.start.pooler)?),
        })?)
    }

    fn info(&self) -> EncoderInfo {
        let parameters = self.parameters.iter().map(|(_, variable)| variable.elem_count() as u64).sum();
        EncoderInfo {
            dimension: self.start.config.hidden_size,
            parameters,
            bytes: 4 * parameters,
            engine: "candle",
            precision: "f32",
            threads: rayon::current_num_threads(),
        }
    }
}

impl GradientSum {
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
