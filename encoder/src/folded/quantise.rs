//! Packing tables into rows and the head into panels, and choosing the scales of int8.

use std::io::{self, Write};

use half::{f16, slice::HalfFloatSliceExt};

use super::{
    Convolution, Parts, Precision,
    layout::{LANES, Layout, Shape, Taps},
    write::{convolutions, floats},
};

/// The largest magnitude of an int8 number here; −128 is left out, so that numbers are symmetric.
const LARGEST: f32 = 127.0;

/// The table's rows, packed one after another.
pub struct Rows<'a> {
    parts: &'a Parts,
    layout: &'a Layout,
    convolutions: Vec<(&'a Convolution, &'a Taps)>,
    /// What a sum of 1 is worth, a filter, in the order of the convolutions. Empty but in int8.
    units: Vec<Vec<f32>>,
}

impl<'a> Rows<'a> {
    /// Chooses the filters' units: a filter's largest tap is 127 · the greatest factor of them.
    pub fn new(parts: &'a Parts, layout: &'a Layout) -> Self {
        let convolutions: Vec<_> =
            convolutions(parts, layout).map(|(_, convolution, taps)| (convolution, taps)).collect();
        let units = match layout.precision {
            Precision::F32 | Precision::F16 => Vec::new(),
            Precision::Int8 => convolutions.iter().map(|(convolution, taps)| filter_units(convolution, taps)).collect(),
        };
        Self { parts, layout, convolutions, units }
    }

    /// The units of convolution `index`.
    pub fn units(&self, index: usize) -> &[f32] {
        self.units.get(index).map_or(&[], Vec::as_slice)
    }

    /// Writes all rows.
    pub fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        match self.layout.precision {
            Precision::F32 => self.write_floats(|row| floats(to, row)),
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
            for (at, values) in self.embedding(token).chain(self.skip(token)) {
                packed[at..at + values.len()].copy_from_slice(values);
            }
            for (convolution, taps) in &self.convolutions {
                let values = row(&convolution.table, convolution.width * convolution.filters, token);
                for (tap, values) in values.chunks_exact(convolution.filters).enumerate() {
                    packed[taps.at + tap * taps.filters..][..values.len()].copy_from_slice(values);
                }
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
            for ((convolution, taps), units) in self.convolutions.iter().zip(&self.units) {
                let values = row(&convolution.table, convolution.width * convolution.filters, token);
                let factor = row_factor(values, units, taps);
                packed[taps.factor_at] = factor as i8;
                for (tap, values) in values.chunks_exact(convolution.filters).enumerate() {
                    let to = &mut packed[taps.at + tap * taps.filters..];
                    quantise(values, |filter| units[filter] * factor as f32, to);
                }
            }
            to.write_all(bytemuck::cast_slice(&packed))?;
        }
        Ok(())
    }
}

/// Writes stretches of a row with the scale that they share, which stands at `scale_at`.
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

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// Writes `values / scale(index)`, rounded; where the scale is 0, so is the number.
fn quantise(values: &[f32], scale: impl Fn(usize) -> f32, to: &mut [i8]) {
    for (index, (value, to)) in values.iter().zip(to).enumerate() {
        let scale = scale(index);
        let number = if scale > 0.0 { (value / scale).round_ties_even() } else { 0.0 };
        *to = number.clamp(-LARGEST, LARGEST) as i8;
    }
}

/// What a sum of 1 is worth, a (padded) filter.
fn filter_units(convolution: &Convolution, taps: &Taps) -> Vec<f32> {
    let mut units = vec![0.0f32; taps.filters];
    for values in convolution.table.chunks_exact(convolution.filters) {
        units.iter_mut().zip(values).for_each(|(unit, value)| *unit = unit.max(value.abs()));
    }
    let steps = LARGEST * taps.greatest_factor() as f32;
    units.iter_mut().for_each(|unit| *unit /= steps);
    units
}

