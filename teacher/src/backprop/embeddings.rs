//! The sum of the embeddings of word, position and type, normalised and dropped from. All tokens are of type 0, where
//! there are types.

use limbeck_encoder::TokenBatch;

use super::dropout::{Dropout, Mask};
use super::norm::{Norm, Normalised};
use super::number::Real;
use super::parameters::{Gradients, LockedParameters};
use super::rows::{add, drop_rows};
use crate::BertConfig;

/// The tables and the norm.
pub(super) struct EmbeddingPass<'a, T> {
    config: &'a BertConfig,
    words: &'a [T],
    positions: &'a [T],
    /// None where the model has no types.
    types: Option<&'a [T]>,
    norm: Norm<'a, T>,
}

/// The values of a forward pass that the backward pass needs.
pub(super) struct EmbeddingTape<T> {
    norm: Normalised<T>,
    mask: Option<Mask>,
}

impl<'a, T: Real> EmbeddingPass<'a, T> {
    pub(super) fn new(config: &'a BertConfig, parameters: &'a LockedParameters) -> Self {
        Self {
            config,
            words: parameters.values("embeddings.word_embeddings.weight"),
            positions: parameters.values("embeddings.position_embeddings.weight"),
            types: (config.type_vocab_size > 0).then(|| parameters.values("embeddings.token_type_embeddings.weight")),
            norm: Norm::named(parameters, "embeddings.LayerNorm", config),
        }
    }

    /// `[tokens, H]`
    pub(super) fn forward(&self, batch: &TokenBatch, dropout: &mut Dropout) -> (Vec<T>, EmbeddingTape<T>) {
        let width = self.norm.width();
        let mut summed = Vec::with_capacity(batch.ids().len() * width);
        let row = |table: &'a [T], at: usize| &table[at * width..(at + 1) * width];
        for text in batch.iter() {
            for (position, &id) in self.config.position_ids(text).zip(text) {
                let parts = row(self.words, id as usize).iter().zip(row(self.positions, position as usize));
                match self.types {
                    Some(types) => {
                        summed.extend(parts.zip(types).map(|((&word, &position), &kind)| word + (position + kind)));
                    }
                    None => summed.extend(parts.map(|(&word, &position)| word + position)),
                }
            }
        }
        let (mut output, norm) = self.norm.forward(summed, None, None);
        let mask = dropout.hidden();
        drop_rows(mask, &mut output, width);
        (output, EmbeddingTape { norm, mask })
    }

    /// Adds the gradients of tables and norm to `gradients`.
    pub(super) fn backward(
        &self,
        batch: &TokenBatch,
        tape: &EmbeddingTape<T>,
        mut gradient: Vec<T>,
        gradients: &mut Gradients<T>,
    ) {
        let width = self.norm.width();
        drop_rows(tape.mask, &mut gradient, width);
        let to_sum = self.norm.backward(&tape.norm, &gradient, gradients.module("embeddings.LayerNorm"));
        let mut add_to_table = |table: &str, rows: &mut dyn Iterator<Item = usize>| {
            let Some(table) = gradients.modules.get_mut(table) else { return };
            for (row, gradient) in rows.zip(to_sum.chunks_exact(width)) {
                add(&mut table.weight[row * width..(row + 1) * width], gradient);
            }
        };
        add_to_table("embeddings.word_embeddings", &mut batch.ids().iter().map(|&id| id as usize));
        let positions = batch.iter().flat_map(|text| self.config.position_ids(text));
        add_to_table("embeddings.position_embeddings", &mut positions.map(|position| position as usize));
        add_to_table("embeddings.token_type_embeddings", &mut std::iter::repeat(0));
    }
}
