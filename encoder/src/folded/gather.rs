//! From a sentence's token ids to its features: gathers and sums of table rows.
//!
//! Long sentences are attended to in chunks of [`CHUNK`] positions, so the memory needed does not grow with them: a first pass finds
//! each head's greatest score, a second weighs the embeddings (and computes the scores again, unless there is just one chunk).

use super::{
    layout::{Embedding, HEAD_LANES, LANES, Layout, Taps},
    math,
    simd::Simd,
    table::{At, Table, both, load, store},
};

/// How many positions are attended to at a time.
const CHUNK: usize = 128;

/// How many rows of the next sentence are fetched ahead.
const PREFETCHED: usize = 32;

/// The small numbers of a convolution.
pub struct Filters {
    pub taps: Taps,
    pub bias: Vec<[f32; LANES]>,
    /// What a sum of 1 is worth, int8 only (else empty).
    pub unit: Vec<[f32; LANES]>,
}

/// The small numbers of all gathers.
pub struct Gathers {
    pub max_pooled: Vec<Filters>,
    pub attention: Option<Scores>,
}

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

/// Instructions and table, wanted everywhere together.
#[derive(Clone, Copy)]
pub struct Tools<S, T> {
    pub simd: S,
    pub table: T,
}

impl<S: Simd, T: Table> Tools<S, T> {
    /// Writes one sentence's features, and the mean of its skip rows (zeros where there are none) to `out`. `ids` has one token at
    /// least, and none outside the vocabulary.
    #[inline(always)]
    pub fn sentence(
        self,
        (layout, gathers): (&Layout, &Gathers),
        ids: &[u32],
        scratch: &mut Scratch,
        features: &mut [f32],
        out: &mut [f32],
    ) {
        for (filters, block) in gathers.max_pooled.iter().zip(&layout.blocks) {
            self.max_pool(filters, ids, &mut features[block.at..block.at + block.width]);
        }
        if let (Some(scores), Some(embedding)) = (&gathers.attention, layout.embedding) {
            let attended = &mut features[layout.features - layout.attended * embedding.width..];
            self.attend(scores, embedding, ids, scratch, attended);
        }
        match layout.skip {
            Some(place) => self.mean(place, ids, out),
            None => out.fill(0.0),
        }
    }

    /// Says that a sentence comes next: its rows are fetched while another is worked on, as many as caches take.
    #[inline(always)]
    pub fn prefetch(self, ids: &[u32]) {
        for &id in ids.iter().take(PREFETCHED) {
            self.table.prefetch(self.simd, id as usize * self.table.stride());
        }
    }

    /// 32 filters of a convolution at one position: the sum of the taps that lie inside the sentence.
    #[inline(always)]
    fn convolve(self, taps: &Taps, ids: &[u32], position: usize, group: usize) -> T::Sums<S> {
        let half = taps.width / 2;
        let first = half.saturating_sub(position);
        let end = taps.width.min(ids.len() + half - position);
        let mut place = (taps.at + first * taps.filters) / LANES + group;
        let tokens = &ids[position + first - half..position + end - half];
        let mut sums = self.tap(taps, tokens[0], place);
        for &token in &tokens[1..] {
            place += taps.filters / LANES;
            sums = T::add(self.simd, sums, self.tap(taps, token, place));
        }
        sums
    }

    #[inline(always)]
    fn tap(self, taps: &Taps, token: u32, place: usize) -> T::Sums<S> {
        self.table.tap(self.simd, taps, At { row: token as usize * self.table.stride(), place })
    }

    /// relu(sums + bias)
    #[inline(always)]
    fn activate(self, filters: &Filters, group: usize, sums: T::Sums<S>, to: &mut [f32; LANES]) {
        let Self { simd, .. } = self;
        let values = T::values(simd, sums, filters.unit.get(group));
        let values = both(values, load(simd, &filters.bias[group]), |value, bias| simd.add(value, bias));
        let zero = simd.splat(0.0);
        store(simd, values.map(|value| simd.max(value, zero)), to);
    }

    #[inline(always)]
    fn max_pool(self, filters: &Filters, ids: &[u32], features: &mut [f32]) {
        for (group, features) in features.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let mut greatest = self.convolve(&filters.taps, ids, 0, group);
            for position in 1..ids.len() {
                let sums = self.convolve(&filters.taps, ids, position, group);
                greatest = T::max(self.simd, greatest, sums);
            }
            self.activate(filters, group, greatest, features);
        }
    }

    /// Writes what each head attends to, head after head.
    #[inline(always)]
    fn attend(self, scores: &Scores, embedding: Embedding, ids: &[u32], scratch: &mut Scratch, attended: &mut [f32]) {
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

    /// The mean of the skip rows.
    #[inline(always)]
    fn mean(self, place: usize, ids: &[u32], out: &mut [f32]) {
        out.fill(0.0);
        for chunk in ids.chunks(CHUNK) {
            let mut group = 0;
            while group < out.len() / LANES {
                group += match out.len() / LANES - group {
                    4.. => self.add_rows::<4>(place, group, chunk, out),
                    _ => self.add_rows::<1>(place, group, chunk, out),
                };
            }
        }
        let inverse = 1.0 / ids.len() as f32;
        out.iter_mut().for_each(|out| *out *= inverse);
    }

    /// Adds `G` groups of the skip rows of `chunk`, from group `first` on.
    #[inline(always)]
    fn add_rows<const G: usize>(self, place: usize, first: usize, chunk: &[u32], out: &mut [f32]) -> usize {
        let Self { simd, table } = self;
        let mut sums = [[simd.splat(0.0); 2]; G];
        for &id in chunk {
            let row = id as usize * table.stride();
            let scale = simd.splat(table.skip_scale(row));
            for (g, sums) in sums.iter_mut().enumerate() {
                let numbers = table.numbers(simd, At { row, place: place / LANES + first + g });
                *sums = both(*sums, numbers, |sum, number| simd.add(sum, simd.multiply(number, scale)));
            }
        }
        for (g, sums) in sums.into_iter().enumerate() {
            add_to(simd, sums, &mut out[(first + g) * LANES..]);
        }
        G
    }
}

/// Adds to the first 32 numbers of `to`.
#[inline(always)]
pub fn add_to<S: Simd>(simd: S, numbers: [S::Floats; 2], to: &mut [f32]) {
    if let Some(to) = to.first_chunk_mut::<LANES>() {
        let sums = both(load(simd, to), numbers, |a, b| simd.add(a, b));
        store(simd, sums, to);
    }
}
