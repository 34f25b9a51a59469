//! Texts from a column of a `.tsv`, `.csv` or `.parquet` file.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, AsArray, StringArray};
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::TextError;
use super::decode::Encodings;
use super::lines::{Lines, MAX_LINE_BYTES};
use super::open::{decode, open, without_bom};
use crate::error::{Error, Result};

/// How many rows of a Parquet file are decoded at a time.
const PARQUET_ROWS: usize = 1024;

/// Which of `columns` is `wanted`; not named, it's `text`, or else the only one.
fn find_column(path: &Path, wanted: Option<&str>, columns: Vec<String>) -> Result<usize> {
    let place = |name: &str| columns.iter().position(|column| column == name);
    let path = path.to_owned();
    match (wanted, place(wanted.unwrap_or("text"))) {
        (_, Some(index)) => Ok(index),
        (Some(column), None) => Err(TextError::NoColumn { path, column: column.to_owned(), columns }.into()),
        (None, None) if columns.len() == 1 => Ok(0),
        (None, None) => Err(TextError::WhichColumn { path, columns }.into()),
    }
}

/// Lines of fields between tabs, without quoting: what a line holds is what was meant.
pub(super) struct TsvRows {
    lines: Lines,
    column: String,
    index: usize,
}

impl TsvRows {
    pub fn open(path: &Path, column: Option<&str>, encodings: &Encodings) -> Result<Option<Self>> {
        let mut lines = Lines::open(path, encodings)?;
        let Some(header) = lines.next_line()? else { return Ok(None) };
        let columns: Vec<_> = header.split('\t').map(|name| name.trim().to_owned()).collect();
        let index = find_column(path, column, columns.clone())?;
        Ok(Some(Self { lines, column: columns[index].clone(), index }))
    }
}

impl Iterator for TsvRows {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Result<String>> {
        let (found, text) = match self.lines.next_line() {
            Ok(Some(line)) => (line.split('\t').count(), line.split('\t').nth(self.index).map(str::to_owned)),
            Ok(None) => return None,
            Err(error) => return Some(Err(error)),
        };
        Some(text.ok_or_else(|| {
            let (path, line) = (self.lines.path().to_owned(), self.lines.line());
            TextError::MissingField { path, line, column: self.column.clone(), found, wanted: self.index + 1 }.into()
        }))
    }
}

/// The records of a `.csv` file, the first of which holds the names.
pub(super) struct CsvRecords {
    reader: csv::Reader<Bounded>,
    since_record: Arc<AtomicUsize>,
    record: csv::ByteRecord,
    path: PathBuf,
    encodings: Encodings,
}

impl CsvRecords {
    /// The records after the first, and the names in it; none for a file without a record.
    pub fn open(path: &Path, encodings: &Encodings) -> Result<Option<(Self, Vec<String>)>> {
        let since_record = Arc::new(AtomicUsize::new(0));
        let bounded = Bounded { inner: open(path, encodings)?, since_record: since_record.clone() };
        let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bounded);
        let (path, encodings) = (path.to_owned(), encodings.clone());
        let mut records = Self { reader, since_record, record: csv::ByteRecord::new(), path, encodings };
        if !records.read()? {
            return Ok(None);
        }
        let mut names = Vec::new();
        for name in &records.record {
            let name = decode(without_bom(name), &records.path, Some(1), &records.encodings)?;
            names.push(name.trim().to_owned());
        }
        Ok(Some((records, names)))
    }

    /// Reads the next record; false after the last.
    pub fn read(&mut self) -> Result<bool> {
        self.since_record.store(0, Ordering::Relaxed);
        let line = self.reader.position().line();
        self.reader.read_byte_record(&mut self.record).map_err(|source| {
            let path = self.path.clone();
            match source.into_kind() {
                csv::ErrorKind::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<TooLong>()) => {
                    TextError::LineTooLong { path, line, limit: MAX_LINE_BYTES }.into()
                }
                csv::ErrorKind::Io(error) => super::open::read_error(error, &path, Some(line), &self.encodings),
                kind => TextError::Csv { path, line, what: format!("{kind:?}") }.into(),
            }
        })
    }

    /// The line that the record begins at, from 1.
    pub fn line(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }

    /// How many fields the record has.
    pub fn fields(&self) -> usize {
        self.record.len()
    }

    /// The record's field at `index`; none past its end.
    pub fn field(&self, index: usize) -> Result<Option<String>> {
        let field = self.record.get(index);
        field.map(|field| decode(field, &self.path, Some(self.line()), &self.encodings).map(Into::into)).transpose()
    }
}

