//! Lines of a file, none longer than [`MAX_LINE_BYTES`].

use std::borrow::Cow;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::TextError;
use super::decode::Encodings;
use super::open::{decode, open, read_error, without_bom};
use crate::error::Result;

/// The most bytes a line or record may have: far more than any sentence, and few enough that a file without line ends
/// is refused before it fills the memory.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// Reads a file line by line. `\n` and `\r\n` end a line.
pub(crate) struct Lines {
    reader: Box<dyn BufRead + Send>,
    /// The file's name.
    pub(super) path: PathBuf,
    encodings: Encodings,
    buffer: Vec<u8>,
    /// The number of the last line read, from 1; 0 before the first.
    pub(super) line: u64,
}

impl Lines {
    /// Opens the file at `path`.
    pub(crate) fn open(path: &Path, encodings: &Encodings) -> Result<Self> {
        Ok(Self::new(open(path, encodings)?, path, encodings))
    }

    /// Reads the lines of `reader`, which [`Encodings::wrap`] has wrapped; `path` is its name in errors.
    pub(super) fn new(reader: Box<dyn BufRead + Send>, path: &Path, encodings: &Encodings) -> Self {
        Self { reader, path: path.to_owned(), encodings: encodings.clone(), buffer: Vec::new(), line: 0 }
    }

    /// The next line without its end, or `None` after the last.
    pub(crate) fn next_line(&mut self) -> Result<Option<Cow<'_, str>>> {
        self.buffer.clear();
        self.line += 1;
        let mut reader = self.reader.by_ref().take(MAX_LINE_BYTES as u64 + 1);
        if let Err(error) = reader.read_until(b'\n', &mut self.buffer) {
            return Err(read_error(error, &self.path, Some(self.line), &self.encodings));
        }
        if self.buffer.is_empty() {
            return Ok(None);
        }
        let bytes = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        if bytes.len() > MAX_LINE_BYTES {
            let (path, line) = (self.path.clone(), self.line);
            return Err(TextError::LineTooLong { path, line, limit: MAX_LINE_BYTES }.into());
        }
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let bytes = if self.line == 1 { without_bom(bytes) } else { bytes };
        decode(bytes, &self.path, Some(self.line), &self.encodings).map(Some)
    }

    /// The JSON value in the next line that is not blank, or `None` after the last.
    pub(super) fn next_json(&mut self) -> Result<Option<Value>> {
        loop {
            let value = match self.next_line()? {
                Some(line) if line.trim().is_empty() => continue,
                Some(line) => serde_json::from_str(&line),
                None => return Ok(None),
            };
            return value.map(Some).map_err(|source| {
                let (path, line) = (self.path.clone(), self.line);
                TextError::Json { path, line, source }.into()
            });
        }
    }
}
