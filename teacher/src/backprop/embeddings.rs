//! The sum of the embeddings of word, position and type, normalised and dropped from. All tokens are of type 0.

use limbeck_encoder::TokenBatch;
use rayon::prelude::*;

use super::dropout::{Dropout, Mask};
use super::norm::{Norm, Normalised};
use super::number::Real;
use super::parameters::{Gradients, Numbers};
use super::rows::Sums;
use crate::BertConfig;

/// The three tables and the norm.
pub struct Embeddings<'a, T> {
    words: &'a [T],
    positions: &'a [T],
    types: &'a [T],
    norm: Norm<'a, T>,
}

/// What the backward pass needs.
pub struct Tape<T> {
    norm: Normalised<T>,
    mask: Option<Mask>,
}

impl<'a, T: Real> Embeddings<'a, T> {
    pub fn new(config: &BertConfig, numbers: &'a Numbers) -> Self {
        Self {
            words: numbers.of("embeddings.word_embeddings.weight"),
            positions: numbers.of("embeddings.position_embeddings.weight"),
            types: numbers.of("embeddings.token_type_embeddings.weight"),
            norm: Norm {
                weight: numbers.of("embeddings.LayerNorm.weight"),
                bias: numbers.of("embeddings.LayerNorm.bias"),
                eps: config.layer_norm_eps,
            },
        }
    }

    fn width(&self) -> usize {
        self.norm.weight.len()
    }

    /// `[tokens, H]`
    pub fn forward(&self, batch: &TokenBatch, dropout: &mut Dropout) -> (Vec<T>, Tape<T>) {
        let width = self.width();
        let mut summed = Vec::with_capacity(batch.ids().len() * width);
        let row = |table: &'a [T], at: usize| &table[at * width..(at + 1) * width];
        for text in batch.iter() {
            for (position, &id) in text.iter().enumerate() {
                let parts = row(self.words, id as usize).iter().zip(row(self.positions, position)).zip(self.types);
                summed.extend(parts.map(|((&word, &position), &kind)| word + (position + kind)));
            }
        }
        let (mut output, norm) = self.norm.forward(summed, None, None);
        let mask = dropout.hidden();
        drop_rows(mask, &mut output, width);
        (output, Tape { norm, mask })
    }

    /// Adds the gradients of tables and norm to `gradients`.
    pub fn backward(&self, batch: &TokenBatch, tape: &Tape<T>, mut gradient: Vec<T>, gradients: &mut Gradients<T>) {
        let width = self.width();
        drop_rows(tape.mask, &mut gradient, width);
        let pair = gradients.of("embeddings.LayerNorm");
        let to_sum = self.norm.backward(&tape.norm, &gradient, &mut pair.weight, &mut pair.bias);
        let mut add = |table: &str, rows: &mut dyn Iterator<Item = usize>| {
            let Some(table) = gradients.table(table).map(|pair| &mut pair.weight) else { return };
            for (row, gradient) in rows.zip(to_sum.chunks_exact(width)) {
                table[row * width..(row + 1) * width].add(gradient);
            }
        };
        add("embeddings.word_embeddings", &mut batch.ids().iter().map(|&id| id as usize));
        add("embeddings.position_embeddings", &mut batch.iter().flat_map(|text| 0..text.len()));
        add("embeddings.token_type_embeddings", &mut std::iter::repeat(0));
    }
}

fn drop_rows<T: Real>(mask: Option<Mask>, rows: &mut [T], width: usize) {
    if let Some(mask) = mask {
        rows.par_chunks_mut(width).enumerate().for_each(|(row, numbers)| mask.apply(row, numbers));
    }
}
