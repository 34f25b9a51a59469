//! Gathers and sums of table rows: convolutions and means.

use super::{
    layout::{LANES, Taps},
    simd::Simd,
    table::{At, Table, both, load, store},
};

/// How many positions are worked on at a time, so that a long text needs no more memory than a short one.
pub const CHUNK: usize = 128;

/// How many rows of the next sentence are fetched ahead, as many as caches take.
const PREFETCHED: usize = 32;

/// A sentence's tokens, one at least, and those of the sentence that comes next.
#[derive(Clone, Copy)]
pub struct Sentence<'a> {
    pub ids: &'a [u32],
    pub next: &'a [u32],
}

/// The small numbers of a convolution.
pub struct Filters {
    pub taps: Taps,
    pub bias: Vec<[f32; LANES]>,
    /// What a sum of 1 is worth, int8 only (else empty).
    pub unit: Vec<[f32; LANES]>,
}

/// Instructions and table, wanted everywhere together.
#[derive(Clone, Copy)]
pub struct Tools<S, T> {
    pub simd: S,
    pub table: T,
}

impl<S: Simd, T: Table> Tools<S, T> {
    /// Says that `count` rows of the next sentence, from place `from` in it on, are wanted soon: they are fetched while this one is worked
    /// on, a few at a time, since a core waits for only so many lines at once.
    #[inline(always)]
    pub fn prefetch(self, sentence: Sentence<'_>, from: usize, count: usize) {
        for &id in sentence.next.iter().take(PREFETCHED).skip(from).take(count) {
            self.table.prefetch(self.simd, id as usize * self.table.stride());
        }
    }

    /// 32 filters of a convolution at one position: the sum of the taps that lie inside the sentence.
    #[inline(always)]
    pub fn convolve(self, taps: &Taps, ids: &[u32], position: usize, group: usize) -> T::Sums<S> {
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

    /// The greatest feature of each filter over all positions.
    #[inline(always)]
    pub fn max_pool(self, filters: &Filters, ids: &[u32], features: &mut [f32]) {
        for (group, features) in features.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let mut greatest = self.convolve(&filters.taps, ids, 0, group);
            for position in 1..ids.len() {
                let sums = self.convolve(&filters.taps, ids, position, group);
                greatest = T::max(self.simd, greatest, sums);
            }
            let greatest = T::values(self.simd, greatest, filters.unit.get(group));
            activate(self.simd, greatest, &filters.bias[group], features);
        }
    }

    /// The mean of the skip rows.
    #[inline(always)]
    pub fn mean(self, place: usize, ids: &[u32], out: &mut [f32]) {
        let inverse = 1.0 / ids.len() as f32;
        let mut pairs = [[0; 2]; CHUNK / 2];
        for (index, chunk) in ids.chunks(CHUNK).enumerate() {
            let pairs = &mut pairs[..chunk.len().div_ceil(2)];
            let unit = self.table.skip_weights(chunk, pairs) * inverse;
            let mut group = 0;
            while group < out.len() / LANES {
                let to = &mut out[group * LANES..];
                let rows = (chunk, &*pairs, place / LANES + group);
                group += match to.len() / LANES {
                    4.. => self.put_rows::<4>(rows, unit, index > 0, to),
                    _ => self.put_rows::<1>(rows, unit, index > 0, to),
                };
            }
        }
    }

    /// Writes or adds `G` stretches of the skip rows, from `place` on, to the front of `to`.
    #[inline(always)]
    fn put_rows<const G: usize>(
        self,
        (chunk, pairs, place): (&[u32], &[[i16; 2]], usize),
        unit: f32,
        add: bool,
        to: &mut [f32],
    ) -> usize {
        let Self { simd, table } = self;
        let unit = simd.splat(unit);
        for (g, sums) in table.skips::<S, G>(simd, chunk, pairs, place).into_iter().enumerate() {
            put(simd, sums.map(|sum| simd.multiply(sum, unit)), add, &mut to[g * LANES..]);
        }
        G
    }
}

/// relu(values + bias)
#[inline(always)]
pub fn activate<S: Simd>(simd: S, values: [S::Floats; 2], bias: &[f32; LANES], to: &mut [f32; LANES]) {
    let values = both(values, load(simd, bias), |value, bias| simd.add(value, bias));
    let zero = simd.splat(0.0);
    store(simd, values.map(|value| simd.max(value, zero)), to);
}

/// Writes 32 numbers to the front of `to`, or adds them there.
#[inline(always)]
pub fn put<S: Simd>(simd: S, numbers: [S::Floats; 2], add: bool, to: &mut [f32]) {
    if add {
        add_to(simd, numbers, to);
    } else if let Some(to) = to.first_chunk_mut::<LANES>() {
        store(simd, numbers, to);
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
