//! [`VectorParquet`]: columns and a column of vectors in a Parquet file.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use bytes::Bytes;
use half::f16;
use half::slice::HalfFloatSliceExt;
use limbeck_data::VectorType;
use limbeck_data::files::PendingFile;
use limbeck_encoder::Embeddings;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{self, ByteArray, FixedLenByteArray, FixedLenByteArrayType, FloatType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::ColumnPath;

use crate::vectors::{binary, int8};

/// The name of the column with the vectors.
pub(crate) const EMBEDDING: &str = "embedding";
/// Rows of a row group.
const GROUP_ROWS: usize = 16_384;
/// Rows whose values are handed to the column at once.
const ROWS_AT_ONCE: usize = 64;

type Result<T> = std::result::Result<T, ParquetError>;

/// Writes columns, and as the last of them `embedding`, a list of fixed size of f32, f16, i8 or u8.
///
/// arrow-rs finds two levels for every number of a list; of lists without a null that all have one length they are known.
/// So the numbers go straight to the column's writer, past arrow-rs, which halves the cost of f32.
pub(crate) struct VectorParquet {
    file: SerializedFileWriter<PendingFile>,
    groups: ArrowRowGroupWriterFactory,
    kept: Vec<FieldRef>,
    /// The open row group's other columns, a writer a leaf.
    columns: Vec<ArrowColumnWriter>,
    /// The open row group's vectors.
    values: Values,
    rows: usize,
    levels: Levels,
}

impl VectorParquet {
    /// Writes `kept` columns and vectors of `dimension` numbers.
    pub(crate) fn new(
        file: PendingFile,
        kept: &[FieldRef],
        (dimension, kind): (usize, VectorType),
        metadata: Option<KeyValue>,
    ) -> Result<Self> {
        let width = kind.width(dimension);
        let (value_type, values) = match kind {
            VectorType::F32 => (DataType::Float32, Values::F32(Vec::new())),
            VectorType::F16 => (DataType::Float16, Values::F16(Vec::new())),
            VectorType::Int8 => (DataType::Int8, Values::Int8(Vec::new())),
            VectorType::Binary => (DataType::UInt8, Values::Binary(Vec::new())),
        };
        let list = DataType::new_fixed_size_list(value_type, width as i32, false);
        let embedding = Arc::new(Field::new(EMBEDDING, list, false));
        let schema = Schema::new(kept.iter().cloned().chain([embedding]).collect::<Vec<_>>());
        let writer = ArrowWriter::try_new(file, Arc::new(schema), Some(properties(kind, metadata)))?;
        let (file, groups) = writer.into_serialized_writer()?;
        let (kept, levels) = (kept.to_vec(), Levels::new(width));
        Ok(Self { file, groups, kept, columns: Vec::new(), values, rows: 0, levels })
    }

    /// Writes rows: the kept columns' and as many vectors.
    pub(crate) fn write(&mut self, kept: &[ArrayRef], vectors: &Embeddings) -> Result<()> {
        let mut at = 0;
        while at < vectors.rows() {
            let rows = (vectors.rows() - at).min(GROUP_ROWS - self.rows);
            if self.columns.is_empty() {
                self.columns = self.groups.create_column_writers(self.file.flushed_row_groups().len())?;
                self.columns.pop();
            }
            let mut columns = self.columns.iter_mut();
            for (field, array) in self.kept.iter().zip(kept) {
                let leaves = compute_leaves(field, &array.slice(at, rows))?;
                leaves.iter().zip(&mut columns).try_for_each(|(leaf, column)| column.write(leaf))?;
            }
            let dimension = vectors.dimension();
            self.values.extend(&vectors.as_slice()[at * dimension..][..rows * dimension], dimension);
            self.rows += rows;
            at += rows;
            if self.rows == GROUP_ROWS {
                self.end_group()?;
            }
        }
        Ok(())
    }

    /// Ends the file and returns it.
    pub(crate) fn finish(mut self) -> Result<PendingFile> {
        if self.rows > 0 {
            self.end_group()?;
        }
        self.file.into_inner()
    }

    fn end_group(&mut self) -> Result<()> {
        let mut group = self.file.next_row_group()?;
        for column in self.columns.drain(..) {
            column.close()?.append_to_row_group(&mut group)?;
        }
        let none = || ParquetError::General(format!("no column `{EMBEDDING}` in the row group"));
        let mut column = group.next_column()?.ok_or_else(none)?;
        let levels = &self.levels;
        match &self.values {
            Values::F32(values) => levels.write::<FloatType, _>(&mut column, values, as_they_are),
            Values::F16(values) => levels.write::<FixedLenByteArrayType, _>(&mut column, values, two_bytes_each),
            Values::Int8(values) => levels.write::<Int32Type, _>(&mut column, values, widened),
            Values::Binary(values) => levels.write::<Int32Type, _>(&mut column, values, widened),
        }?;
        column.close()?;
        group.close()?;
        self.values.clear();
        self.rows = 0;
        Ok(())
    }
}

/// Vectors, row after row.
enum Values {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Int8(Vec<i8>),
    Binary(Vec<u8>),
}

impl Values {
    /// Appends rows of `dimension` numbers.
    fn extend(&mut self, rows: &[f32], dimension: usize) {
        match self {
            Self::F32(values) => values.extend_from_slice(rows),
            Self::F16(values) => {
                let start = values.len();
                values.resize(start + rows.len(), f16::ZERO);
                values[start..].convert_from_f32_slice(rows);
            }
            Self::Int8(values) => values.extend(int8(rows)),
            Self::Binary(values) => {
                let mut signs = Vec::new();
                rows.chunks(dimension).for_each(|row| values.extend(binary(row, &mut signs)));
            }
        }
    }

    fn clear(&mut self) {
        match self {
            Self::F32(values) => values.clear(),
            Self::F16(values) => values.clear(),
            Self::Int8(values) => values.clear(),
            Self::Binary(values) => values.clear(),
        }
    }
}

/// The levels of [`ROWS_AT_ONCE`] lists of one length: every value is there, and each but its list's first repeats.
/// (Dremel: Melnik et al. 2010.)
struct Levels {
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

impl Levels {
    fn new(width: usize) -> Self {
        let repetition = (0..ROWS_AT_ONCE * width).map(|at| i16::from(at % width != 0)).collect();
        Self { definition: vec![1; ROWS_AT_ONCE * width], repetition }
    }

    /// Writes `values`, some lists at a time, in the type in which Parquet stores them.
    fn write<T: data_type::DataType, V>(
        &self,
        column: &mut SerializedColumnWriter,
        values: &[V],
        stored: impl Fn(&[V]) -> Cow<[T::T]>,
    ) -> Result<()> {
        for values in values.chunks(self.definition.len()) {
            let [definition, repetition] =
                [&self.definition, &self.repetition].map(|levels| Some(&levels[..values.len()]));
            column.typed::<T>().write_batch(&stored(values), definition, repetition)?;
        }
        Ok(())
    }
}

fn as_they_are(values: &[f32]) -> Cow<'_, [f32]> {
    Cow::Borrowed(values)
}

/// Parquet has no integers below 32 bits.
fn widened<V: Copy + Into<i32>>(values: &[V]) -> Cow<'_, [i32]> {
    values.iter().map(|&value| value.into()).collect()
}

