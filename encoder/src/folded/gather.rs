//! Convolutions and means: gathers and sums of table rows.

use super::{
    layout::{ALIGNMENT, LANES, Taps},
    simd::{Simd, both, prefetch},
    table::{Kernel, Stretch, load},
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

impl<S: Simd, N: Stretch> Kernel<'_, S, N> {
    /// Prefetches `count` rows of the next sentence, from its token `from` on. A few rows at a time, spread over the
    /// work on this sentence, because a core waits for a limited number of cache lines at once.
    #[inline(always)]
    pub(super) fn prefetch(self, sentence: Sentence<'_>, from: usize, count: usize) {
        for &id in sentence.next.iter().take(PREFETCHED).skip(from).take(count) {
            let row = &self.rows[id as usize * self.stride..][..self.stride];
            for line in bytemuck::cast_slice::<_, [u8; ALIGNMENT]>(row) {
                prefetch(line);
            }
        }
    }

    /// 32 filters of a convolution at one position: the sums of the taps that lie inside the sentence.
    #[inline(always)]
    pub(super) fn convolve(self, taps: &Taps, ids: &[u32], position: usize, group: usize) -> N::Sums<S> {
        let half = taps.width / 2;
        let first = half.saturating_sub(position);
        let end = taps.width.min(ids.len() + half - position);
        let mut place = (taps.at + first * taps.filters) / LANES + group;
        let tokens = &ids[position + first - half..position + end - half];
        let mut sums = N::tap(self, taps, tokens[0], place);
        for &token in &tokens[1..] {
            place += taps.filters / LANES;
            sums = N::add(self.simd, sums, N::tap(self, taps, token, place));
        }
        sums
    }

    /// Writes the greatest feature of each filter over all positions.
    #[inline(always)]
    pub(super) fn max_pool(self, filters: &Filters, ids: &[u32], features: &mut [f32]) {
        for (group, features) in features.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let mut greatest = self.convolve(&filters.taps, ids, 0, group);
            for position in 1..ids.len() {
                let sums = self.convolve(&filters.taps, ids, position, group);
                greatest = N::max(self.simd, greatest, sums);
            }
            let greatest = N::values(self.simd, greatest, filters.unit.get(group));
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
            let unit = N::skip_weights(self, chunk, pairs) * inverse;
            let mut group = 0;
            while group < out.len() / LANES {
                let to = &mut out[group * LANES..];
                let place = place / LANES + group;
                group += match to.len() / LANES {
                    4.. => put_each(self.simd, N::skips::<S, 4>(self, chunk, pairs, place), unit, index > 0, to),
                    _ => put_each(self.simd, N::skips::<S, 1>(self, chunk, pairs, place), unit, index > 0, to),
                };
            }
        }
    }
}

/// Writes `G` times 32 numbers, each times `unit`, to the front of `to`, or adds them there. Returns `G`.
#[inline(always)]
fn put_each<S: Simd, const G: usize>(
    simd: S,
    numbers: [[S::Floats; 2]; G],
    unit: f32,
    add: bool,
    to: &mut [f32],
) -> usize {
    for (g, numbers) in numbers.into_iter().enumerate() {
        put(simd, numbers.map(|number| simd.multiply(number, simd.splat(unit))), add, &mut to[g * LANES..]);
    }
    G
}

/// Writes relu(values + bias).
#[inline(always)]
pub(super) fn activate<S: Simd>(simd: S, values: [S::Floats; 2], bias: &[f32; LANES], to: &mut [f32; LANES]) {
    let values = both(values, load(simd, bias), |value, bias| simd.add(value, bias));
    let zero = simd.splat(0.0);
    *to = bytemuck::cast(values.map(|value| simd.max(value, zero)));
}

/// Writes 32 numbers to the front of `to`, or adds them to the numbers in `to`.
#[inline(always)]
pub(super) fn put<S: Simd>(simd: S, numbers: [S::Floats; 2], add: bool, to: &mut [f32]) {
    if let Some(to) = to.first_chunk_mut::<LANES>() {
        let sums = if add { both(load(simd, to), numbers, |a, b| simd.add(a, b)) } else { numbers };
        *to = bytemuck::cast(sums);
    }
}
