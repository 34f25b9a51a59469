//! A lexical table's sections of a folded file.

use std::io::{self, Write};

use half::{f16, slice::HalfFloatSliceExt};

use crate::{
    folded::{
        Precision,
        quantise::{LARGEST, largest, quantise},
    },
    lexical::LexicalTable,
};

/// Writes a table's sections.
pub(in crate::folded) struct LexicalWriter<'a> {
    pub(in crate::folded) table: &'a LexicalTable,
    pub(in crate::folded) precision: Precision,
}

impl LexicalWriter<'_> {
    pub(in crate::folded) fn write_offsets(&self, to: &mut dyn Write) -> io::Result<()> {
        to.write_all(bytemuck::cast_slice(&self.table.offsets()))
    }

    pub(in crate::folded) fn write_words(&self, to: &mut dyn Write) -> io::Result<()> {
        self.table.words.iter().try_for_each(|word| to.write_all(word.as_bytes()))
    }

    /// What 1 is worth in each row of int8.
    pub(in crate::folded) fn write_scales(&self, to: &mut dyn Write) -> io::Result<()> {
        self.rows().try_for_each(|row| to.write_all(&scale(row).to_le_bytes()))
    }

    pub(in crate::folded) fn write_rows(&self, to: &mut dyn Write) -> io::Result<()> {
        match self.precision {
            Precision::F32 => to.write_all(bytemuck::cast_slice(&self.table.rows)),
            Precision::F16 => {
                let mut halves = vec![f16::ZERO; self.table.dimension];
                self.rows().try_for_each(|row| {
                    halves.convert_from_f32_slice(row);
                    to.write_all(bytemuck::cast_slice(&halves))
                })
            }
            Precision::Int8 => {
                let mut numbers = vec![0i8; self.table.dimension];
                self.rows().try_for_each(|row| {
                    let scale = scale(row);
                    quantise(row, |_| scale, &mut numbers);
                    to.write_all(bytemuck::cast_slice(&numbers))
                })
            }
        }
    }

    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.table.rows.chunks_exact(self.table.dimension)
    }
}

fn scale(row: &[f32]) -> f32 {
    largest(row) / LARGEST
}
