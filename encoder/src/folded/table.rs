//! Rows of the table in either precision, 32 numbers at a time.

use super::layout::{LANES, Taps};

/// Where a stretch of 32 numbers lies: the row's start, and the stretch's place in it, both in stretches.
#[derive(Clone, Copy)]
pub struct At {
    pub row: usize,
    pub place: usize,
}

/// A table of rows.
pub trait Table: Copy {
    /// 32 sums of taps.
    type Sums: Copy;

    /// From a row to the next, in stretches of 32 numbers.
    fn stride(self) -> usize;
    /// 32 numbers of one tap; `taps` is the convolution that they belong to.
    fn tap(self, taps: &Taps, at: At) -> Self::Sums;
    /// Their sum.
    fn add(a: Self::Sums, b: Self::Sums) -> Self::Sums;
    /// The greater of each two.
    fn max(a: Self::Sums, b: Self::Sums) -> Self::Sums;
    /// The sums as floats; `unit` is what a sum of 1 is worth (int8 only).
    fn values(sums: Self::Sums, unit: Option<&[f32; LANES]>) -> [f32; LANES];
    /// 32 numbers of an embedding or of a skip, to be multiplied by their row's scale.
    fn numbers(self, at: At) -> [f32; LANES];
    /// What the numbers of this row's embedding are worth.
    fn embedding_scale(self, row: usize) -> f32;
    /// What the numbers of this row's skip are worth.
    fn skip_scale(self, row: usize) -> f32;
}

/// Rows of f32.
#[derive(Clone, Copy)]
pub struct Floats<'a> {
    pub rows: &'a [[f32; LANES]],
    pub stride: usize,
}

impl Table for Floats<'_> {
    type Sums = [f32; LANES];

    #[inline(always)]
    fn stride(self) -> usize {
        self.stride
    }

    #[inline(always)]
    fn tap(self, _: &Taps, at: At) -> [f32; LANES] {
        self.rows[at.row + at.place]
    }

    #[inline(always)]
    fn add(mut a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    }

    #[inline(always)]
    fn max(mut a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        a.iter_mut().zip(b).for_each(|(a, b)| *a = super::math::max(*a, b));
        a
    }

    #[inline(always)]
    fn values(sums: [f32; LANES], _: Option<&[f32; LANES]>) -> [f32; LANES] {
        sums
    }

    #[inline(always)]
    fn numbers(self, at: At) -> [f32; LANES] {
        self.rows[at.row + at.place]
    }

    #[inline(always)]
    fn embedding_scale(self, _: usize) -> f32 {
        1.0
    }

    #[inline(always)]
    fn skip_scale(self, _: usize) -> f32 {
        1.0
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

impl Int8<'_> {
    #[inline(always)]
    fn float(self, row: usize, at: usize) -> f32 {
        let head = &self.rows[row];
        f32::from_le_bytes([head[at] as u8, head[at + 1] as u8, head[at + 2] as u8, head[at + 3] as u8])
    }
}

impl Table for Int8<'_> {
    type Sums = [i16; LANES];

    #[inline(always)]
    fn stride(self) -> usize {
        self.stride
    }

    #[inline(always)]
    fn tap(self, taps: &Taps, at: At) -> [i16; LANES] {
        let factor = i16::from(self.rows[at.row + taps.factor_at / LANES][taps.factor_at % LANES]);
        self.rows[at.row + at.place].map(|number| i16::from(number).wrapping_mul(factor))
    }

    #[inline(always)]
    fn add(mut a: [i16; LANES], b: [i16; LANES]) -> [i16; LANES] {
        a.iter_mut().zip(b).for_each(|(a, b)| *a = a.wrapping_add(b));
        a
    }

    #[inline(always)]
    fn max(mut a: [i16; LANES], b: [i16; LANES]) -> [i16; LANES] {
        a.iter_mut().zip(b).for_each(|(a, b)| *a = (*a).max(b));
        a
    }

    #[inline(always)]
    fn values(sums: [i16; LANES], unit: Option<&[f32; LANES]>) -> [f32; LANES] {
        let mut values = sums.map(f32::from);
        if let Some(unit) = unit {
            values.iter_mut().zip(unit).for_each(|(value, unit)| *value *= unit);
        }
        values
    }

    #[inline(always)]
    fn numbers(self, at: At) -> [f32; LANES] {
        self.rows[at.row + at.place].map(f32::from)
    }

    #[inline(always)]
    fn embedding_scale(self, row: usize) -> f32 {
        self.float(row, 0)
    }

    #[inline(always)]
    fn skip_scale(self, row: usize) -> f32 {
        self.float(row, 4)
    }
}
