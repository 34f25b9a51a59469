//! Encoded vectors as JSON lines, in NumPy's format, or as Parquet.

use std::io::{self, BufWriter, Stdout, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::StringArray;
use arrow::datatypes::{DataType, Field};
use clap::ValueEnum;
use half::f16;
use limbeck_data::files::PendingFile;
use limbeck_encoder::Embeddings;

use crate::error::Result;
use crate::vector_parquet::{VectorParquet, io_error};
use crate::vectors::{VectorType, binary, int8};

/// A format of vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A matrix for NumPy
    Npy,
    /// Columns `text` and `embedding`
    Parquet,
    /// An array of values a line
    Jsonl,
}

/// Writes vectors, row by row in the order of their texts.
pub struct VectorWriter {
    to: Target,
    kind: VectorType,
    dimension: usize,
    path: PathBuf,
    rows: u64,
}

enum Target {
    Stdout(BufWriter<Stdout>),
    JsonLines(PendingFile),
    Npy(PendingFile),
    Parquet(Box<VectorParquet>),
}

impl VectorWriter {
    /// Writes JSON lines to standard output.
    pub fn to_stdout(dimension: usize, kind: VectorType) -> Self {
        let to = Target::Stdout(BufWriter::new(io::stdout()));
        Self { to, kind, dimension, path: "standard output".into(), rows: 0 }
    }

    /// Writes to a file, which appears once it is whole.
    pub fn create(path: &Path, format: Format, dimension: usize, kind: VectorType) -> Result<Self> {
        let mut file = PendingFile::create(path)?;
        let to = match format {
            Format::Jsonl => Ok(Target::JsonLines(file)),
            Format::Npy => file.write_all(&[0; NPY_HEADER]).map(|()| Target::Npy(file)),
            Format::Parquet => {
                let text = Arc::new(Field::new("text", DataType::Utf8, false));
                let writer = VectorParquet::new(file, &[text], (dimension, kind), None).map_err(io_error);
                writer.map(|writer| Target::Parquet(Box::new(writer)))
            }
        };
        let to = to.map_err(limbeck_data::Error::io("write", path))?;
        Ok(Self { to, kind, dimension, path: path.to_path_buf(), rows: 0 })
    }

    /// Writes the vectors of `texts`.
    pub fn write(&mut self, texts: &[String], vectors: &Embeddings) -> Result<()> {
        let written = match &mut self.to {
            Target::Stdout(to) => write_json_lines(to, vectors, self.kind),
            Target::JsonLines(file) => write_json_lines(file, vectors, self.kind),
            Target::Npy(file) => write_npy_rows(file, vectors, self.kind),
            Target::Parquet(writer) => {
                writer.write(&[Arc::new(StringArray::from_iter_values(texts))], vectors).map_err(io_error)
            }
        };
        written.map_err(limbeck_data::Error::io("write", &self.path))?;
        self.rows += vectors.rows() as u64;
        Ok(())
    }

    /// Moves the file to its place and returns the number of rows.
    pub fn finish(self) -> Result<u64> {
        let Self { to, kind, dimension, path, rows } = self;
        let file = match to {
            Target::Stdout(mut to) => to.flush().map(|()| None),
            Target::JsonLines(file) => Ok(Some(file)),
            Target::Npy(mut file) => file.rewrite_beginning(&npy_header(rows, dimension, kind)).map(|()| Some(file)),
            Target::Parquet(writer) => writer.finish().map(Some).map_err(io_error),
        };
        if let Some(file) = file.map_err(limbeck_data::Error::io("write", &path))? {
            file.commit()?;
        }
        Ok(rows)
    }
}

fn write_json_lines(to: &mut impl Write, vectors: &Embeddings, kind: VectorType) -> io::Result<()> {
    let mut signs = Vec::new();
    for row in vectors.iter() {
        let line = match kind {
            VectorType::F32 => serde_json::to_string(row),
            VectorType::F16 => {
                serde_json::to_string(&row.iter().map(|&x| f16::from_f32(x).to_f32()).collect::<Vec<_>>())
            }
            VectorType::Int8 => serde_json::to_string(&int8(row).collect::<Vec<_>>()),
            VectorType::Binary => serde_json::to_string(&binary(row, &mut signs).collect::<Vec<_>>()),
        };
        writeln!(to, "{}", line?)?;
    }
    Ok(())
}

/// The length of the header of an NPY file, into which the number of rows is written at the end.
const NPY_HEADER: usize = 128;

/// The header of NumPy's format, version 1.0: a little-endian matrix. It is written here, since the crates for it want
/// the number of rows before the first row.
fn npy_header(rows: u64, dimension: usize, kind: VectorType) -> Vec<u8> {
    let (kind, width) = (kind.numpy(), kind.width(dimension));
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((NPY_HEADER as u16 - 10).to_le_bytes());
    header.extend(format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({rows}, {width}), }}").into_bytes());
    header.resize(NPY_HEADER - 1, b' ');
    header.push(b'\n');
    header
}

fn write_npy_rows(file: &mut PendingFile, vectors: &Embeddings, kind: VectorType) -> io::Result<()> {
    let (mut bytes, mut signs) = (Vec::new(), Vec::new());
    for row in vectors.iter() {
        bytes.clear();
        match kind {
            VectorType::F32 => bytes.extend(row.iter().flat_map(|value| value.to_le_bytes())),
            VectorType::F16 => bytes.extend(row.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes())),
            VectorType::Int8 => bytes.extend(int8(row).map(|value| value as u8)),
            VectorType::Binary => bytes.extend(binary(row, &mut signs)),
        }
        file.write_all(&bytes)?;
    }
    Ok(())
}
