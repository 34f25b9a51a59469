//! One batch through a session: token ids in, a vector a text out.

use std::path::PathBuf;
use std::slice::ChunksExact;

use limbeck_encoder::{Special, TokenBatch};
use ort::session::SessionInputValue;
use ort::value::{Tensor, TensorElementType};

use super::sessions::SessionState;
use super::signature::{ModelInput, Signature};
use super::tensors::{PaddedRows, floats};
use crate::head::{Head, pool};
use crate::{Error, Pooler, Result};

/// How a model is run.
pub(super) struct OnnxModel {
    pub path: PathBuf,
    pub signature: Signature,
    /// Whether special tokens stand around a text; a student has none.
    pub special: Special,
    pub pooler: Pooler,
    /// What follows the pooler, where the model doesn't pool by itself.
    pub head: Head,
    /// The pooler of the options where the metadata has another one or none: a model that pools by itself can't follow.
    pub other_pooler: Option<Pooler>,
    /// The id of padding.
    pub padding: u32,
}

impl OnnxModel {
    /// The unit vectors of the rows `rows` of `tokens`, at least one, run as one batch.
    pub(super) fn vectors(&self, state: &mut SessionState, tokens: &TokenBatch, rows: &[usize]) -> Result<Vec<f32>> {
        let mut vectors = self.pooled(state, tokens, rows)?;
        let width = vectors.len() / rows.len();
        for (&row, vector) in rows.iter().zip(vectors.chunks_exact_mut(width)) {
            limbeck_encoder::normalise(vector);
            if !vector.iter().all(|value| value.is_finite()) {
                return Err(Error::NotFinite { path: self.path.clone(), row });
            }
        }
        Ok(vectors)
    }

    /// The vectors of the rows `rows` of `tokens`, run as one batch; not yet of unit length.
    pub(super) fn pooled(&self, state: &mut SessionState, tokens: &TokenBatch, rows: &[usize]) -> Result<Vec<f32>> {
        let longest = rows.iter().map(|&row| tokens.row_len(row)).max().unwrap_or_default();
        let longest = self.signature.tokens.unwrap_or(longest).max(1);
        // A model with a fixed batch size gets rows of padding in addition.
        let height = self.signature.rows.unwrap_or(rows.len());
        let failed = |source| Error::OnnxRun { path: self.path.clone(), rows: rows.len(), tokens: longest, source };

        // A teacher's mean is over one token at least; a student's graph recognises an empty text by its mask.
        let least = usize::from(self.special == Special::With);
        let padded = PaddedRows { tokens, rows, height, longest, padding: self.padding, least };
        let input = |input: &ModelInput| -> ort::Result<(String, SessionInputValue)> {
            let shape = [height, longest];
            let value = match input.integers {
                TensorElementType::Int32 => Tensor::from_array((shape, padded.input::<i32>(input.role)))?.into(),
                _ => Tensor::from_array((shape, padded.input::<i64>(input.role)))?.into(),
            };
            Ok((input.name.clone(), value))
        };
        let inputs = self.signature.inputs.iter().map(input).collect::<ort::Result<Vec<_>>>().map_err(failed)?;
        let outputs = state.session.run_with_options(inputs, &state.options).map_err(failed)?;
        let name = &self.signature.output;
        let value = outputs.get(name).ok_or_else(|| self.unfit("its output is missing".to_owned()))?;
        let (shape, values) = floats(value).map_err(failed)?;
        match shape[..] {
            [h, width] if h == height && width > 0 => match self.other_pooler {
                Some(asked) => Err(self.unfit(format!("it pools by itself, and can't be pooled by {asked}"))),
                None => Ok(values[..rows.len() * width].to_vec()),
            },
            [h, length, width] if (h, length) == (height, longest) && width > 0 => {
                self.pool(tokens, rows, values.chunks_exact(longest * width), width)
            }
            _ => {
                let batch = format!("a batch of {height} × {longest}");
                Err(self.unfit(format!("its output `{name}` has the shape {shape:?} for {batch}")))
            }
        }
    }

    /// One vector a text from the states of its tokens, `[longest, width]`, through the head.
    fn pool(&self, tokens: &TokenBatch, rows: &[usize], states: ChunksExact<f32>, width: usize) -> Result<Vec<f32>> {
        let poolers = || std::iter::once(self.pooler).chain(self.head.also.iter().copied());
        self.head.width(width)?;
        let mut vectors = Vec::with_capacity(rows.len() * width * poolers().count());
        for (&row, values) in rows.iter().zip(states) {
            // A text without tokens was given one of padding.
            let own = &values[..tokens.row_len(row).max(1) * width];
            for pooler in poolers() {
                if pool(pooler, own, width, &mut vectors).is_none() {
                    let output = &self.signature.output;
                    return Err(self.unfit(format!("the pooler `{pooler}` needs more than its output `{output}`")));
                }
            }
        }
        Ok(self.head.apply(vectors, width * poolers().count()))
    }

    fn unfit(&self, problem: String) -> Error {
        Error::OnnxSignature { path: self.path.clone(), problem }
    }
}
