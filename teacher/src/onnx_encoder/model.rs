//! One batch through a session: token ids in, a vector a text out.

use std::borrow::Cow;
use std::path::PathBuf;

use limbeck_encoder::{Special, TokenBatch};
use ort::session::SessionInputValue;
use ort::value::TensorRef;

use super::sessions::SessionState;
use super::signature::{IntegerType, Signature};
use super::tensors::{PaddedRows, floats};
use crate::inference_error::InferenceError;
use crate::{Pooler, Result};

/// How a model is run.
pub(super) struct OnnxModel {
    pub path: PathBuf,
    pub signature: Signature,
    /// Whether special tokens stand around a text; a student has none.
    pub special: Special,
    pub pooler: Pooler,
    /// The pooler of the options where the metadata has another one or none: a model that pools by itself can't follow.
    pub other_pooler: Option<Pooler>,
    /// The id of padding.
    pub padding: u32,
}

/// The output of a batch: the states of its tokens.
struct TokenStates<'a> {
    /// [height, longest, width]
    values: &'a [f32],
    longest: usize,
    width: usize,
}

impl OnnxModel {
    /// The unit vectors of the rows `rows` of `tokens`, at least one, run as one batch.
    pub(super) fn vectors(&self, state: &mut SessionState, tokens: &TokenBatch, rows: &[usize]) -> Result<Vec<f32>> {
        let mut vectors = self.pooled(state, tokens, rows)?;
        let width = vectors.len() / rows.len();
        for (&row, vector) in rows.iter().zip(vectors.chunks_exact_mut(width)) {
            limbeck_encoder::normalise(vector);
            if !vector.iter().all(|value| value.is_finite()) {
                return Err(InferenceError::NotFinite { path: self.path.clone(), row }.into());
            }
        }
        Ok(vectors)
    }

    /// The vectors of the rows `rows` of `tokens`, run as one batch; not yet of unit length.
    pub(super) fn pooled(&self, state: &mut SessionState, tokens: &TokenBatch, rows: &[usize]) -> Result<Vec<f32>> {
        let SessionState { session, options, inputs_i64, inputs_i32, values } = state;
        let longest = rows.iter().map(|&row| tokens.row_len(row)).max().unwrap_or_default();
        let longest = self.signature.tokens.unwrap_or(longest).max(1);
        // A model with a fixed batch size gets rows of padding in addition.
        let height = self.signature.rows.unwrap_or(rows.len());
        let failed =
            |source| InferenceError::Run { path: self.path.clone(), rows: rows.len(), tokens: longest, source };

        // A teacher's mean is over one token at least; a student's graph recognises an empty text by its mask.
        let least = usize::from(self.special == Special::With);
        let padded = PaddedRows { tokens, rows, height, longest, padding: self.padding, least };
        let mut inputs: Vec<(Cow<str>, SessionInputValue)> = Vec::with_capacity(self.signature.inputs.len());
        let buffers = inputs_i64.iter_mut().zip(inputs_i32);
        for (input, (wide, narrow)) in self.signature.inputs.iter().zip(buffers) {
            let shape = [height, longest];
            let value = match input.integers {
                IntegerType::I64 => {
                    padded.fill(input.role, wide);
                    TensorRef::from_array_view((shape, &wide[..])).map(SessionInputValue::from)
                }
                IntegerType::I32 => {
                    padded.fill(input.role, narrow);
                    TensorRef::from_array_view((shape, &narrow[..])).map(SessionInputValue::from)
                }
            };
            inputs.push((Cow::from(&input.name), value.map_err(failed)?));
        }
        let outputs = session.run_with_options(inputs, options).map_err(failed)?;
        let name = &self.signature.output;
        let value = outputs.get(name).ok_or_else(|| self.unfit("its output is missing".to_owned()))?;
        let (shape, values) = floats(value, values).map_err(failed)?;
        match shape[..] {
            [h, width] if h == height && width > 0 => match self.other_pooler {
                Some(asked) => Err(self.unfit(format!("it pools by itself, and can't be pooled by {asked}")).into()),
                None => Ok(values[..rows.len() * width].to_vec()),
            },
            [h, length, width] if (h, length) == (height, longest) && width > 0 => {
                self.pool(tokens, rows, &TokenStates { values, longest, width })
            }
            _ => {
                let batch = format!("a batch of {height} × {longest}");
                Err(self.unfit(format!("its output `{name}` has the shape {shape:?} for {batch}")).into())
            }
        }
    }

    /// One vector a text from the states of its tokens.
    fn pool(&self, tokens: &TokenBatch, rows: &[usize], states: &TokenStates) -> Result<Vec<f32>> {
        let width = states.width;
        let mut vectors = Vec::with_capacity(rows.len() * width);
        for (&row, values) in rows.iter().zip(states.values.chunks_exact(states.longest * width)) {
            match self.pooler {
                Pooler::ClsBeforePooler => vectors.extend_from_slice(&values[..width]),
                Pooler::Mean => {
                    // A text without tokens was given one of padding.
                    let length = tokens.row_len(row).max(1);
                    let start = vectors.len();
                    vectors.resize(start + width, 0.0);
                    for token in values.chunks_exact(width).take(length) {
                        vectors[start..].iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
                    }
                    vectors[start..].iter_mut().for_each(|sum| *sum /= length as f32);
                }
                Pooler::Cls | Pooler::FirstLast | Pooler::LastTwo => {
                    let (name, output) = (self.pooler, &self.signature.output);
                    return Err(self
                        .unfit(format!("the pooler `{name}` needs more than its output `{output}`"))
                        .into());
                }
            }
        }
        Ok(vectors)
    }

    fn unfit(&self, problem: String) -> InferenceError {
        InferenceError::Signature { path: self.path.clone(), problem }
    }
}
