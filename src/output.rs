//! Vectors given out: JSON lines, NumPy's format, Parquet.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeListArray, Float16Array, Float32Array, Int8Array, RecordBatch, StringArray, UInt8Array,
};
use arrow::datatypes::{DataType, Field, Schema};
use half::f16;
use limbeck_data::files::PendingFile;
use limbeck_encoder::Embeddings;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use crate::error::{Error, Result};
use crate::vectors::{VectorType, binary, int8};

/// Takes vectors, row by row in the order of their texts.
pub trait Sink {
    /// Takes the vectors of `texts`.
    fn write(&mut self, texts: &[String], vectors: &Embeddings) -> Result<()>;

    /// Puts the file in its place; gives the number of rows.
    fn finish(self: Box<Self>) -> Result<u64>;
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path: PathBuf = path.to_path_buf();
    move |source| limbeck_data::Error::io("write", &path)(source).into()
}

/// As [`failed`], for what writing Parquet gives: an error of the disk keeps its kind.
fn failed_parquet(path: &Path) -> impl FnOnce(parquet::errors::ParquetError) -> Error {
    let failed = failed(path);
    move |error| {
        failed(match error {
            parquet::errors::ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
                Ok(error) => *error,
                Err(other) => std::io::Error::other(other),
            },
            other => std::io::Error::other(other),
        })
    }
}

/// An array of numbers a line.
pub struct JsonLines<W> {
    to: W,
    kind: VectorType,
    path: PathBuf,
    rows: u64,
    commit: fn(W) -> Result<()>,
}

impl<W: Write> JsonLines<W> {
    /// Writes to a stream.
    pub fn new(to: W, kind: VectorType) -> Self {
        let commit = |mut to: W| to.flush().map_err(failed(Path::new("standard output")));
        Self { to, kind, path: "standard output".into(), rows: 0, commit }
    }
}

impl JsonLines<PendingFile> {
    /// Writes to a file, seen once it is whole.
    pub fn to_file(path: &Path, kind: VectorType) -> Result<Self> {
        let commit = |file: PendingFile| file.commit().map(|_| ()).map_err(|error| limbeck_data::Error::from(error).into());
        Ok(Self { to: PendingFile::create(path).map_err(limbeck_data::Error::from)?, kind, path: path.to_path_buf(), rows: 0, commit })
    }
}

impl<W: Write> Sink for JsonLines<W> {
    fn write(&mut self, _texts: &[String], vectors: &Embeddings) -> Result<()> {
        for row in vectors.iter() {
            let line = match self.kind {
                VectorType::F32 => serde_json::to_string(row),
                VectorType::F16 => serde_json::to_string(&row.iter().map(|&x| rounded(x)).collect::<Vec<_>>()),
                VectorType::Int8 => serde_json::to_string(&int8(row).collect::<Vec<_>>()),
                VectorType::Binary => serde_json::to_string(&binary(row).collect::<Vec<_>>()),
            };
            let line = line.unwrap_or_default();
            writeln!(self.to, "{line}").map_err(failed(&self.path))?;
        }
        self.rows += vectors.rows() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        (self.commit)(self.to)?;
        Ok(self.rows)
    }
}

/// The nearest f16.
fn rounded(number: f32) -> f32 {
    f16::from_f32(number).to_f32()
}

/// NumPy's format, version 1.0: a matrix of little-endian numbers.
pub struct Npy {
    kind: VectorType,
    file: PendingFile,
    path: PathBuf,
    rows: u64,
    dimension: usize,
}

/// The header's whole length: the number of rows is put in at the end, in the same space.
const NPY_HEADER: usize = 128;

impl Npy {
    /// Begins the file at `path`.
    pub fn create(path: &Path, dimension: usize, kind: VectorType) -> Result<Self> {
        let mut file = PendingFile::create(path).map_err(limbeck_data::Error::from)?;
        file.write_all(&[0; NPY_HEADER]).map_err(failed(path))?;
        Ok(Self { kind, file, path: path.to_path_buf(), rows: 0, dimension })
    }
}

fn npy_header(rows: u64, width: usize, kind: VectorType) -> Vec<u8> {
    let kind = kind.numpy();
    let length = (NPY_HEADER - 10) as u16;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend(length.to_le_bytes());
    header.extend(format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({rows}, {width}), }}").into_bytes());
    header.resize(NPY_HEADER - 1, b' ');
    header.push(b'\n');
    header
}

