//! Attention: every head weighs a sentence's embeddings by the softmax of its scores.
//!
//! Long sentences are attended to in chunks of [`CHUNK`] positions, so the memory needed does not grow with them: a first pass finds
//! each head's greatest score, a second weighs the embeddings (and computes the scores again, unless there is just one chunk).

use super::{
    gather::{CHUNK, Filters, Tools, add_to},
    layout::{Embedding, HEAD_LANES, LANES},
    math,
    simd::Simd,
    table::{At, Table, both},
};

/// The attention's scores.
pub struct Scores {
    pub filters: Filters,
    /// `[lane groups][filters][16]`: a column a head, and a column of zeros for the plain mean (all its scores being 0, its softmax is
    /// uniform).
    pub weight: Vec<[f32; HEAD_LANES]>,
    pub bias: Vec<[f32; HEAD_LANES]>,
}

/// Memory for one sentence, used again for the next.
#[derive(Default)]
pub struct Scratch {
    /// `[4][filters]`.
    features: Vec<[f32; LANES]>,
    /// `[lane groups][CHUNK]`: scores, then weights.
    scores: Vec<[f32; HEAD_LANES]>,
    greatest: Vec<[f32; HEAD_LANES]>,
    sums: Vec<[f32; HEAD_LANES]>,
}

impl<S: Simd, T: Table> Tools<S, T> {
    /// Writes what each head attends to, head after head.
    #[inline(always)]
    pub fn attend(
        self,
        scores: &Scores,
        embedding: Embedding,
        ids: &[u32],
        scratch: &mut Scratch,
        attended: &mut [f32],
    ) {
        let groups = scores.bias.len();
        scratch.features.resize(4 * scores.filters.bias.len(), [0.0; LANES]);
        scratch.scores.resize(groups * CHUNK, [0.0; HEAD_LANES]);
        scratch.greatest.clear();
        scratch.greatest.resize(groups, [f32::NEG_INFINITY; HEAD_LANES]);
        scratch.sums.clear();
        scratch.sums.resize(groups, [0.0; HEAD_LANES]);
        attended.fill(0.0);

        for start in (0..ids.len()).step_by(CHUNK) {
            let end = ids.len().min(start + CHUNK);
            self.score(scores, ids, (start, end), scratch);
            self.find_greatest(end - start, scratch);
        }
        for start in (0..ids.len()).step_by(CHUNK) {
            let chunk = &ids[start..ids.len().min(start + CHUNK)];
            if ids.len() > CHUNK {
                self.score(scores, ids, (start, start + chunk.len()), scratch);
            }
            self.exponentiate(chunk, scratch);
            self.weigh_all(embedding, chunk, &scratch.scores, attended);
        }
        for (head, attended) in attended.chunks_exact_mut(embedding.width).enumerate() {
            let inverse = 1.0 / scratch.sums[head / HEAD_LANES][head % HEAD_LANES];
            attended.iter_mut().for_each(|value| *value *= inverse);
        }
    }

    /// The scores of positions `start..end`, to the front of each lane group.
    #[inline(always)]
    fn score(self, scores: &Scores, ids: &[u32], (start, end): (usize, usize), scratch: &mut Scratch) {
        let mut position = start;
        while position < end {
            let at = position - start;
            position += match end - position {
                4.. => self.score_some::<4>(scores, ids, (position, at), scratch),
                2.. => self.score_some::<2>(scores, ids, (position, at), scratch),
                _ => self.score_some::<1>(scores, ids, (position, at), scratch),
            };
        }
    }

    #[inline(always)]
    fn score_some<const P: usize>(
        self,
        scores: &Scores,
        ids: &[u32],
        (position, at): (usize, usize),
        scratch: &mut Scratch,
    ) -> usize {
        let Self { simd, .. } = self;
        let width = scores.filters.bias.len();
        for p in 0..P {
            for group in 0..width {
                let sums = self.convolve(&scores.filters.taps, ids, position + p, group);
                self.activate(&scores.filters, group, sums, &mut scratch.features[p * width + group]);
            }
        }
        let features: [&[f32]; P] =
            std::array::from_fn(|p| scratch.features[p * width..(p + 1) * width].as_flattened());
        let weights = scores.weight.chunks_exact(width * LANES);
        for ((weights, bias), to) in weights.zip(&scores.bias).zip(scratch.scores.chunks_exact_mut(CHUNK)) {
            let mut sums = [simd.load(bias); P];
            for (filter, weights) in weights.iter().enumerate() {
                let weights = simd.load(weights);
                for p in 0..P {
                    sums[p] = simd.add(sums[p], simd.multiply(simd.splat(features[p][filter]), weights));
                }
            }
            for p in 0..P {
                simd.store(sums[p], &mut to[at + p]);
            }
        }
        P
    }

