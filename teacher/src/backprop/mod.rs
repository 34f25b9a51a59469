//! BERT's forward and backward pass on the CPU, written by hand: what trains a teacher.
//!
//! ```text
//! tokens of all texts, side by side, no padding: [tokens, H]
//!   forward:  embeddings ─► layer ─► … ─► layer ─► pooler ─► vectors [texts, H]     each step leaves what its
//!   backward: gradients of all parameters ◄─ … ◄─ layer ◄─ pooler ◄─ gradients      backward needs on a tape
//! ```
//!
//! candle's automatic differentiation does the same (the plain graph in [`crate::bert`] is the reference and serves GPUs), but
//! pays for zeros and copies at each step and computes on one thread what isn't a matrix product. Sums are taken in an order
//! that depends on nothing but the batch.

mod activation;
mod attention;
mod dropout;
mod embeddings;
mod layer;
mod linear;
mod matrix;
mod norm;
mod number;
mod parameters;
mod pool;
mod rows;

use limbeck_encoder::TokenBatch;

use self::attention::Heads;
pub use self::dropout::{Dropout, Mask};
use self::embeddings::Embeddings;
use self::layer::Layer;
use self::linear::Linear;
pub use self::number::Real;
use self::parameters::Numbers;
pub use self::parameters::{Gradients, Parameters};
use self::pool::Pooled;
use crate::{BertConfig, Error, Pooler, Result};

/// A BERT whose passes run on the CPU.
#[derive(Debug, Clone)]
pub struct Network<'a> {
    pub config: &'a BertConfig,
    pub parameters: &'a Parameters,
    pub pooler: Pooler,
    /// Whether pooled vectors go through `pooler.dense` and tanh: always for the pooler `cls`, in training alone for others.
    pub head: bool,
}

/// What a forward pass keeps for the backward one.
pub struct Tape<T> {
    embeddings: embeddings::Tape<T>,
    /// The output of the embeddings and of each layer.
    states: Vec<Vec<T>>,
    layers: Vec<layer::Tape<T>>,
    pooled: Pooled<T>,
}

impl<T: Real> Tape<T> {
    /// The texts' vectors, `[texts, H]`, not normalised.
    pub fn vectors(&self) -> &[T] {
        self.pooled.vectors()
    }
}

impl Network<'_> {
    /// The vectors of `batch` and what the backward pass needs.
    ///
    /// # Errors
    /// An id outside the vocabulary, a row longer than the model has positions, and a head that has no parameters.
    pub fn forward<T: Real>(&self, batch: &TokenBatch, dropout: &mut Dropout) -> Result<Tape<T>> {
        let mut layers = Vec::with_capacity(self.config.num_hidden_layers);
        let tape = self.run(batch, dropout, &mut |tape| layers.push(tape))?;
        Ok(Tape { layers, ..tape })
    }

    /// The vectors alone, `[texts, H]`.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn vectors<T: Real>(&self, batch: &TokenBatch, dropout: &mut Dropout) -> Result<Vec<T>> {
        Ok(self.run::<T>(batch, dropout, &mut drop)?.pooled.into_vectors())
    }

    /// Adds the gradients of all parameters to `gradients`, from those of the vectors (`[texts, H]`).
    ///
    /// # Errors
    /// When the parameters can't be read.
    pub fn backward<T: Real>(
        &self,
        batch: &TokenBatch,
        tape: Tape<T>,
        gradient: &[T],
        gradients: &mut Gradients<T>,
    ) -> Result<()> {
        let numbers = self.parameters.numbers::<T>()?;
        let heads = self.heads(batch);
        let head = self.head(&numbers)?;
        let read = pool::backward(self.pooler, &tape.pooled, gradient, &heads, self.depth(), head, gradients);
        let mut to_state = vec![T::zero(); batch.ids().len() * heads.width];
        for (index, kept) in tape.layers.into_iter().enumerate().rev() {
            read.add_to(index + 1, &mut to_state);
            let layer = Layer::new(self.config, index, &numbers);
            to_state = layer.backward(&tape.states[index], kept, &to_state, &heads, gradients);
        }
        read.add_to(0, &mut to_state);
        Embeddings::new(self.config, &numbers).backward(batch, &tape.embeddings, to_state, gradients);
        Ok(())
    }

    fn run<T: Real>(
        &self,
        batch: &TokenBatch,
        dropout: &mut Dropout,
        keep: &mut dyn FnMut(layer::Tape<T>),
    ) -> Result<Tape<T>> {
        self.config.check_tokens(batch)?;
        let numbers = self.parameters.numbers::<T>()?;
        let heads = self.heads(batch);
        let (state, embeddings) = Embeddings::new(self.config, &numbers).forward(batch, dropout);
        let mut states = vec![state];
        for index in 0..self.depth() {
            let (output, tape) = Layer::new(self.config, index, &numbers).forward(&states[index], &heads, dropout);
            states.push(output);
            keep(tape);
        }
        let pooled = pool::forward(self.pooler, &states, &heads, self.head(&numbers)?);
        Ok(Tape { embeddings, states, layers: Vec::new(), pooled })
    }

    fn depth(&self) -> usize {
        self.config.num_hidden_layers
    }

    fn heads<'b>(&self, batch: &'b TokenBatch) -> Heads<'b> {
        Heads { heads: self.config.num_attention_heads, width: self.config.hidden_size, offsets: batch.offsets() }
    }

    fn head<'n, T: Real>(&self, numbers: &'n Numbers) -> Result<Option<Linear<'n, T>>> {
        if !self.head {
            return Ok(None);
        }
        if !self.parameters.has_pooler() {
            return Err(Error::NoPoolerWeights { path: "the model".into() });
        }
        Ok(Some(Linear { weight: numbers.of("pooler.dense.weight"), bias: numbers.of("pooler.dense.bias") }))
    }
}
