//! Rows of the table in each precision, 32 numbers at a time.

use super::{
    layout::{HEAD_LANES, LANES, Taps},
    math,
    simd::Simd,
};

/// Where a stretch of 32 numbers lies: the row's start, and the stretch's place in it, both in stretches.
#[derive(Clone, Copy)]
pub struct At {
    pub row: usize,
    pub place: usize,
}

/// A table of rows.
pub trait Table: Copy {
    /// 32 sums of taps.
    type Sums<S: Simd>: Copy;

    /// From a row to the next, in stretches of 32 numbers.
    fn stride(self) -> usize;
    /// 32 numbers of one tap; `taps` is the convolution that they belong to.
    fn tap<S: Simd>(self, simd: S, taps: &Taps, at: At) -> Self::Sums<S>;
    /// Their sum.
    fn add<S: Simd>(simd: S, a: Self::Sums<S>, b: Self::Sums<S>) -> Self::Sums<S>;
    /// The greater of each two.
    fn max<S: Simd>(simd: S, a: Self::Sums<S>, b: Self::Sums<S>) -> Self::Sums<S>;
    /// The sums as floats; `unit` is what a sum of 1 is worth (int8 only).
    fn values<S: Simd>(simd: S, sums: Self::Sums<S>, unit: Option<&[f32; LANES]>) -> [S::Floats; 2];
    /// Says that a row is wanted soon.
    fn prefetch<S: Simd>(self, simd: S, row: usize);
    /// Turns the powers of each head's scores into what each row weighs among those of `ids` (int8 only: into `pairs`), and returns what
    /// a weight of 1 is worth, head by head. Of at most 128 rows.
    fn head_weights<S: Simd>(
        self,
        simd: S,
        ids: &[u32],
        powers: &mut [[f32; HEAD_LANES]],
        pairs: &mut [[[i16; 2]; HEAD_LANES]],
    ) -> [f32; HEAD_LANES];
    /// `G` stretches of embeddings, the first at `place` and each `step` after the one before it: the sums over the rows of `ids` times
    /// what they weigh with `G` heads.
    fn attended<S: Simd, const G: usize>(
        self,
        simd: S,
        ids: &[u32],
        weights: HeadWeights<'_>,
        place: usize,
        step: usize,
    ) -> [[S::Floats; 2]; G];
    /// Writes what each row's skip weighs among those of `ids`, two by two, and returns what a weight of 1 is worth (int8 only; else 1).
    fn skip_weights(self, ids: &[u32], pairs: &mut [[i16; 2]]) -> f32;
    /// `G` stretches from `place` on, each the sum over the rows of `ids` times their weights. Of at most 128 rows.
    fn skips<S: Simd, const G: usize>(
        self,
        simd: S,
        ids: &[u32],
        pairs: &[[i16; 2]],
        place: usize,
    ) -> [[S::Floats; 2]; G];
}

/// What rows weigh with some heads, the first of which has the column `lane`.
#[derive(Clone, Copy)]
pub struct HeadWeights<'a> {
    /// Row by row; of f32 and f16.
    pub powers: &'a [[f32; HEAD_LANES]],
    /// Two rows by two rows; of int8.
    pub pairs: &'a [[[i16; 2]; HEAD_LANES]],
    pub lane: usize,
}

/// 32 floats of memory as vectors.
#[inline(always)]
pub fn load<S: Simd>(simd: S, numbers: &[f32; LANES]) -> [S::Floats; 2] {
    let [low, high, ..] = numbers.as_chunks::<16>().0 else { unreachable!("32 numbers") };
    [simd.load(low), simd.load(high)]
}

/// 32 floats to memory.
#[inline(always)]
pub fn store<S: Simd>(simd: S, numbers: [S::Floats; 2], to: &mut [f32; LANES]) {
    for (to, numbers) in to.as_chunks_mut::<16>().0.iter_mut().zip(numbers) {
        simd.store(numbers, to);
    }
}

/// An operation on both halves.
#[inline(always)]
pub fn both<V: Copy>(a: [V; 2], b: [V; 2], operation: impl Fn(V, V) -> V) -> [V; 2] {
    [operation(a[0], b[0]), operation(a[1], b[1])]
}

/// 32 numbers of a row that stand for themselves: f32, or f16 given as their bits.
pub trait Stretch: Copy {
    /// The numbers as floats.
    fn load<S: Simd>(&self, simd: S) -> [S::Floats; 2];
    /// Says that they are wanted soon.
    fn prefetch<S: Simd>(&self, simd: S);
}

impl Stretch for [f32; LANES] {
    #[inline(always)]
    fn load<S: Simd>(&self, simd: S) -> [S::Floats; 2] {
        load(simd, self)
    }

    #[inline(always)]
    fn prefetch<S: Simd>(&self, simd: S) {
        simd.prefetch(self);
        simd.prefetch(&self[LANES / 2]);
    }
}

impl Stretch for [u16; LANES] {
    #[inline(always)]
    fn load<S: Simd>(&self, simd: S) -> [S::Floats; 2] {
        simd.halves(self)
    }

