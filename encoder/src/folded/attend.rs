//! Attention: every head weighs a sentence's embeddings by the softmax of its scores.
//!
//! A long sentence goes through in chunks of [`CHUNK`] positions, so memory does not grow with the sentence. A first
//! pass finds each head's greatest score. A second pass weighs the embeddings; with more than one chunk, that pass
//! computes the scores again.

use std::ops::Range;

use super::{
    gather::{CHUNK, Sentence, put},
    layout::{HEAD_LANES, LANES, Values},
    math,
    score::{ScoreStretch, Scores},
    simd::Simd,
    table::{AttentionRows, Kernel},
};

/// Memory for one sentence, reused for the next.
#[derive(Default)]
pub(super) struct AttendScratch {
    /// `[4][filters]`, of the table's own feature type.
    features: Vec<[f32; LANES]>,
    /// `[lane groups][CHUNK]`: scores, then their exponentials, then weights.
    scores: Vec<[f32; HEAD_LANES]>,
    /// `[lane groups][CHUNK / 2]`: weights as integers, two positions side by side.
    pairs: Vec<[[i16; 2]; HEAD_LANES]>,
    /// `[CHUNK]` scores of a few heads, packed.
    packed: Vec<f32>,
    /// `[lane groups]`: the value of a weight of 1.
    units: Vec<[f32; HEAD_LANES]>,
    greatest: Vec<[f32; HEAD_LANES]>,
    sums: Vec<[f32; HEAD_LANES]>,
}

