//! Convolutions and means: gathers and sums of table rows.

use super::{
    layout::{LANES, Taps},
    simd::{Simd, both},
    table::{FoldedTable, SkipRows, StretchPlace, load, store},
};

/// How many positions are worked on at a time: a long text then needs no more memory than a short one.
pub(super) const CHUNK: usize = 128;

/// How many rows of the next sentence are prefetched; the caches hold no more.
const PREFETCHED: usize = 32;

/// A sentence's tokens, at least one, and the tokens of the next sentence.
#[derive(Clone, Copy)]
pub(super) struct Sentence<'a> {
    pub(super) ids: &'a [u32],
    pub(super) next: &'a [u32],
}

/// A convolution's numbers outside the table.
pub(super) struct Filters {
    pub(super) taps: Taps,
    pub(super) bias: Vec<[f32; LANES]>,
    /// The value of a sum of 1, filter by filter (int8 only, else empty).
    pub(super) unit: Vec<[f32; LANES]>,
}

/// The instructions and the table of every computation on a sentence.
#[derive(Clone, Copy)]
pub(super) struct Kernel<S, T> {
    pub(super) simd: S,
    pub(super) table: T,
}

impl<S: Simd, T: FoldedTable> Kernel<S, T> {
    /// Prefetches `count` rows of the next sentence, from its token `from` on. A few rows at a time, spread over the
    /// work on this sentence, because a core waits for a limited number of cache lines at once.
    #[inline(always)]
    pub(super) fn prefetch(self, sentence: Sentence<'_>, from: usize, count: usize) {
        for &id in sentence.next.iter().take(PREFETCHED).skip(from).take(count) {
            self.table.prefetch(self.simd, id as usize * self.table.stride());
        }
    }

    /// 32 filters of a convolution at one position: the sums of the taps that lie inside the sentence.
    #[inline(always)]
    pub(super) fn convolve(self, taps: &Taps, ids: &[u32], position: usize, group: usize) -> T::Sums<S> {
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
        self.table.tap(self.simd, taps, StretchPlace { row: token as usize * self.table.stride(), place })
    }

    /// Writes the greatest feature of each filter over all positions.
    #[inline(always)]
    pub(super) fn max_pool(self, filters: &Filters, ids: &[u32], features: &mut [f32]) {
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

    /// Writes the mean of the skip rows.
    #[inline(always)]
    pub(super) fn mean(self, place: usize, ids: &[u32], out: &mut [f32]) {
        let inverse = 1.0 / ids.len() as f32;
        let mut pairs = [[0; 2]; CHUNK / 2];
        for (index, chunk) in ids.chunks(CHUNK).enumerate() {
            let pairs = &mut pairs[..chunk.len().div_ceil(2)];
            let unit = self.table.skip_weights(chunk, pairs) * inverse;
            let mut group = 0;
            while group < out.len() / LANES {
                let to = &mut out[group * LANES..];
                let (rows, place) = (SkipRows { ids: chunk, pairs }, place / LANES + group);
                group += match to.len() / LANES {
                    4.. => self.put_rows::<4>(rows, place, unit, index > 0, to),
                    _ => self.put_rows::<1>(rows, place, unit, index > 0, to),
                };
            }
        }
    }

    /// Writes `G` stretches of the skip rows, from `place` on, to the front of `to`, or adds them there. Returns `G`.
    #[inline(always)]
    fn put_rows<const G: usize>(self, rows: SkipRows<'_>, place: usize, unit: f32, add: bool, to: &mut [f32]) -> usize {
        let Self { simd, table } = self;
        let unit = simd.splat(unit);
        for (g, sums) in table.skips::<S, G>(simd, rows, place).into_iter().enumerate() {
            put(simd, sums.map(|sum| simd.multiply(sum, unit)), add, &mut to[g * LANES..]);
        }
        G
    }
}

/// Writes relu(values + bias).
#[inline(always)]
pub(super) fn activate<S: Simd>(simd: S, values: [S::Floats; 2], bias: &[f32; LANES], to: &mut [f32; LANES]) {
    let values = both(values, load(simd, bias), |value, bias| simd.add(value, bias));
    let zero = simd.splat(0.0);
    store(simd, values.map(|value| simd.max(value, zero)), to);
}

/// Writes 32 numbers to the front of `to`, or adds them to the numbers in `to`.
#[inline(always)]
pub(super) fn put<S: Simd>(simd: S, numbers: [S::Floats; 2], add: bool, to: &mut [f32]) {
    if add {
        add_to(simd, numbers, to);
    } else if let Some(to) = to.first_chunk_mut::<LANES>() {
        store(simd, numbers, to);
    }
}

/// Adds 32 numbers to the front of `to`.
#[inline(always)]
pub(super) fn add_to<S: Simd>(simd: S, numbers: [S::Floats; 2], to: &mut [f32]) {
    if let Some(to) = to.first_chunk_mut::<LANES>() {
        let sums = both(load(simd, to), numbers, |a, b| simd.add(a, b));
        store(simd, sums, to);
    }
}
