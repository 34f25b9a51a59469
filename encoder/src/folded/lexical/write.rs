//! A lexical table's sections of a folded file.

use std::io::{self, Write};

use half::{f16, slice::HalfFloatSliceExt};

use super::{
    super::{
        Precision,
        quantise::{LARGEST, largest, quantise},
    },
    LexicalTable,
};

impl LexicalTable {
    /// Where each word begins among the bytes of all words, and where the last one ends.
    pub(in crate::folded) fn offsets(&self) -> Vec<u32> {
        let ends = self.words.iter().scan(0u32, |end, word| {
            *end += word.len() as u32;
            Some(*end)
        });
        std::iter::once(0).chain(ends).collect()
    }

    /// The value of 1 in each row, in int8.
    pub(in crate::folded) fn scales(&self) -> Vec<f32> {
        self.rows.chunks_exact(self.dimension).map(|row| largest(row) / LARGEST).collect()
    }

    pub(in crate::folded) fn write_words(&self, to: &mut dyn Write) -> io::Result<()> {
        self.words.iter().try_for_each(|word| to.write_all(word.as_bytes()))
    }

    pub(in crate::folded) fn write_rows(&self, precision: Precision, to: &mut dyn Write) -> io::Result<()> {
        let mut rows = self.rows.chunks_exact(self.dimension);
        match precision {
            Precision::F32 => to.write_all(bytemuck::cast_slice(&self.rows)),
            Precision::F16 => {
                let mut halves = vec![f16::ZERO; self.dimension];
                rows.try_for_each(|row| {
                    halves.convert_from_f32_slice(row);
                    to.write_all(bytemuck::cast_slice(&halves))
                })
            }
            Precision::Int8 => {
                let mut numbers = vec![0i8; self.dimension];
                rows.zip(self.scales()).try_for_each(|(row, scale)| {
                    quantise(row, |_| scale, &mut numbers);
                    to.write_all(bytemuck::cast_slice(&numbers))
                })
            }
        }
    }
}
