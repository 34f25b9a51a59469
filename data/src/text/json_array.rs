//! [`JsonArray`]: the elements of a JSON array in a file, one at a time.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::decode::Encodings;
use super::open::{decode, open, open_for_scan, read_error};
use super::{Place, ReadOptions, TextError};
use crate::error::Result;

/// Reads the array that a file holds. Only one element lies in memory.
pub(super) struct JsonArray {
    reader: Box<dyn BufRead + Send>,
    /// The file's name.
    pub(super) path: PathBuf,
    options: ReadOptions,
    /// The encodings of the reader's bytes.
    encodings: Encodings,
    element: Vec<u8>,
    /// The number of the last element read, from 1; 0 before the first.
    number: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Before the opening bracket.
    Start,
    Within,
    /// After the closing bracket.
    Closed,
    Ended,
}

/// Whether the file's first byte that is no space opens an array.
pub(super) fn holds_array(path: &Path, encodings: &Encodings) -> Result<bool> {
    let mut reader = open(path, encodings)?;
    loop {
        let bytes = reader.fill_buf().map_err(|error| read_error(error, path, None, encodings))?;
        // The bytes above ASCII are those of a byte order mark.
        let first = bytes.iter().find(|byte| !is_space(**byte) && !b"\xef\xbb\xbf".contains(byte));
        if let Some(first) = first {
            return Ok(*first == b'[');
        }
        if bytes.is_empty() {
            return Ok(false);
        }
        let length = bytes.len();
        reader.consume(length);
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

impl JsonArray {
    /// Opens a file that [`holds_array`].
    pub(super) fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        let (reader, encodings) = open_for_scan(path, &options.encodings)?;
        let (path, options) = (path.to_owned(), options.clone());
        Ok(Self { reader, path, options, encodings, element: Vec::new(), number: 0, state: State::Start })
    }

    /// The place of the last element read.
    pub(super) fn place(&self) -> Place {
        Place { unit: "element", number: self.number }
    }

    /// The next element, or `None` after the last. After an element that is too long, reading goes on with the next.
    pub(super) fn next_json(&mut self) -> Result<Option<Value>> {
        match self.state {
            State::Start => self.skip_to_bracket()?,
            State::Within => {}
            State::Closed => return self.check_end().map(|()| None),
            State::Ended => return Ok(None),
        }
        self.number += 1;
        let bytes = self.scan()?;
        if bytes > self.options.row_limit as u64 {
            self.element = Vec::new();
            let (path, place, limit) = (self.path.clone(), self.place(), self.options.row_limit);
            return Err(TextError::TooLong { path, place, bytes, limit }.into());
        }
        if self.number == 1 && self.state == State::Closed && self.element.iter().copied().all(is_space) {
            // The array is empty.
            self.number = 0;
            return self.check_end().map(|()| None);
        }
        let text = decode(&self.element, &self.path, Some(self.place()), &self.encodings)?;
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|source| TextError::Json { path: self.path.clone(), place: self.place(), source }.into())
    }

    /// Reads the next element into `self.element`, and the comma or bracket after it. An element that is too long is
    /// read and not kept. Gives its bytes.
    fn scan(&mut self) -> Result<u64> {
        self.element.clear();
        let (mut bytes, mut depth, mut in_string, mut escaped) = (0, 0u64, false, false);
        loop {
            let read = match self.reader.fill_buf() {
                Ok([]) => return Err(self.no_text("the array isn't closed: is the file cut off?")),
                Ok(read) => read,
                Err(error) => {
                    return Err(read_error(error, &self.path, Some(self.place()), &self.options.encodings));
                }
            };
            let mut ends = |byte: u8| {
                if in_string {
                    in_string = byte != b'"' || escaped;
                    escaped = byte == b'\\' && !escaped;
                    return false;
                }
                match byte {
                    b'"' => in_string = true,
                    b'[' | b'{' => depth += 1,
                    b',' | b']' if depth == 0 => return true,
                    b']' | b'}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                false
            };
            let end = read.iter().position(|byte| ends(*byte));
            let part = &read[..end.unwrap_or(read.len())];
            bytes += part.len() as u64;
            if bytes <= self.options.row_limit as u64 {
                self.element.extend_from_slice(part);
            }
            self.state = if end.is_some_and(|end| read[end] == b']') { State::Closed } else { State::Within };
            let consumed = part.len() + usize::from(end.is_some());
            self.reader.consume(consumed);
            if end.is_some() {
                return Ok(bytes);
            }
        }
    }

    fn skip_to_bracket(&mut self) -> Result<()> {
        match self.next_byte()? {
            Some(b'[') => Ok(()),
            _ => Err(self.no_text("no array")),
        }
    }

    fn check_end(&mut self) -> Result<()> {
        self.state = State::Ended;
        match self.next_byte()? {
            None => Ok(()),
            Some(_) => Err(self.no_text("more after the array's end, where nothing belongs")),
        }
    }

    /// The next byte that is no space.
    fn next_byte(&mut self) -> Result<Option<u8>> {
        loop {
            let read = match self.reader.fill_buf() {
                Ok([]) => return Ok(None),
                Ok(read) => read,
                Err(error) => {
                    return Err(read_error(error, &self.path, Some(self.place()), &self.options.encodings));
                }
            };
            let found = read.iter().position(|byte| !is_space(*byte));
            let byte = found.map(|at| read[at]);
            let consumed = found.map_or(read.len(), |at| at + 1);
            self.reader.consume(consumed);
            if byte.is_some() {
                return Ok(byte);
            }
        }
    }

    fn no_text(&self, found: &str) -> crate::Error {
        TextError::NoText { path: self.path.clone(), place: self.place(), found: found.to_owned() }.into()
    }
}

#[cfg(test)]
#[path = "json_array_tests.rs"]
mod tests;
