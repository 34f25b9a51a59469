//! The table's rows, packed, and the scales and factors of int8.

use std::io::{self, Write};

use half::{f16, slice::HalfFloatSliceExt};

use super::{
    Precision,
    layout::{ConvolutionName, FoldedLayout, Taps},
    parts::{Convolution, Parts},
    quantise::{LARGEST, largest, quantise},
};

/// The table's rows.
pub(super) struct TableRows<'a> {
    pub(super) parts: &'a Parts,
    pub(super) layout: &'a FoldedLayout,
    pub(super) convolutions: Vec<PackedConvolution<'a>>,
}

/// A convolution and its place in a row.
pub(super) struct PackedConvolution<'a> {
    pub(super) name: ConvolutionName,
    pub(super) taps: &'a Taps,
    pub(super) convolution: &'a Convolution,
    /// The value of a sum of 1, filter by filter, padded. Empty but in int8.
    pub(super) units: Vec<f32>,
}

impl<'a> TableRows<'a> {
    /// Chooses the units of int8: a filter's largest tap is 127 · the greatest factor of them.
    pub(super) fn new(parts: &'a Parts, layout: &'a FoldedLayout) -> Self {
        let convolutions = parts.convolutions().zip(layout.convolutions()).map(|(convolution, (name, taps))| {
            let units = match layout.precision {
                Precision::F32 | Precision::F16 => Vec::new(),
                Precision::Int8 => filter_units(convolution, taps),
            };
            PackedConvolution { name, taps, convolution, units }
        });
        Self { parts, layout, convolutions: convolutions.collect() }
    }

    /// Writes all rows.
    pub(super) fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        match self.layout.precision {
            Precision::F32 => self.write_floats(|row| to.write_all(bytemuck::cast_slice(row))),
            Precision::F16 => {
                let mut halves = vec![f16::ZERO; self.layout.stride];
                self.write_floats(|row| {
                    halves.convert_from_f32_slice(row);
                    to.write_all(bytemuck::cast_slice(&halves))
                })
            }
            Precision::Int8 => self.write_int8(to),
        }
    }

    /// The embedding, or every head's values, with their places.
    fn embedding(&self, token: usize) -> impl Iterator<Item = (usize, &[f32])> + Clone {
        let attention = self.parts.attention.iter().zip(self.layout.embedding);
        attention.flat_map(move |(attention, place)| {
            let width = attention.width_of_embedding;
            let values = row(&attention.embeddings, attention.embeddings.len() / self.layout.vocabulary, token);
            values.chunks_exact(width).enumerate().map(move |(head, values)| (place.at + head * place.step, values))
        })
    }

    fn skip(&self, token: usize) -> Option<(usize, &[f32])> {
        Some((self.layout.skip?, row(self.parts.skip_table.as_ref()?, self.parts.dimension, token)))
    }

    /// Packs each row and gives it to `write`.
    fn write_floats(&self, mut write: impl FnMut(&[f32]) -> io::Result<()>) -> io::Result<()> {
        let mut packed = vec![0.0; self.layout.stride];
        for token in 0..self.layout.vocabulary {
            let taps = self.convolutions.iter().flat_map(|convolution| convolution.taps(token));
            for (at, values) in self.embedding(token).chain(self.skip(token)).chain(taps) {
                packed[at..at + values.len()].copy_from_slice(values);
            }
            write(&packed)?;
        }
        Ok(())
    }

    fn write_int8(&self, to: &mut dyn Write) -> io::Result<()> {
        let mut packed = vec![0i8; self.layout.stride];
        for token in 0..self.layout.vocabulary {
            write_scaled(self.embedding(token), 0, &mut packed);
            write_scaled(self.skip(token).into_iter(), 4, &mut packed);
            for convolution in &self.convolutions {
                let factor = convolution.factor(token);
                packed[convolution.taps.factor_at] = factor as i8;
                for (at, values) in convolution.taps(token) {
                    quantise(values, |filter| convolution.units[filter] * factor as f32, &mut packed[at..]);
                }
            }
            to.write_all(bytemuck::cast_slice(&packed))?;
        }
        Ok(())
    }
}

impl PackedConvolution<'_> {
    /// A token's taps and their places.
    fn taps(&self, token: usize) -> impl Iterator<Item = (usize, &[f32])> {
        let &Convolution { width, filters, ref table, .. } = self.convolution;
        let taps = row(table, width * filters, token).chunks_exact(filters).enumerate();
        taps.map(move |(tap, values)| (self.taps.at + tap * self.taps.filters, values))
    }

    /// The least power of two by which int8 numbers reach all of a token's taps.
    fn factor(&self, token: usize) -> usize {
        let greatest = self.taps.greatest_factor();
        let reach = |factor: usize| {
            let fits = |(value, unit): (&f32, &f32)| value.abs() <= LARGEST * unit * factor as f32;
            self.taps(token).all(|(_, values)| values.iter().zip(&self.units).all(fits))
        };
        [1, 2, 4, 8].into_iter().find(|&factor| factor >= greatest || reach(factor)).unwrap_or(greatest)
    }
}

/// Writes stretches of a row, and the scale that they share to `scale_at`.
fn write_scaled<'a>(stretches: impl Iterator<Item = (usize, &'a [f32])> + Clone, scale_at: usize, packed: &mut [i8]) {
    let scale = stretches.clone().fold(0.0f32, |most, (_, values)| most.max(largest(values))) / LARGEST;
    for (at, values) in stretches {
        quantise(values, |_| scale, &mut packed[at..]);
    }
    packed[scale_at..scale_at + 4].copy_from_slice(&scale.to_le_bytes().map(|byte| byte as i8));
}

fn row(table: &[f32], width: usize, token: usize) -> &[f32] {
    &table[token * width..(token + 1) * width]
}

/// The value of a sum of 1, filter by filter, padded.
fn filter_units(convolution: &Convolution, taps: &Taps) -> Vec<f32> {
    let mut units = vec![0.0f32; taps.filters];
    for values in convolution.table.chunks_exact(convolution.filters) {
        units.iter_mut().zip(values).for_each(|(unit, value)| *unit = unit.max(value.abs()));
    }
    let steps = LARGEST * taps.greatest_factor() as f32;
    units.iter_mut().for_each(|unit| *unit /= steps);
    units
}
