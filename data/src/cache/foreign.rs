//! Parquet made elsewhere, read as a cache: row groups, cut into shards where they are large.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader};
use walkdir::WalkDir;

use super::columns::{Columns, Decoder, Found};
use super::error::{CacheError, RowProblem};
use super::parquet_in::{self, BATCH_ROWS, Part};
use super::reader::Shard;
use super::tokens::is_tokens_name;
use super::writer::SHARD_ROWS;
use crate::caught::next_batch;
use crate::{Error, Result};

#[derive(Debug)]
pub(super) struct Foreign {
    files: Vec<SourceFile>,
    shards: Vec<Piece>,
    dimension: usize,
    /// Where the last read stopped inside a row group: in a file without an index of its pages no reader can jump, so reading on beats
    /// starting over.
    cursor: Mutex<Option<Cursor>>,
}

#[derive(Debug)]
struct SourceFile {
    path: PathBuf,
    found: Found,
}

/// At most [`SHARD_ROWS`] rows of one row group.
#[derive(Debug, Clone, Copy)]
struct Piece {
    file: usize,
    row_group: usize,
    /// Rows of the row group before it.
    skip: usize,
    rows: usize,
    /// Rows of the file before it.
    first_row: u64,
    /// Rows of all files before it.
    first_id: u64,
}

struct Cursor {
    next: usize,
    reader: ParquetRecordBatchReader,
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Foreign {
    pub fn open(path: &Path, columns: &Columns) -> Result<Self> {
        let (mut files, mut shards) = (Vec::new(), Vec::new());
        let (mut first_id, mut dimension) = (0, None);
        for path in parquet_files(path)? {
            let (_, metadata) = parquet_in::open(&path)?;
            let found = columns.find(metadata.schema(), &path)?;
            cut(&metadata, files.len(), &mut first_id, &mut shards);
            files.push(SourceFile { path, found });
        }
        if let Some(&piece) = shards.first() {
            dimension = Some(width(&files[piece.file], piece)?);
        }
        match dimension {
            Some(dimension) => Ok(Self { files, shards, dimension, cursor: Mutex::new(None) }),
            None => Err(CacheError::Empty { path: path.to_owned() }.into()),
        }
    }

    pub fn dimension(&self) -> usize {
        self.dimension
    }

    pub fn rows(&self) -> u64 {
        self.shards.iter().map(|piece| piece.rows as u64).sum()
    }

    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    pub fn shard_rows(&self, shard: usize) -> usize {
        self.shards.get(shard).map_or(0, |piece| piece.rows)
    }

    /// Reads a shard; none past the last.
    pub fn read(&self, shard: usize) -> Result<Option<Shard>> {
        let Some(piece) = self.shards.get(shard) else { return Ok(None) };
        let SourceFile { path, found } = &self.files[piece.file];
        // What a panicking reader left is thrown away, so poison doesn't matter.
        let mut cursor = self.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reader = match cursor.take() {
            Some(cursor) if cursor.next == shard => cursor.reader,
            _ => {
                let (file, metadata) = parquet_in::open(path)?;
                let part =
                    Part { row_groups: vec![piece.row_group], skip: piece.skip, rows: None, batch_rows: BATCH_ROWS };
                parquet_in::reader(file, metadata, *found, part, path)?
            }
        };
        let mut decoder = Decoder { path, found: *found, dimension: self.dimension, row: piece.first_row };
        let mut texts = parquet_in::reserve(piece.rows);
        let mut embeddings = parquet_in::reserve(piece.rows.saturating_mul(self.dimension));
        parquet_in::take(&mut reader, &mut decoder, piece.rows, &mut texts, &mut embeddings)?;
        let goes_on = self.shards.get(shard + 1).is_some_and(|next| next.skip > 0);
        *cursor = goes_on.then_some(Cursor { next: shard + 1, reader });
        Ok(Some(Shard { first_id: piece.first_id, texts, embeddings }))
    }
}

/// The file itself, or the Parquet files of a folder in order of name; hidden ones, those that begin with an underscore
/// (Spark's) and the token vectors are no data.
fn parquet_files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let walk = WalkDir::new(path).sort_by_file_name().into_iter().filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() == 0 || !(name.starts_with(['.', '_']) || is_tokens_name(&name))
    });
    for entry in walk {
        let entry = entry.map_err(|error| Error::io("list", path)(error.into()))?;
        if entry.file_type().is_file()
            && entry.path().extension().is_some_and(|end| end.eq_ignore_ascii_case("parquet"))
        {
            files.push(entry.into_path());
        }
    }
    if files.is_empty() { Err(CacheError::Nothing { path: path.to_owned() }.into()) } else { Ok(files) }
}

fn cut(metadata: &ArrowReaderMetadata, file: usize, first_id: &mut u64, shards: &mut Vec<Piece>) {
    let mut first_row = 0;
    for (row_group, group) in metadata.metadata().row_groups().iter().enumerate() {
        let group_rows = usize::try_from(group.num_rows()).unwrap_or_default();
        for skip in (0..group_rows).step_by(SHARD_ROWS) {
            let rows = SHARD_ROWS.min(group_rows - skip);
            shards.push(Piece { file, row_group, skip, rows, first_row, first_id: *first_id });
            first_row += rows as u64;
            *first_id += rows as u64;
        }
    }
}

/// The width of the vectors: what the type says, else that of the first row.
fn width(SourceFile { path, found }: &SourceFile, first: Piece) -> Result<usize> {
    let width = match found.width {
        Some(width) => width,
        None => {
            let (file, metadata) = parquet_in::open(path)?;
            let part = Part { row_groups: vec![first.row_group], skip: 0, rows: Some(1), batch_rows: 1 };
            let mut reader = parquet_in::reader(file, metadata, *found, part, path)?;
            let batch = next_batch(&mut reader).transpose().map_err(CacheError::arrow(path))?;
            batch.map_or(0, |batch| super::columns::first_width(&batch, *found))
        }
    };
    if width == 0 {
        let problem = RowProblem::NullVector;
        return Err(CacheError::Row { path: path.to_owned(), row: first.first_row, problem }.into());
    }
    Ok(width)
}
