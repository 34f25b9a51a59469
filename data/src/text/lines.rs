//! Lines of a file, none longer than the limit of [`ReadOptions`].

use std::borrow::Cow;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::open::{decode, open, read_error, without_bom};
use super::{Place, ReadOptions, TextError};
use crate::error::Result;

/// Reads a file line by line. `\n` and `\r\n` end a line. A byte order mark at the start of a line is dropped: files
/// that were joined have marks in the middle.
pub(crate) struct Lines {
    reader: Box<dyn BufRead + Send>,
    /// The file's name.
    pub(super) path: PathBuf,
    options: ReadOptions,
    buffer: Vec<u8>,
    /// The number of the last line read, from 1; 0 before the first.
    pub(crate) line: u64,
}

impl Lines {
    /// Opens the file at `path`.
    pub(crate) fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        Ok(Self::new(open(path, &options.encodings)?, path, options))
    }

    /// Reads the lines of `reader`, which [`super::Encodings::wrap`] has wrapped; `path` is its name in errors.
    pub(super) fn new(reader: Box<dyn BufRead + Send>, path: &Path, options: &ReadOptions) -> Self {
        Self { reader, path: path.to_owned(), options: options.clone(), buffer: Vec::new(), line: 0 }
    }

    /// The place of the last line read.
    pub(super) fn place(&self) -> Place {
        Place::line(self.line)
    }

    /// The next line without its end, or `None` after the last. After a line that is too long, reading goes on with the
    /// next.
    pub(crate) fn next_line(&mut self) -> Result<Option<Cow<'_, str>>> {
        self.buffer.clear();
        self.line += 1;
        let (place, limit) = (self.place(), self.options.row_limit);
        let read = self.reader.by_ref().take(limit as u64 + 1).read_until(b'\n', &mut self.buffer);
        read.map_err(|error| read_error(error, &self.path, Some(place), &self.options.encodings))?;
        if self.buffer.is_empty() {
            return Ok(None);
        }
        if self.buffer.len() > limit && !self.buffer.ends_with(b"\n") {
            let bytes = self.buffer.len() as u64 + self.skip_line()?;
            self.buffer = Vec::new();
            return Err(TextError::TooLong { path: self.path.clone(), place, bytes, limit }.into());
        }
        let bytes = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        let bytes = without_bom(bytes.strip_suffix(b"\r").unwrap_or(bytes));
        decode(bytes, &self.path, Some(place), &self.options.encodings).map(Some)
    }

    /// Reads to the end of the line and keeps nothing; gives the bytes read.
    fn skip_line(&mut self) -> Result<u64> {
        let mut bytes = 0;
        loop {
            let place = self.place();
            let read = self.reader.fill_buf();
            let read = read.map_err(|error| read_error(error, &self.path, Some(place), &self.options.encodings))?;
            let end = read.iter().position(|byte| *byte == b'\n');
            let (line, last) = (end.unwrap_or(read.len()), end.is_some() || read.is_empty());
            bytes += line as u64;
            self.reader.consume(line + usize::from(end.is_some()));
            if last {
                return Ok(bytes);
            }
        }
    }

    /// The JSON value in the next line that is not blank, or `None` after the last.
    pub(super) fn next_json(&mut self) -> Result<Option<Value>> {
        loop {
            let value = match self.next_line()? {
                Some(line) if line.trim().is_empty() => continue,
                Some(line) => serde_json::from_str(&line),
                None => return Ok(None),
            };
            return value
                .map(Some)
                .map_err(|source| TextError::Json { path: self.path.clone(), place: self.place(), source }.into());
        }
    }
}
