//! [`DocumentVectors`]: the unit vectors of all documents, in memory or in a temporary file.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};

use limbeck_encoder::Embeddings;
use ndarray::ArrayView2;

use crate::error::{Error, Result};
use crate::measure::similarity::unit_rows;

/// The most bytes of vectors that are held in memory.
pub const MEMORY: usize = 512 << 20;

/// The rows that are read from the file at a time.
const BLOCK: usize = 4_096;

/// Vectors of documents, each of length 1 or of zeros. More than [`MEMORY`] bytes of them lie in a temporary file,
/// which goes with them.
pub struct DocumentVectors {
    dimension: usize,
    rows: usize,
    place: Place,
    /// The most values in memory.
    most: usize,
}

enum Place {
    Memory(Vec<f32>),
    File(BufWriter<File>),
}

impl DocumentVectors {
    /// No vectors yet, of `dimension` values each.
    pub fn new(dimension: usize) -> Self {
        Self::within(dimension, MEMORY)
    }

    /// As [`DocumentVectors::new`], with at most `bytes` in memory.
    fn within(dimension: usize, bytes: usize) -> Self {
        Self { dimension, rows: 0, place: Place::Memory(Vec::new()), most: bytes / size_of::<f32>() }
    }

    /// The number of documents.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no documents.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Adds the vectors of the next documents.
    ///
    /// # Errors
    /// Another width; the temporary file cannot be written.
    pub fn add(&mut self, vectors: &Embeddings) -> Result<()> {
        if vectors.dimension() != self.dimension {
            let what = "values in the vectors of two blocks of documents".into();
            return Err(Error::Lengths { what, left: self.dimension, right: vectors.dimension() });
        }
        let unit = unit_rows(vectors).into_raw_vec_and_offset().0;
        self.rows += vectors.rows();
        if let Place::Memory(held) = &mut self.place {
            if held.len() + unit.len() <= self.most {
                held.extend(unit);
                return Ok(());
            }
            let mut file = BufWriter::new(tempfile::tempfile().map_err(failed("create"))?);
            write(&mut file, held)?;
            self.place = Place::File(file);
        }
        match &mut self.place {
            Place::File(file) => write(file, &unit),
            Place::Memory(_) => Ok(()),
        }
    }

    /// Calls `take` with each block of vectors and the place of its first document.
    pub(super) fn each_block(&self, mut take: impl FnMut(usize, ArrayView2<'_, f32>) -> Result<()>) -> Result<()> {
        let mut whole = |first: usize, values: &[f32]| {
            let rows = values.len() / self.dimension;
            take(first, ArrayView2::from_shape((rows, self.dimension), values).expect("blocks hold whole rows"))
        };
        let file = match &self.place {
            Place::Memory(held) => {
                let mut blocks = held.chunks(BLOCK * self.dimension).enumerate();
                return blocks.try_for_each(|(at, values)| whole(at * BLOCK, values));
            }
            Place::File(file) => file,
        };
        let mut file = file.get_ref();
        file.seek(SeekFrom::Start(0)).map_err(failed("read"))?;
        let (mut bytes, mut values) = (Vec::new(), Vec::new());
        for first in (0..self.rows).step_by(BLOCK) {
            bytes.resize(BLOCK.min(self.rows - first) * self.dimension * size_of::<f32>(), 0);
            file.read_exact(&mut bytes).map_err(failed("read"))?;
            values.clear();
            values.extend(bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)));
            whole(first, &values)?;
        }
        Ok(())
    }

    /// Makes all vectors readable.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub fn finish(mut self) -> Result<Self> {
        if let Place::File(file) = &mut self.place {
            file.flush().map_err(failed("write"))?;
        }
        Ok(self)
    }
}

fn write(file: &mut BufWriter<File>, values: &[f32]) -> Result<()> {
    values.iter().try_for_each(|value| file.write_all(&value.to_le_bytes())).map_err(failed("write"))
}

/// An error of the temporary file.
fn failed(operation: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |error| limbeck_data::Error::io(operation, &std::env::temp_dir().join("vectors of documents"))(error).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(vectors: &DocumentVectors) -> Vec<(usize, Vec<f32>)> {
        let mut all = Vec::new();
        let keep = |first, block: ArrayView2<'_, f32>| {
            all.push((first, block.iter().copied().collect()));
            Ok(())
        };
        vectors.each_block(keep).unwrap();
        all
    }

    fn stored(bytes: usize) -> DocumentVectors {
        let mut vectors = DocumentVectors::within(2, bytes);
        for first in [0, 3_000, 6_000] {
            let values = (first..first + 3_000).flat_map(|row| [row as f32, 1.0]).collect();
            vectors.add(&Embeddings::new(values, 2)).unwrap();
        }
        vectors.finish().unwrap()
    }

    #[test]
    fn vectors_in_a_file_are_those_in_memory() {
        let (in_memory, in_file) = (stored(MEMORY), stored(30_000));
        assert!(matches!(in_memory.place, Place::Memory(_)) && matches!(in_file.place, Place::File(_)));
        let expected = blocks(&in_memory);
        assert_eq!(expected.iter().map(|(first, _)| *first).collect::<Vec<_>>(), [0, 4_096, 8_192]);
        assert_eq!(blocks(&in_file), expected);
        // Each search reads the file from its beginning.
        assert_eq!(blocks(&in_file), expected);
        assert_eq!(in_file.len(), 9_000);
    }

    #[test]
    fn a_vector_has_length_one_or_zero() {
        let mut vectors = DocumentVectors::new(2);
        vectors.add(&Embeddings::new(vec![3.0, 4.0, 0.0, 0.0], 2)).unwrap();
        assert_eq!(blocks(&vectors), [(0, vec![0.6, 0.8, 0.0, 0.0])]);
    }

    #[test]
    fn another_width_is_an_error() {
        assert!(DocumentVectors::new(3).add(&Embeddings::new(vec![1.0, 0.0], 2)).is_err());
    }
}