    #[inline(always)]
    fn prefetch<S: Simd>(&self, simd: S) {
        simd.prefetch(self);
    }
}

/// Rows of f32 or f16.
#[derive(Clone, Copy)]
pub struct Floats<'a, N> {
    pub rows: &'a [N],
    pub stride: usize,
}

impl<N: Stretch> Table for Floats<'_, N> {
    type Sums<S: Simd> = [S::Floats; 2];

    #[inline(always)]
    fn stride(self) -> usize {
        self.stride
    }

    #[inline(always)]
    fn tap<S: Simd>(self, simd: S, _: &Taps, at: At) -> [S::Floats; 2] {
        self.rows[at.row + at.place].load(simd)
    }

    #[inline(always)]
    fn add<S: Simd>(simd: S, a: [S::Floats; 2], b: [S::Floats; 2]) -> [S::Floats; 2] {
        both(a, b, |a, b| simd.add(a, b))
    }

    #[inline(always)]
    fn max<S: Simd>(simd: S, a: [S::Floats; 2], b: [S::Floats; 2]) -> [S::Floats; 2] {
        both(a, b, |a, b| simd.max(a, b))
    }

    #[inline(always)]
    fn values<S: Simd>(_: S, sums: [S::Floats; 2], _: Option<&[f32; LANES]>) -> [S::Floats; 2] {
        sums
    }

    #[inline(always)]
    fn prefetch<S: Simd>(self, simd: S, row: usize) {
        for stretch in &self.rows[row..row + self.stride] {
            stretch.prefetch(simd);
        }
    }

    #[inline(always)]
    fn head_weights<S: Simd>(
        self,
        _: S,
        _: &[u32],
        _: &mut [[f32; HEAD_LANES]],
        _: &mut [[[i16; 2]; HEAD_LANES]],
    ) -> [f32; HEAD_LANES] {
        [1.0; HEAD_LANES]
    }

    #[inline(always)]
    fn attended<S: Simd, const G: usize>(
        self,
        simd: S,
        ids: &[u32],
        HeadWeights { powers, lane, .. }: HeadWeights<'_>,
        place: usize,
        step: usize,
    ) -> [[S::Floats; 2]; G] {
        let mut sums = [[simd.splat(0.0); 2]; G];
        for (&id, powers) in ids.iter().zip(powers) {
            let at = id as usize * self.stride + place;
            let powers = &powers[lane..lane + G];
            let mut numbers = self.rows[at].load(simd);
            for g in 0..G {
                if step > 0 && g > 0 {
                    numbers = self.rows[at + g * step].load(simd);
                }
                let power = simd.splat(powers[g]);
                sums[g] = both(sums[g], numbers, |sum, number| simd.add(sum, simd.multiply(number, power)));
            }
        }
        sums
    }

    #[inline(always)]
    fn skip_weights(self, _: &[u32], _: &mut [[i16; 2]]) -> f32 {
        1.0
    }

    #[inline(always)]
    fn skips<S: Simd, const G: usize>(self, simd: S, ids: &[u32], _: &[[i16; 2]], place: usize) -> [[S::Floats; 2]; G] {
        let mut sums = [[simd.splat(0.0); 2]; G];
        for &id in ids {
            for (g, sums) in sums.iter_mut().enumerate() {
                let numbers = self.rows[id as usize * self.stride + place + g].load(simd);
                *sums = both(*sums, numbers, |sum, number| simd.add(sum, number));
            }
        }
        sums
    }
}

/// Rows of int8. A row begins with its scales: the embedding's (f32), the skip's (f32), then a factor a convolution (u8).
///
/// A tap's number is worth `number · factor · unit`, where the factor is the row's, a power of two, and the unit the filter's; so
/// the taps of a filter add up as integers, and rows of small numbers keep their precision.
#[derive(Clone, Copy)]
pub struct Int8<'a> {
    pub rows: &'a [[i8; LANES]],
    pub stride: usize,
}

/// The greatest weight of a row: 128 rows of ±127 times it add up in an i32.
const GREATEST_WEIGHT: f32 = 32_767.0;

/// What a number is multiplied by so that the greatest of its kind becomes [`GREATEST_WEIGHT`].
#[inline(always)]
fn to_weights(greatest: f32) -> f32 {
    // Below this nothing is left of a number in f32 anyway, and the division would overflow.
    if greatest > 1e-30 { GREATEST_WEIGHT / greatest } else { 0.0 }
}