impl Sink for Npy {
    fn write(&mut self, _texts: &[String], vectors: &Embeddings) -> Result<()> {
        let mut bytes = Vec::new();
        for row in vectors.iter() {
            bytes.clear();
            match self.kind {
                VectorType::F32 => bytes.extend(row.iter().flat_map(|number| number.to_le_bytes())),
                VectorType::F16 => bytes.extend(row.iter().flat_map(|&number| f16::from_f32(number).to_le_bytes())),
                VectorType::Int8 => bytes.extend(int8(row).map(|number| number as u8)),
                VectorType::Binary => bytes.extend(binary(row)),
            }
            self.file.write_all(&bytes).map_err(failed(&self.path))?;
        }
        self.rows += vectors.rows() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        let Self { kind, mut file, path, rows, dimension } = *self;
        file.rewrite_beginning(&npy_header(rows, kind.width(dimension), kind)).map_err(failed(&path))?;
        file.commit().map_err(limbeck_data::Error::from)?;
        Ok(rows)
    }
}

/// Parquet with the columns `text` and `embedding` (a fixed-size list of f32, f16, i8 or u8).
pub struct Parquet {
    writer: ArrowWriter<PendingFile>,
    schema: Arc<Schema>,
    path: PathBuf,
    kind: VectorType,
    width: usize,
    rows: u64,
}

impl Parquet {
    /// Begins the file at `path`.
    pub fn create(path: &Path, dimension: usize, kind: VectorType) -> Result<Self> {
        let number = match kind {
            VectorType::F32 => DataType::Float32,
            VectorType::F16 => DataType::Float16,
            VectorType::Int8 => DataType::Int8,
            VectorType::Binary => DataType::UInt8,
        };
        let width = kind.width(dimension);
        let vector = DataType::FixedSizeList(Arc::new(Field::new("item", number, false)), width as i32);
        let schema = Arc::new(Schema::new(vec![
            Field::new("text", DataType::Utf8, false),
            Field::new("embedding", vector, false),
        ]));
        let embedding = ColumnPath::new(vec!["embedding".into(), "list".into(), "item".into()]);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_column_dictionary_enabled(embedding, false)
            .set_max_row_group_row_count(Some(16_384))
            .build();
        let writer = ArrowWriter::try_new(PendingFile::create(path).map_err(limbeck_data::Error::from)?, schema.clone(), Some(properties));
        let writer = writer.map_err(failed_parquet(path))?;
        Ok(Self { writer, schema, path: path.to_path_buf(), kind, width, rows: 0 })
    }
}

impl Sink for Parquet {
    fn write(&mut self, texts: &[String], vectors: &Embeddings) -> Result<()> {
        let DataType::FixedSizeList(item, _) = self.schema.field(1).data_type() else { return Ok(()) };
        let all = vectors.as_slice();
        let numbers: ArrayRef = match self.kind {
            VectorType::F32 => Arc::new(Float32Array::from(all.to_vec())),
            VectorType::F16 => Arc::new(Float16Array::from_iter_values(all.iter().map(|&x| f16::from_f32(x)))),
            VectorType::Int8 => Arc::new(Int8Array::from_iter_values(int8(all))),
            VectorType::Binary => Arc::new(UInt8Array::from_iter_values(vectors.iter().flat_map(binary))),
        };
        let other = |error: arrow::error::ArrowError| std::io::Error::other(error);
        let list = FixedSizeListArray::try_new(item.clone(), self.width as i32, numbers, None);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(texts)),
            Arc::new(list.map_err(other).map_err(failed(&self.path))?),
        ];
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(other).map_err(failed(&self.path))?;
        self.writer.write(&batch).map_err(failed_parquet(&self.path))?;
        self.rows += texts.len() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        let file = self.writer.into_inner().map_err(failed_parquet(&self.path))?;
        file.commit().map_err(limbeck_data::Error::from)?;
        Ok(self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numpy_header_fills_its_space_and_says_the_shape() {
        let header = npy_header(1_000_000, 384, VectorType::F16);
        assert_eq!(header.len() % 64, 0);
        assert!(header.starts_with(b"\x93NUMPY\x01\x00") && header.ends_with(b"\n"));
        assert!(String::from_utf8_lossy(&header).contains("'<f2', 'fortran_order': False, 'shape': (1000000, 384)"));
    }
}
