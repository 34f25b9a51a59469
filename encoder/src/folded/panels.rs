//! The output head's matrix, packed in panels of 32 outputs as [`head`](super::head) reads them.

use std::io::{self, Write};

use super::{
    Precision,
    layout::{FoldedLayout, LANES},
    parts::{Convolution, Parts},
    quantise::{LARGEST, largest, quantise},
    shape::Shape,
};

/// The output head as one matrix over all feature blocks.
pub(super) struct HeadPanels<'a> {
    layout: &'a FoldedLayout,
    blocks: Vec<BlockColumns<'a>>,
    /// `[blocks][outputs]`: the scales. Empty but in int8.
    pub(super) scales: Vec<f32>,
}

/// The columns of a matrix that multiply a feature block.
struct BlockColumns<'a> {
    /// `[dimension, row]`, from the block's first column on.
    matrix: &'a [f32],
    row: usize,
    count: usize,
}

impl<'a> HeadPanels<'a> {
    /// Joins the parts' matrices, and chooses a scale for each output of each feature block.
    pub(super) fn new(parts: &'a Parts, layout: &'a FoldedLayout) -> Self {
        let mut blocks = Vec::new();
        if let Some(max_pooled) = &parts.max_pooled {
            let row = max_pooled.convolutions.iter().map(|convolution| convolution.filters).sum();
            let mut matrix = &max_pooled.weight[..];
            for &Convolution { filters, .. } in &max_pooled.convolutions {
                blocks.push(BlockColumns { matrix, row, count: filters });
                matrix = &matrix[filters..];
            }
        }
        if let Some(attention) = &parts.attention {
            let d = attention.width_of_embedding;
            let row = attention.score_bias.len() * d;
            let count = if Shape::of(parts).values_without_gaps() { row } else { d };
            let heads = (0..row).step_by(count);
            blocks.extend(heads.map(|first| BlockColumns { matrix: &attention.heads[first..], row, count }));
            blocks.extend(attention.skip.iter().map(|matrix| BlockColumns { matrix, row: d, count: d }));
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

    /// The weights of a feature block for an output; none for an output of the padding.
    fn weights(&self, block: usize, output: usize) -> &[f32] {
        let BlockColumns { matrix, row, count } = self.blocks[block];
        if output < self.layout.dimension { &matrix[output * row..][..count] } else { &[] }
    }

    /// Writes the panels.
    pub(super) fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        let &FoldedLayout { outputs, features, ref blocks, .. } = self.layout;
        let mut numbers = Vec::new();
        for panel in (0..outputs).step_by(LANES) {
            let columns = blocks.iter().enumerate().flat_map(|(block, place)| {
                (0..LANES).map(move |lane| (block, place.at, lane, self.weights(block, panel + lane)))
            });
            match self.layout.precision {
                Precision::F32 | Precision::F16 => {
                    let mut packed = vec![0.0f32; features * LANES];
                    for (_, at, lane, weights) in columns {
                        for (k, &weight) in weights.iter().enumerate() {
                            packed[(at + k) * LANES + lane] = weight;
                        }
                    }
                    to.write_all(bytemuck::cast_slice(&packed))?;
                }
                Precision::Int8 => {
                    let mut packed = vec![128u8; features * LANES];
                    for (block, at, lane, weights) in columns {
                        numbers.resize(weights.len(), 0);
                        quantise(weights, |_| self.scales[block * outputs + panel + lane], &mut numbers);
                        for (k, &number) in (at..).zip(&numbers) {
                            packed[k / 4 * 4 * LANES + 4 * lane + k % 4] = (i16::from(number) + 128) as u8;
                        }
                    }
                    to.write_all(&packed)?;
                }
            }
        }
        Ok(())
    }
}