impl Int8<'_> {
    #[inline(always)]
    fn float(self, id: u32, at: usize) -> f32 {
        let head = &self.rows[id as usize * self.stride];
        f32::from_le_bytes([head[at] as u8, head[at + 1] as u8, head[at + 2] as u8, head[at + 3] as u8])
    }

    /// `G` stretches, each `step` after the one before it: the sums over the rows of `ids` times their weights, `weights(k, g)` being what
    /// the rows 2k and 2k + 1 weigh in stretch g. An odd row is its own neighbour, of no weight.
    #[inline(always)]
    fn weighed<S: Simd, const G: usize>(
        self,
        simd: S,
        ids: &[u32],
        (place, step): (usize, usize),
        weights: impl Fn(usize, usize) -> [i16; 2],
    ) -> [[S::Floats; 2]; G] {
        let mut sums = [simd.no_sums(); G];
        let most = (G - 1) * step + 1;
        for (k, ids) in ids.chunks(2).enumerate() {
            let other = if ids.len() == 2 { ids[1] } else { ids[0] };
            let [row, other] = [ids[0], other].map(|id| id as usize * self.stride + place);
            let (row, other) = (&self.rows[row..row + most], &self.rows[other..other + most]);
            let mut pairs = simd.pair(&row[0], &other[0]);
            for g in 0..G {
                if step > 0 && g > 0 {
                    pairs = simd.pair(&row[g * step], &other[g * step]);
                }
                sums[g] = simd.weigh(sums[g], pairs, weights(k, g));
            }
        }
        let mut floats = [[simd.splat(0.0); 2]; G];
        for g in 0..G {
            floats[g] = simd.weighed_to_floats(sums[g]);
        }
        floats
    }
}

impl Table for Int8<'_> {
    type Sums<S: Simd> = S::Shorts;

    #[inline(always)]
    fn stride(self) -> usize {
        self.stride
    }

    #[inline(always)]
    fn tap<S: Simd>(self, simd: S, taps: &Taps, at: At) -> S::Shorts {
        let factor = i16::from(self.rows[at.row + taps.factor_at / LANES][taps.factor_at % LANES]);
        simd.shorts(&self.rows[at.row + at.place], factor)
    }

    #[inline(always)]
    fn add<S: Simd>(simd: S, a: S::Shorts, b: S::Shorts) -> S::Shorts {
        simd.add_shorts(a, b)
    }

    #[inline(always)]
    fn max<S: Simd>(simd: S, a: S::Shorts, b: S::Shorts) -> S::Shorts {
        simd.max_shorts(a, b)
    }

    #[inline(always)]
    fn values<S: Simd>(simd: S, sums: S::Shorts, unit: Option<&[f32; LANES]>) -> [S::Floats; 2] {
        let values = simd.shorts_to_floats(sums);
        match unit {
            Some(unit) => both(values, load(simd, unit), |value, unit| simd.multiply(value, unit)),
            None => values,
        }
    }

    #[inline(always)]
    fn prefetch<S: Simd>(self, simd: S, row: usize) {
        for line in self.rows[row..row + self.stride].as_chunks::<2>().0 {
            simd.prefetch(line);
        }
    }

    #[inline(always)]
    fn head_weights<S: Simd>(
        self,
        simd: S,
        ids: &[u32],
        powers: &mut [[f32; HEAD_LANES]],
        pairs: &mut [[[i16; 2]; HEAD_LANES]],
    ) -> [f32; HEAD_LANES] {
        let mut most = simd.splat(0.0);
        for (&id, powers) in ids.iter().zip(&mut *powers) {
            let weights = simd.multiply(simd.load(powers), simd.splat(self.float(id, 0)));
            most = simd.max(most, weights);
            simd.store(weights, powers);
        }
        let mut greatest = [0.0; HEAD_LANES];
        simd.store(most, &mut greatest);
        let mut inverse = [0.0; HEAD_LANES];
        for (inverse, &greatest) in inverse.iter_mut().zip(&greatest) {
            *inverse = to_weights(greatest);
        }
        let inverse = simd.load(&inverse);
        for (powers, pairs) in powers.chunks(2).zip(pairs) {
            let first = simd.multiply(simd.load(&powers[0]), inverse);
            let second = match powers.get(1) {
                Some(powers) => simd.multiply(simd.load(powers), inverse),
                None => simd.splat(0.0),
            };
            *pairs = simd.short_pairs(first, second);
        }
        let mut units = greatest;
        units.iter_mut().for_each(|unit| *unit *= 1.0 / GREATEST_WEIGHT);
        units
    }

    #[inline(always)]
    fn attended<S: Simd, const G: usize>(
        self,
        simd: S,
        ids: &[u32],
        HeadWeights { pairs, lane, .. }: HeadWeights<'_>,
        place: usize,
        step: usize,
    ) -> [[S::Floats; 2]; G] {
        self.weighed(simd, ids, (place, step), |k, g| pairs[k][lane + g])
    }

    #[inline(always)]
    fn skip_weights(self, ids: &[u32], pairs: &mut [[i16; 2]]) -> f32 {
        let mut greatest = 0.0;
        for &id in ids {
            greatest = math::max(greatest, self.float(id, 4));
        }
        let inverse = to_weights(greatest);
        let weight = |id| math::round(self.float(id, 4) * inverse) as i16;
        for (ids, pair) in ids.chunks(2).zip(pairs) {
            *pair = [weight(ids[0]), if ids.len() == 2 { weight(ids[1]) } else { 0 }];
        }
        greatest / GREATEST_WEIGHT
    }

    #[inline(always)]
    fn skips<S: Simd, const G: usize>(
        self,
        simd: S,
        ids: &[u32],
        pairs: &[[i16; 2]],
        place: usize,
    ) -> [[S::Floats; 2]; G] {
        self.weighed(simd, ids, (place, 1), |k, _| pairs[k])
    }
}