/// The least power of two by which int8 numbers reach all of a row's values.
fn row_factor(values: &[f32], units: &[f32], taps: &Taps) -> usize {
    let reach = |factor: usize| {
        let fits = |(value, unit): (&f32, &f32)| value.abs() <= LARGEST * unit * factor as f32;
        values.chunks_exact(values.len() / taps.width).all(|values| values.iter().zip(units).all(fits))
    };
    let greatest = taps.greatest_factor();
    [1, 2, 4, 8].into_iter().find(|&factor| factor >= greatest || reach(factor)).unwrap_or(greatest)
}

/// The head as one matrix over all blocks.
pub struct HeadColumns<'a> {
    layout: &'a Layout,
    /// A block's weights: where they begin in the first output's row, how many there are, the length of a row, and the matrix.
    blocks: Vec<(usize, usize, usize, &'a [f32])>,
    /// `[blocks][outputs]`: what 1 is worth. Empty but in int8.
    scales: Vec<f32>,
}

impl<'a> HeadColumns<'a> {
    /// Joins the parts' matrices, and chooses a scale an output and block.
    pub fn new(parts: &'a Parts, layout: &'a Layout) -> Self {
        let mut blocks = Vec::new();
        if let Some(max_pooled) = &parts.max_pooled {
            let all = max_pooled.convolutions.iter().map(|convolution| convolution.filters).sum();
            let mut at = 0;
            for convolution in &max_pooled.convolutions {
                blocks.push((at, convolution.filters, all, max_pooled.weight.as_slice()));
                at += convolution.filters;
            }
        }
        if let Some(attention) = &parts.attention {
            let d = attention.width_of_embedding;
            let all = layout.heads * d;
            let width = if Shape::of(parts).values_without_gaps() { all } else { d };
            blocks.extend((0..all).step_by(width).map(|at| (at, width, all, attention.heads.as_slice())));
            blocks.extend(attention.skip.iter().map(|skip| (0, d, d, skip.as_slice())));
        }
        let mut head = Self { layout, blocks, scales: Vec::new() };
        if layout.precision == Precision::Int8 {
            head.scales = (0..layout.blocks.len())
                .flat_map(|block| (0..layout.outputs).map(move |output| (block, output)))
                .map(|(block, output)| largest(head.weights(block, output)) / LARGEST)
                .collect();
        }
        head
    }

    /// `[blocks][outputs]`: what 1 is worth.
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// The weights of a block for an output; none for a padded output.
    fn weights(&self, block: usize, output: usize) -> &[f32] {
        let (at, width, row, matrix) = self.blocks[block];
        if output < self.layout.dimension { &matrix[output * row + at..][..width] } else { &[] }
    }

    /// Writes the panels, see [`head`](super::head).
    pub fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        let Layout { outputs, features, ref blocks, .. } = *self.layout;
        for panel in (0..outputs).step_by(LANES) {
            match self.layout.precision {
                Precision::F32 | Precision::F16 => {
                    let mut packed = vec![0.0f32; features * LANES];
                    for (block, place) in blocks.iter().enumerate() {
                        for j in 0..LANES {
                            for (k, &weight) in self.weights(block, panel + j).iter().enumerate() {
                                packed[(place.at + k) * LANES + j] = weight;
                            }
                        }
                    }
                    floats(to, &packed)?;
                }
                Precision::Int8 => {
                    let mut packed = vec![128u8; features * LANES];
                    let mut numbers = Vec::new();
                    for (block, place) in blocks.iter().enumerate() {
                        for j in 0..LANES {
                            let (weights, scale) =
                                (self.weights(block, panel + j), self.scales[block * outputs + panel + j]);
                            numbers.resize(weights.len(), 0);
                            quantise(weights, |_| scale, &mut numbers);
                            for (k, &number) in numbers.iter().enumerate() {
                                let k = place.at + k;
                                packed[k / 4 * 4 * LANES + 4 * j + k % 4] = (i16::from(number) + 128) as u8;
                            }
                        }
                    }
                    to.write_all(&packed)?;
                }
            }
        }
        Ok(())
    }
}
