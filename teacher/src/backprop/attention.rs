//! Self-attention over texts that lie side by side, without padding: softmax(Q·Kᵀ/√d)·V for each text and head.
//!
//! `qkv` holds a row a token: the queries of all heads, then their keys, then their values, `[tokens, 3·H]`. The
//! attention weights are not kept: the backward pass computes them again, which costs less than storing them.

use std::ops::Range;

use rayon::prelude::*;

use super::dropout::Mask;
use super::matrix::{Matrix, MatrixMut};
use super::number::{Real, dot, sum, vectorised};

/// The shape of an attention block.
#[derive(Clone, Copy)]
pub(super) struct Heads<'a> {
    pub heads: usize,
    /// The model's width H.
    pub width: usize,
    /// The start of each text, and the end of the last.
    pub offsets: &'a [usize],
}

impl Heads<'_> {
    fn size(&self) -> usize {
        self.width / self.heads
    }

    fn scale<T: Real>(&self) -> T {
        T::from_f64(1.0 / (self.size() as f64).sqrt())
    }

    /// Calls `work` for each text that has tokens, with its place, its part of `output` (`width` values a token), its
    /// span, and two buffers.
    fn each_text<T: Real>(
        &self,
        mut output: &mut [T],
        width: usize,
        work: impl Fn(usize, &mut [T], Range<usize>, &mut [Vec<T>; 2]) + Sync,
    ) {
        let cut = |ends: &[usize]| {
            let span = ends[0]..ends[1];
            let (here, rest) = std::mem::take(&mut output).split_at_mut(span.len() * width);
            output = rest;
            (here, span)
        };
        let texts: Vec<_> = self.offsets.windows(2).map(cut).collect();
        texts.into_par_iter().enumerate().filter(|(_, (_, span))| !span.is_empty()).for_each_init(
            || [Vec::new(), Vec::new()],
            |buffers, (text, (output, span))| work(text, output, span, buffers),
        );
    }

    /// The attention weights (`shares`), `[length, length]`, before dropout.
    fn shares<T: Real>(&self, shares: &mut [T], qkv: &[T], head: usize, length: usize) {
        let (size, stride) = (self.size(), 3 * self.width);
        let query = Matrix::new(&qkv[head * size..], [length, size], stride);
        let key = Matrix::new(&qkv[self.width + head * size..], [length, size], stride);
        MatrixMut::dense(shares, length).set_product(self.scale(), query, key.transposed());
        vectorised(|| {
            for row in shares.chunks_exact_mut(length) {
                let largest = row.iter().fold(T::neg_infinity(), |a, &b| if b > a { b } else { a });
                row.iter_mut().for_each(|x| *x = (*x - largest).exponential());
                let share = T::one() / sum(row);
                row.iter_mut().for_each(|x| *x *= share);
            }
        });
    }
}

/// `[tokens, 3·H]` → `[tokens, H]`.
pub(super) fn forward<T: Real>(heads: &Heads, qkv: &[T], mask: Option<Mask>) -> Vec<T> {
    let (width, size) = (heads.width, heads.size());
    let mut context = vec![T::zero(); qkv.len() / 3];
    heads.each_text(&mut context, width, |text, context, span, [buffer, _]| {
        let (length, qkv) = (span.len(), &qkv[span.start * 3 * width..span.end * 3 * width]);
        buffer.resize(length * length, T::zero());
        for head in 0..heads.heads {
            heads.shares(buffer, qkv, head, length);
            if let Some(mask) = mask {
                mask.apply(text * heads.heads + head, buffer);
            }
            let value = Matrix::new(&qkv[2 * width + head * size..], [length, size], 3 * width);
            let out = MatrixMut::new(&mut context[head * size..], [length, size], width);
            out.set_product(T::one(), Matrix::dense(buffer, length), value);
        }
    });
    context
}

/// The gradient of `qkv` from that of the context (`[tokens, H]`).
pub(super) fn backward<T: Real>(heads: &Heads, qkv: &[T], gradient: &[T], mask: Option<Mask>) -> Vec<T> {
    let (width, size) = (heads.width, heads.size());
    let stride = 3 * width;
    let mut output = vec![T::zero(); qkv.len()];
    heads.each_text(&mut output, stride, |text, output, span, [shares, scores]| {
        let length = span.len();
        let qkv = &qkv[span.start * stride..span.end * stride];
        let gradient = &gradient[span.start * width..span.end * width];
        shares.resize(length * length, T::zero());
        scores.resize(length * length, T::zero());
        for head in 0..heads.heads {
            let part = |at: usize| Matrix::new(&qkv[at * width + head * size..], [length, size], stride);
            let gradient = Matrix::new(&gradient[head * size..], [length, size], width);
            let drop = |values: &mut [T]| {
                if let Some(mask) = mask {
                    mask.apply(text * heads.heads + head, values);
                }
            };
            let mut to = |at: usize, left: Matrix<T>, right: Matrix<T>, scale: T| {
                let out = MatrixMut::new(&mut output[at * width + head * size..], [length, size], stride);
                out.set_product(scale, left, right);
            };
            heads.shares(shares, qkv, head, length);
            // dV = dropped sharesᵀ · dO
            scores.copy_from_slice(shares);
            drop(scores);
            to(2, Matrix::dense(scores, length).transposed(), gradient, T::one());
            // d shares = dropped (dO · Vᵀ); d scores = shares ∘ (d shares − ⟨d shares, shares⟩), a row at a time
            MatrixMut::dense(scores, length).set_product(T::one(), gradient, part(2).transposed());
            drop(scores);
            vectorised(|| {
                for (scores, shares) in scores.chunks_exact_mut(length).zip(shares.chunks_exact(length)) {
                    let mean = dot(scores, shares);
                    scores.iter_mut().zip(shares).for_each(|(score, &share)| *score = share * (*score - mean));
                }
            });
            let scores = Matrix::dense(scores, length);
            to(0, scores, part(1), heads.scale());
            to(1, scores.transposed(), part(0), heads.scale());
        }
    });
    output
}
