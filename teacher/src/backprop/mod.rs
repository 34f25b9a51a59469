//! BERT's forward and backward pass on the CPU, written by hand, to train a teacher.
//!
//! ```text
//! tokens of all texts, side by side, no padding: [tokens, H]
//!   forward:  embeddings ─► layer ─► … ─► layer ─► pooler ─► vectors [texts, H]     each step leaves the values
//!   backward: gradients of all parameters ◄─ … ◄─ layer ◄─ pooler ◄─ gradients      for its backward on a tape
//! ```
//!
//! candle's automatic differentiation gives the same gradients (the plain graph in [`crate::bert`] is the reference,
//! and serves GPUs), but pays for zeros and copies at each step, and runs everything but matrix products on one thread.
//! The order of sums depends on the batch alone.

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
use self::embeddings::{EmbeddingPass, EmbeddingTape};
use self::layer::{LayerPass, LayerTape};
use self::linear::Linear;
pub use self::number::Real;
use self::parameters::LockedParameters;
pub use self::parameters::{Gradients, Parameters};
use self::pool::{Pooling, PoolingTape};
use crate::{BertConfig, Error, Pooler, Result};

/// A BERT whose passes run on the CPU.
#[derive(Debug, Clone)]
pub struct Network<'a> {
    /// The shape of the model.
    pub config: &'a BertConfig,
    /// Its variables.
    pub parameters: &'a Parameters,
    /// How token states are pooled.
    pub pooler: Pooler,
    /// Whether pooled vectors go through `pooler.dense` and tanh: always with the pooler `cls`, with others in training
    /// alone.
    pub head: bool,
}

/// The values of a forward pass that the backward pass needs.
pub struct Tape<T> {
    embeddings: EmbeddingTape<T>,
    /// The output of the embeddings and of each layer.
    states: Vec<Vec<T>>,
    layers: Vec<LayerTape<T>>,
    pooling: PoolingTape<T>,
}

impl<T: Real> Tape<T> {
    /// The texts' vectors, `[texts, H]`, not normalised.
    pub fn vectors(&self) -> &[T] {
        self.pooling.vectors()
    }
}

impl Network<'_> {
    /// The vectors of `batch`, with the values that the backward pass needs.
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
        Ok(self.run::<T>(batch, dropout, &mut drop)?.pooling.into_vectors())
    }

    /// Adds the gradients of all parameters to `gradients`, from those of the vectors (`[texts, H]`).
    ///
    /// # Errors
    /// The parameters can't be read.
    pub fn backward<T: Real>(
        &self,
        batch: &TokenBatch,
        tape: Tape<T>,
        gradient: &[T],
        gradients: &mut Gradients<T>,
    ) -> Result<()> {
        let parameters = self.parameters.lock::<T>()?;
        let heads = self.heads(batch);
        let pooling = self.pooling(&parameters, heads)?;
        let to_pooled = pooling.backward(&tape.pooling, gradient, gradients);
        let mut to_state = vec![T::zero(); batch.ids().len() * heads.width];
        for (index, layer_tape) in tape.layers.into_iter().enumerate().rev() {
            pooling.add_state_gradient(index + 1, &to_pooled, &mut to_state);
            let layer = LayerPass::new(self.config, index, &parameters, heads);
            to_state = layer.backward(&tape.states[index], layer_tape, &to_state, gradients);
        }
        pooling.add_state_gradient(0, &to_pooled, &mut to_state);
        EmbeddingPass::new(self.config, &parameters).backward(batch, &tape.embeddings, to_state, gradients);
        Ok(())
    }

    /// The forward pass. `keep` gets the tape of each layer; the tape that is returned has none.
    fn run<T: Real>(
        &self,
        batch: &TokenBatch,
        dropout: &mut Dropout,
        keep: &mut dyn FnMut(LayerTape<T>),
    ) -> Result<Tape<T>> {
        self.config.check_tokens(batch)?;
        let parameters = self.parameters.lock::<T>()?;
        let heads = self.heads(batch);
        let (state, embeddings) = EmbeddingPass::new(self.config, &parameters).forward(batch, dropout);
        let mut states = vec![state];
        for index in 0..self.config.num_hidden_layers {
            let layer = LayerPass::new(self.config, index, &parameters, heads);
            let (output, tape) = layer.forward(&states[index], dropout);
            states.push(output);
            keep(tape);
        }
        let pooling = self.pooling(&parameters, heads)?.forward(&states);
        Ok(Tape { embeddings, states, layers: Vec::new(), pooling })
    }

    fn heads<'b>(&self, batch: &'b TokenBatch) -> Heads<'b> {
        Heads { heads: self.config.num_attention_heads, width: self.config.hidden_size, offsets: batch.offsets() }
    }

    fn pooling<'p, T: Real>(&self, parameters: &'p LockedParameters, texts: Heads<'p>) -> Result<Pooling<'p, T>> {
        if self.head && !self.parameters.has_pooler() {
            return Err(Error::NoPoolerWeights { path: "the model".into() });
        }
        let head = self.head.then(|| Linear::named(parameters, "pooler.dense"));
        Ok(Pooling { pooler: self.pooler, texts, layers: self.config.num_hidden_layers, head })
    }
}
