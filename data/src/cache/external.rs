//! External Parquet, made by another program and read as a cache. A row group is a shard; a large one is cut into
//! several.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader};
use walkdir::WalkDir;

use super::columns::{ColumnIndices, Columns, Decoder, first_width};
use super::error::{CacheError, RowProblem};
use super::format::{SHARD_ROWS, is_tokens_name};
use super::parquet_in;
use super::shard::Shard;
use crate::parquet_file::next_batch;
use crate::{Error, Result};

#[derive(Debug)]
pub(super) struct ExternalParquet {
    files: Vec<ExternalFile>,
    pub shards: Vec<ExternalShard>,
    pub dimension: usize,
    /// Where the last read stopped inside a row group. In a file without an index of its pages no reader can jump, so
    /// the next shard is read on from there.
    cursor: Mutex<Option<Cursor>>,
}

#[derive(Debug)]
struct ExternalFile {
    path: PathBuf,
    columns: ColumnIndices,
}

/// At most [`SHARD_ROWS`] rows of one row group.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExternalShard {
    file: usize,
    row_group: usize,
    /// Rows of the row group before it.
    skip: usize,
    pub rows: usize,
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

impl ExternalParquet {
    pub(super) fn open(path: &Path, columns: &Columns) -> Result<Self> {
        Self::of_files(path, parquet_files(path)?, columns)
    }

    /// Opens these files, of the folder `path`.
    pub(super) fn of_files(path: &Path, paths: Vec<PathBuf>, columns: &Columns) -> Result<Self> {
        let (mut files, mut shards) = (Vec::new(), Vec::new());
        let mut first_id = 0;
        for path in paths {
            let (_, metadata) = parquet_in::open(&path)?;
            let columns = columns.find(metadata.schema(), &path)?;
            cut(&metadata, files.len(), &mut first_id, &mut shards);
            files.push(ExternalFile { path, columns });
        }
        let Some(&first) = shards.first() else { return Err(CacheError::Empty { path: path.to_owned() }.into()) };
        let dimension = width(&files[first.file], first)?;
        Ok(Self { files, shards, dimension, cursor: Mutex::new(None) })
    }

    /// The number of the file that a shard lies in, among the files that were opened.
    pub(super) fn file_of(&self, shard: usize) -> usize {
        self.shards[shard].file
    }

    /// Reads a shard.
    pub(super) fn read(&self, number: usize) -> Result<Shard> {
        let shard = self.shards[number];
        let &ExternalFile { ref path, columns } = &self.files[shard.file];
        // A poisoned lock does no harm: the cursor is taken out before it is used.
        let mut cursor = self.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reader = match cursor.take() {
            Some(cursor) if cursor.next == number => cursor.reader,
            _ => {
                let (file, metadata) = parquet_in::open(path)?;
                parquet_in::reader(file, metadata, columns, path, |builder| {
                    builder.with_row_groups(vec![shard.row_group]).with_offset(shard.skip)
                })?
            }
        };
        let decoder = Decoder { path, columns, dimension: self.dimension, row: shard.first_row };
        let read = parquet_in::read_shard(&mut reader, decoder, shard.rows, shard.first_id)?;
        let group_continues = self.shards.get(number + 1).is_some_and(|next| next.skip > 0);
        *cursor = group_continues.then_some(Cursor { next: number + 1, reader });
        Ok(read)
    }
}

/// The file itself, or the Parquet files of a folder sorted by name. Hidden files, names that begin with an underscore
/// (Spark's) and token vectors are left out.
pub(super) fn parquet_files(path: &Path) -> Result<Vec<PathBuf>> {
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

/// Adds the shards of a file.
fn cut(metadata: &ArrowReaderMetadata, file: usize, first_id: &mut u64, shards: &mut Vec<ExternalShard>) {
    let mut first_row = 0;
    for (row_group, group) in metadata.metadata().row_groups().iter().enumerate() {
        let group_rows = usize::try_from(group.num_rows()).unwrap_or_default();
        for skip in (0..group_rows).step_by(SHARD_ROWS) {
            let rows = SHARD_ROWS.min(group_rows - skip);
            shards.push(ExternalShard { file, row_group, skip, rows, first_row, first_id: *first_id });
            first_row += rows as u64;
            *first_id += rows as u64;
        }
    }
}

/// The width of the vectors: by the column's type, or else that of the first row.
fn width(ExternalFile { path, columns }: &ExternalFile, first: ExternalShard) -> Result<usize> {
    let width = match columns.width {
        Some(width) => width,
        None => {
            let (file, metadata) = parquet_in::open(path)?;
            let mut reader = parquet_in::reader(file, metadata, *columns, path, |builder| {
                builder.with_row_groups(vec![first.row_group]).with_limit(1)
            })?;
            let batch = next_batch(&mut reader).transpose().map_err(CacheError::arrow(path))?;
            batch.map_or(0, |batch| first_width(&batch, *columns))
        }
    };
    if width == 0 {
        let problem = RowProblem::NullVector;
        return Err(CacheError::Row { path: path.to_owned(), row: first.first_row, problem }.into());
    }
    Ok(width)
}