/// A column of a `.csv` file.
pub(super) struct CsvRows {
    records: CsvRecords,
    column: String,
    index: usize,
}

impl CsvRows {
    pub fn open(path: &Path, column: Option<&str>, encodings: &Encodings) -> Result<Option<Self>> {
        let Some((records, names)) = CsvRecords::open(path, encodings)? else { return Ok(None) };
        let index = find_column(path, column, names.clone())?;
        Ok(Some(Self { records, column: names[index].clone(), index }))
    }
}

impl Iterator for CsvRows {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Result<String>> {
        match self.records.read() {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => return Some(Err(error)),
        }
        self.records.field(self.index).transpose().or_else(|| {
            let (path, line, found) = (self.records.path.clone(), self.records.line(), self.records.fields());
            let column = self.column.clone();
            Some(Err(TextError::MissingField { path, line, column, found, wanted: self.index + 1 }.into()))
        })
    }
}

/// A reader that gives no more than one record may have, so that an open quote can't swallow the file.
struct Bounded {
    inner: Box<dyn BufRead + Send>,
    since_record: Arc<AtomicUsize>,
}

#[derive(Debug, thiserror::Error)]
#[error("a record too long")]
struct TooLong;

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since_record.load(Ordering::Relaxed) > MAX_LINE_BYTES {
            return Err(io::Error::other(TooLong));
        }
        let n = self.inner.read(buffer)?;
        self.since_record.fetch_add(n, Ordering::Relaxed);
        Ok(n)
    }
}

/// Begins to read a `.parquet` file.
pub(super) fn open_parquet(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    // Plain strings then, whatever the program that wrote it kept them in.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
        .map_err(|source| TextError::Parquet { operation: "read", path: path.to_owned(), source })?;
    Ok(builder.with_batch_size(PARQUET_ROWS))
}

/// A column of a `.parquet` file.
pub(super) struct ParquetRows {
    reader: ParquetRecordBatchReader,
    batch: Option<StringArray>,
    next: usize,
    path: PathBuf,
}

impl ParquetRows {
    pub fn open(path: &Path, column: Option<&str>) -> Result<Self> {
        let failed = |source| TextError::Parquet { operation: "read", path: path.to_owned(), source };
        let builder = open_parquet(path)?;
        let fields = builder.schema().fields().clone();
        let strings = fields.iter().filter(|field| column.is_some() || *field.data_type() == DataType::Utf8);
        let names: Vec<_> = strings.map(|field| field.name().clone()).collect();
        let name = names[find_column(path, column, names.clone())?].clone();
        let index = fields.iter().position(|field| *field.name() == name).unwrap_or_default();
        if *fields[index].data_type() != DataType::Utf8 {
            let (path, found) = (path.to_owned(), fields[index].data_type().to_string());
            return Err(TextError::ColumnType { path, column: name, found, wanted: "strings" }.into());
        }
        let mask = ProjectionMask::roots(builder.parquet_schema(), [index]);
        let reader = builder.with_projection(mask).build().map_err(failed)?;
        Ok(Self { reader, batch: None, next: 0, path: path.to_owned() })
    }
}

impl Iterator for ParquetRows {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Result<String>> {
        loop {
            if let Some(batch) = self.batch.as_ref().filter(|batch| self.next < batch.len()) {
                let row = self.next;
                self.next += 1;
                return Some(Ok(if batch.is_null(row) { String::new() } else { batch.value(row).to_owned() }));
            }
            match self.reader.next()? {
                Ok(batch) => {
                    self.batch = Some(batch.column(0).as_string().clone());
                    self.next = 0;
                }
                Err(error) => {
                    let source = parquet::errors::ParquetError::from(error);
                    let path = self.path.clone();
                    return Some(Err(TextError::Parquet { operation: "read", path, source }.into()));
                }
            }
        }
    }
}