/// Parquet stores f16 as two bytes.
fn two_bytes_each(values: &[f16]) -> Cow<'_, [FixedLenByteArray]> {
    let bytes = Bytes::from_iter(values.iter().flat_map(|value| value.to_le_bytes()));
    (0..values.len()).map(|at| ByteArray::from(bytes.slice(2 * at..2 * at + 2)).into()).collect()
}

/// Vectors are noise to dictionaries, compression and statistics, which would cost more than the encoding. Parquet
/// stores bytes as numbers of 32 bits; packed as differences each takes about 9.
fn properties(kind: VectorType, metadata: Option<KeyValue>) -> WriterProperties {
    let encoding = match kind {
        VectorType::F32 | VectorType::F16 => Encoding::PLAIN,
        VectorType::Int8 | VectorType::Binary => Encoding::DELTA_BINARY_PACKED,
    };
    let values = || ColumnPath::new(vec![EMBEDDING.into(), "list".into(), "item".into()]);
    WriterProperties::builder()
        .set_column_encoding(values(), encoding)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_column_compression(values(), Compression::UNCOMPRESSED)
        .set_column_dictionary_enabled(values(), false)
        .set_column_statistics_enabled(values(), EnabledStatistics::None)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_key_value_metadata(metadata.map(|metadata| vec![metadata]))
        .build()
}