    /// Takes the first `count` scores into account.
    #[inline(always)]
    fn find_greatest(self, count: usize, scratch: &mut Scratch) {
        for (greatest, scores) in scratch.greatest.iter_mut().zip(scratch.scores.chunks_exact(CHUNK)) {
            let mut most = self.simd.load(greatest);
            for scores in &scores[..count] {
                most = self.simd.max(most, self.simd.load(scores));
            }
            self.simd.store(most, greatest);
        }
    }

    /// Turns the scores of `chunk` into e to the power of their distance from the greatest, times their rows' scale, and sums
    /// the powers.
    #[inline(always)]
    fn exponentiate(self, chunk: &[u32], scratch: &mut Scratch) {
        let Self { simd, table } = self;
        let groups = scratch.scores.chunks_exact_mut(CHUNK).zip(&scratch.greatest).zip(&mut scratch.sums);
        for ((scores, greatest), sums) in groups {
            let scores = &mut scores[..chunk.len()];
            let greatest = simd.load(greatest);
            for scores in scores.iter_mut() {
                simd.store(simd.subtract(simd.load(scores), greatest), scores);
            }
            scores.as_flattened_mut().iter_mut().for_each(|score| *score = math::exp(*score));
            let mut total = simd.load(sums);
            for (scores, &id) in scores.iter_mut().zip(chunk) {
                let scale = table.embedding_scale(id as usize * table.stride());
                let powers = simd.load(scores);
                total = simd.add(total, powers);
                simd.store(simd.multiply(powers, simd.splat(scale)), scores);
            }
            simd.store(total, sums);
        }
    }

    /// Adds the weighted embeddings of `chunk` to what all heads attend to.
    #[inline(always)]
    fn weigh_all(self, embedding: Embedding, chunk: &[u32], scores: &[[f32; HEAD_LANES]], attended: &mut [f32]) {
        let Embedding { width, step, .. } = embedding;
        let heads = attended.len() / width;
        let mut head = 0;
        while head < heads {
            let (weights, lane) = (&scores[head / HEAD_LANES * CHUNK..], head % HEAD_LANES);
            let to = &mut attended[head * width..];
            let embedding = Embedding { at: embedding.at + head * step, ..embedding };
            head += match (heads - head).min(HEAD_LANES - lane) {
                8.. => self.weigh::<8>(embedding, chunk, (weights, lane), to),
                4.. => self.weigh::<4>(embedding, chunk, (weights, lane), to),
                2.. => self.weigh::<2>(embedding, chunk, (weights, lane), to),
                _ => self.weigh::<1>(embedding, chunk, (weights, lane), to),
            };
        }
    }

    /// Adds the embeddings of `chunk`, weighted by `G` neighbouring heads, to those heads' places in `to`.
    #[inline(always)]
    fn weigh<const G: usize>(
        self,
        embedding: Embedding,
        chunk: &[u32],
        (weights, lane): (&[[f32; HEAD_LANES]], usize),
        to: &mut [f32],
    ) -> usize {
        let Self { simd, table } = self;
        let Embedding { at, width, step } = embedding;
        for group in 0..width / LANES {
            let mut sums = [[simd.splat(0.0); 2]; G];
            for (&id, weights) in chunk.iter().zip(weights) {
                let row = id as usize * table.stride();
                let place = at / LANES + group;
                let mut numbers = table.numbers(simd, At { row, place });
                let weights = &weights[lane..lane + G];
                for g in 0..G {
                    if step > 0 && g > 0 {
                        numbers = table.numbers(simd, At { row, place: place + g * step / LANES });
                    }
                    let weight = simd.splat(weights[g]);
                    sums[g] = both(sums[g], numbers, |sum, number| simd.add(sum, simd.multiply(number, weight)));
                }
            }
            for g in 0..G {
                add_to(simd, sums[g], &mut to[g * width + group * LANES..]);
            }
        }
        G
    }
}