impl<S: Simd, N: ScoreStretch> Kernel<'_, S, N> {
    /// Writes each head's weighted mean, head after head.
    #[inline(always)]
    pub(super) fn attend(
        self,
        scores: &Scores,
        embedding: Values,
        sentence: Sentence<'_>,
        scratch: &mut AttendScratch,
        attended: &mut [f32],
    ) {
        let ids = sentence.ids;
        let groups = scores.bias.len();
        scratch.features.resize(4 * scores.filters.bias.len(), [0.0; LANES]);
        scratch.scores.resize(groups * CHUNK, [0.0; HEAD_LANES]);
        scratch.pairs.resize(groups * CHUNK / 2, [[0; 2]; HEAD_LANES]);
        scratch.units.resize(groups, [0.0; HEAD_LANES]);
        scratch.greatest.clear();
        scratch.greatest.resize(groups, [f32::NEG_INFINITY; HEAD_LANES]);
        scratch.sums.clear();
        scratch.sums.resize(groups, [0.0; HEAD_LANES]);

        for start in (0..ids.len()).step_by(CHUNK) {
            let end = ids.len().min(start + CHUNK);
            self.score(scores, sentence, start..end, scratch);
            self.find_greatest(end - start, scratch);
        }
        for start in (0..ids.len()).step_by(CHUNK) {
            let chunk = &ids[start..ids.len().min(start + CHUNK)];
            if ids.len() > CHUNK {
                self.score(scores, sentence, start..start + chunk.len(), scratch);
            }
            self.exponentiate(chunk, attended.len() / embedding.width, scratch);
            if ids.len() <= CHUNK {
                // The sums are complete, so the weights need no division afterwards.
                for (units, sums) in scratch.units.iter_mut().zip(&scratch.sums) {
                    units.iter_mut().zip(sums).for_each(|(unit, sum)| *unit /= sum);
                }
            }
            self.weigh_all(embedding, chunk, scratch, start > 0, attended);
        }
        if ids.len() > CHUNK {
            for (head, attended) in attended.chunks_exact_mut(embedding.width).enumerate() {
                let inverse = 1.0 / scratch.sums[head / HEAD_LANES][head % HEAD_LANES];
                attended.iter_mut().for_each(|value| *value *= inverse);
            }
        }
    }

    /// Writes the scores of a chunk's `positions` to the front of each lane group.
    #[inline(always)]
    fn score(self, scores: &Scores, sentence: Sentence<'_>, positions: Range<usize>, scratch: &mut AttendScratch) {
        let mut position = positions.start;
        while position < positions.end {
            position += match positions.end - position {
                4.. => self.score_some::<4>(scores, sentence, position, scratch),
                2.. => self.score_some::<2>(scores, sentence, position, scratch),
                _ => self.score_some::<1>(scores, sentence, position, scratch),
            };
        }
    }

    #[inline(always)]
    fn score_some<const P: usize>(
        self,
        scores: &Scores,
        sentence: Sentence<'_>,
        position: usize,
        scratch: &mut AttendScratch,
    ) -> usize {
        let simd = self.simd;
        self.prefetch(sentence, position, P);
        let width = scores.filters.bias.len();
        let features: &mut [[N::Feature; LANES]] = bytemuck::cast_slice_mut(&mut scratch.features);
        for p in 0..P {
            for group in 0..width {
                let sums = self.convolve(&scores.filters.taps, sentence.ids, position + p, group);
                N::features(simd, scores, group, sums, &mut features[p * width + group]);
            }
        }
        let mut positions: [&[N::Feature]; P] = [&[]; P];
        for p in 0..P {
            positions[p] = features[p * width..(p + 1) * width].as_flattened();
        }
        for (group, to) in scratch.scores.chunks_exact_mut(CHUNK).enumerate() {
            let scores = N::scores(simd, scores, group, positions);
            for p in 0..P {
                to[position % CHUNK + p] = bytemuck::cast(scores[p]);
            }
        }
        P
    }

    /// Updates each head's greatest score by the first `count` scores.
    #[inline(always)]
    fn find_greatest(self, count: usize, scratch: &mut AttendScratch) {
        for (greatest, scores) in scratch.greatest.iter_mut().zip(scratch.scores.chunks_exact(CHUNK)) {
            let mut most = self.simd.load(greatest);
            for scores in &scores[..count] {
                most = self.simd.max(most, self.simd.load(scores));
            }
            *greatest = bytemuck::cast(most);
        }
    }

    /// Turns the scores of `chunk` into exponentials of their distances from the greatest score, sums them, and turns
    /// them into the rows' weights.
    #[inline(always)]
    fn exponentiate(self, chunk: &[u32], heads: usize, scratch: &mut AttendScratch) {
        let simd = self.simd;
        for (group, scores) in scratch.scores.chunks_exact_mut(CHUNK).enumerate() {
            let scores = &mut scores[..chunk.len()];
            let negated = simd.multiply(simd.load(&scratch.greatest[group]), simd.splat(-1.0));
            for scores in scores.iter_mut() {
                *scores = bytemuck::cast(simd.add(simd.load(scores), negated));
            }
            match heads - group * HEAD_LANES {
                ..=4 => exponentiate_some::<4>(scores, &mut scratch.packed),
                5..=8 => exponentiate_some::<8>(scores, &mut scratch.packed),
                _ => exponentiate_all(scores.as_flattened_mut()),
            }
            let mut total = simd.load(&scratch.sums[group]);
            for powers in scores.iter() {
                total = simd.add(total, simd.load(powers));
            }
            scratch.sums[group] = bytemuck::cast(total);
            let pairs = &mut scratch.pairs[group * CHUNK / 2..(group + 1) * CHUNK / 2];
            scratch.units[group] = N::head_weights(self, chunk, scores, pairs);
        }
    }

    /// Writes the weighted embeddings of `chunk`, head after head, or adds them to `attended`.
    #[inline(always)]
    fn weigh_all(self, embedding: Values, chunk: &[u32], scratch: &AttendScratch, add: bool, attended: &mut [f32]) {
        // The two usual steps are constants here, so that a loop is compiled for each.
        match embedding.step {
            0 => self.weigh_heads(Values { step: 0, ..embedding }, chunk, scratch, add, attended),
            LANES => self.weigh_heads(Values { step: LANES, ..embedding }, chunk, scratch, add, attended),
            _ => self.weigh_heads(embedding, chunk, scratch, add, attended),
        }
    }

    #[inline(always)]
    fn weigh_heads(self, embedding: Values, chunk: &[u32], scratch: &AttendScratch, add: bool, attended: &mut [f32]) {
        let Values { width, step, .. } = embedding;
        let heads = attended.len() / width;
        let mut head = 0;
        while head < heads {
            let (group, lane) = (head / HEAD_LANES, head % HEAD_LANES);
            let (powers, pairs) = (&scratch.scores[group * CHUNK..], &scratch.pairs[group * CHUNK / 2..]);
            let rows = AttentionRows { ids: chunk, powers, pairs, lane };
            let units = &scratch.units[group][lane..];
            let to = &mut attended[head * width..];
            let embedding = Values { at: embedding.at + head * step, ..embedding };
            head += match (heads - head).min(HEAD_LANES - lane) {
                8.. => self.weigh::<8>(embedding, rows, units, add, to),
                4.. => self.weigh::<4>(embedding, rows, units, add, to),
                2.. => self.weigh::<2>(embedding, rows, units, add, to),
                _ => self.weigh::<1>(embedding, rows, units, add, to),
            };
        }
    }

    /// Writes or adds the weighted embeddings of `G` neighbouring heads to the front of `to`. Returns `G`.
    #[inline(always)]
    fn weigh<const G: usize>(
        self,
        Values { at, width, step }: Values,
        rows: AttentionRows<'_>,
        units: &[f32],
        add: bool,
        to: &mut [f32],
    ) -> usize {
        let simd = self.simd;
        for group in 0..width / LANES {
            let sums = N::attended::<S, G>(self, rows, at / LANES + group, step / LANES);
            for g in 0..G {
                let unit = simd.splat(units[g]);
                let sums = [simd.multiply(sums[g][0], unit), simd.multiply(sums[g][1], unit)];
                put(simd, sums, add, &mut to[g * width + group * LANES..]);
            }
        }
        G
    }
}

/// Turns each score into its exponential.
#[inline(always)]
fn exponentiate_all(scores: &mut [f32]) {
    for score in scores {
        *score = math::exp(*score);
    }
}

/// [`exponentiate_all`] for the first `N` scores of each position; the others become zeros. The scores of a few heads
/// are packed, because they would leave most lanes of a vector unused.
#[inline(always)]
fn exponentiate_some<const N: usize>(scores: &mut [[f32; HEAD_LANES]], packed: &mut Vec<f32>) {
    packed.resize(CHUNK * N, 0.0);
    let packed = &mut packed.as_chunks_mut::<N>().0[..scores.len()];
    for (packed, scores) in packed.iter_mut().zip(&*scores) {
        packed.copy_from_slice(&scores[..N]);
    }
    exponentiate_all(packed.as_flattened_mut());
    for (packed, scores) in packed.iter().zip(scores) {
        *scores = [0.0; HEAD_LANES];
        scores[..N].copy_from_slice(packed);
    }
}
