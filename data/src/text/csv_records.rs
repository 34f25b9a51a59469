//! Reads the records of a `.csv` file.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use super::TextError;
use super::decode::Encodings;
use super::lines::MAX_LINE_BYTES;
use super::open::{decode, open, without_bom};
use crate::error::Result;

/// A `.csv` file, whose first record holds the names of the columns.
pub(super) struct CsvRecords {
    reader: csv::Reader<Bounded>,
    record: csv::ByteRecord,
    path: PathBuf,
    encodings: Encodings,
}

impl CsvRecords {
    /// Opens the file and reads the names; `None` for a file without a record.
    pub(super) fn open(path: &Path, encodings: &Encodings) -> Result<Option<(Self, Vec<String>)>> {
        let bounded = Bounded { inner: open(path, encodings)?, since_record: 0, total: 0, last: 0 };
        let reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bounded);
        let (path, encodings) = (path.to_owned(), encodings.clone());
        let mut records = Self { reader, record: csv::ByteRecord::new(), path, encodings };
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

    /// Reads the next record; `false` after the last.
    ///
    /// # Errors
    /// The record has more or fewer fields than the first, is too long, or leaves a quote open at the file's end.
    pub(super) fn read(&mut self) -> Result<bool> {
        self.reader.get_mut().since_record = 0;
        let line = self.reader.position().line();
        let read = self.reader.read_byte_record(&mut self.record).map_err(|source| {
            let path = self.path.clone();
            match source.into_kind() {
                csv::ErrorKind::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<TooLong>()) => {
                    TextError::LineTooLong { path, line, limit: MAX_LINE_BYTES }.into()
                }
                csv::ErrorKind::Io(error) => super::open::read_error(error, &path, Some(line), &self.encodings),
                csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
                    let line = pos.map_or(line, |pos| pos.line());
                    TextError::Ragged { path, line, found: len, wanted: expected_len }.into()
                }
                kind => TextError::Csv { path, line, what: format!("{kind:?}") }.into(),
            }
        })?;
        if read && self.ends_in_open_quote() {
            let (path, line) = (self.path.clone(), self.line());
            return Err(TextError::Csv { path, line, what: "a quote is left open".into() }.into());
        }
        Ok(read)
    }

    /// Whether the record spans lines up to the end of the file and the file does not end in a quote. Only a quoted
    /// field spans lines.
    fn ends_in_open_quote(&self) -> bool {
        let source = self.reader.get_ref();
        let over_lines = || self.record.iter().next_back().is_some_and(|field| field.contains(&b'\n'));
        self.reader.position().byte() == source.total && source.last != b'"' && over_lines()
    }

    /// The line on which the record begins, from 1.
    pub(super) fn line(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }

    /// The record's field at `index`; empty past the end.
    pub(super) fn field(&self, index: usize) -> Result<String> {
        let field = self.record.get(index).unwrap_or_default();
        decode(field, &self.path, Some(self.line()), &self.encodings).map(Into::into)
    }
}

/// A reader that ends with an error once a record is too long, so that an open quote cannot swallow the file.
struct Bounded {
    inner: Box<dyn BufRead + Send>,
    /// Bytes read since the last record was asked for.
    since_record: usize,
    /// Bytes read in all.
    total: u64,
    /// The last byte read that is no line end.
    last: u8,
}

#[derive(Debug, thiserror::Error)]
#[error("a record too long")]
struct TooLong;

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since_record > MAX_LINE_BYTES {
            return Err(io::Error::other(TooLong));
        }
        let count = self.inner.read(buffer)?;
        self.since_record += count;
        self.total += count as u64;
        let ends_line = |byte: &&u8| matches!(byte, b'\n' | b'\r');
        self.last = buffer[..count].iter().rev().find(|byte| !ends_line(byte)).copied().unwrap_or(self.last);
        Ok(count)
    }
}