/// An error of the disk keeps its kind.
pub(crate) fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => inner.downcast().map_or_else(io::Error::other, |error| *error),
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray, Int64Array, ListArray, RecordBatch};
    use arrow::compute::{cast, concat_batches};
    use arrow::datatypes::{Float32Type, Int64Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    const WIDTH: usize = 12;

    fn vectors(rows: std::ops::Range<usize>) -> Embeddings {
        let value = |at: usize| (at % 251) as f32 / 250.0 - 0.5;
        Embeddings::new((rows.start * WIDTH..rows.end * WIDTH).map(value).collect(), WIDTH)
    }

    /// What a file of `rows` rows holds, written by `at_once` rows.
    fn written(kind: VectorType, rows: usize, at_once: usize) -> RecordBatch {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vectors.parquet");
        let ids = |rows: std::ops::Range<usize>| Int64Array::from_iter_values(rows.map(|row| row as i64));
        let lists = |rows: std::ops::Range<usize>| {
            let list = |row: usize| (!row.is_multiple_of(3)).then(|| vec![Some(row as i64); row % 4]);
            ListArray::from_iter_primitive::<Int64Type, _, _>(rows.map(list))
        };
        let kept = [
            Arc::new(Field::new("lists", lists(0..1).data_type().clone(), true)),
            Arc::new(Field::new("id", DataType::Int64, false)),
        ];
        let file = PendingFile::create(&path).unwrap();
        let mut writer = VectorParquet::new(file, &kept, (WIDTH, kind), None).unwrap();
        for first in (0..rows).step_by(at_once) {
            let rows = first..(first + at_once).min(rows);
            let kept: [ArrayRef; 2] = [Arc::new(lists(rows.clone())), Arc::new(ids(rows.clone()))];
            writer.write(&kept, &vectors(rows)).unwrap();
        }
        writer.finish().unwrap().commit().unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap()).unwrap();
        let groups: Vec<i64> = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
        assert!(groups.iter().rev().skip(1).all(|&rows| rows == GROUP_ROWS as i64), "{groups:?}");
        let schema = reader.schema().clone();
        let batches: Vec<RecordBatch> = reader.build().unwrap().map(|batch| batch.unwrap()).collect();
        let all = concat_batches(&schema, &batches).unwrap();
        assert_eq!(all.num_rows(), rows);
        if rows > 0 {
            assert_eq!(all["id"].as_ref(), &ids(0..rows) as &dyn Array);
            assert_eq!(all["lists"].as_ref(), &lists(0..rows) as &dyn Array);
        }
        all
    }

    fn numbers(all: &RecordBatch) -> Vec<f32> {
        let values = cast(all[EMBEDDING].as_fixed_size_list().values(), &DataType::Float32).unwrap();
        values.as_primitive::<Float32Type>().values().to_vec()
    }

    #[test]
    fn columns_and_vectors_of_several_row_groups_are_read_as_they_were_written() {
        let rows = 2 * GROUP_ROWS + 100;
        let expected = vectors(0..rows).as_slice().to_vec();
        assert_eq!(numbers(&written(VectorType::F32, rows, 1_000)), expected);
        assert_eq!(numbers(&written(VectorType::F32, rows, rows)), expected);
    }

    #[test]
    fn every_type_of_vectors_is_read_as_it_was_written() {
        let all = vectors(0..200);
        let halves: Vec<f32> = all.as_slice().iter().map(|&value| f16::from_f32(value).to_f32()).collect();
        assert_eq!(numbers(&written(VectorType::F16, 200, 90)), halves);
        let bytes: Vec<f32> = int8(all.as_slice()).map(f32::from).collect();
        assert_eq!(numbers(&written(VectorType::Int8, 200, 90)), bytes);
        let mut work = Vec::new();
        let signs: Vec<f32> =
            all.iter().flat_map(|row| binary(row, &mut work).collect::<Vec<_>>()).map(f32::from).collect();
        assert_eq!(numbers(&written(VectorType::Binary, 200, 90)), signs);
    }

    #[test]
    fn a_file_without_rows_has_the_columns() {
        let none = written(VectorType::F32, 0, 1);
        let names: Vec<&str> = none.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["lists", "id", EMBEDDING]);
    }
}
