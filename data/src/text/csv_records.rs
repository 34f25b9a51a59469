//! Reads the records of a `.csv` file.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use csv_core::{ReadRecordResult, Reader};

use super::open::{decode, open, read_error, without_bom};
use super::{Place, ReadOptions, TextError};
use crate::error::Result;

/// The bytes read from the file at a time, and by which the memory of a record grows at first.
const CHUNK: usize = 1 << 16;
/// The most fields of a record.
const MAX_FIELDS: usize = 1 << 20;

/// A `.csv` file, whose first record holds the names of the columns. A byte order mark before a record is dropped, also
/// before a quote.
pub(super) struct CsvRecords {
    path: PathBuf,
    options: ReadOptions,
    source: Box<dyn BufRead + Send>,
    reader: Reader,
    /// Bytes of the file that the reader has not taken yet.
    input: Vec<u8>,
    /// How many of `input` the reader has taken.
    taken: usize,
    /// Whether the source has no more bytes.
    ended: bool,
    /// The fields of the record, one after another.
    fields: Vec<u8>,
    /// The end of each field in `fields`.
    ends: Vec<usize>,
    /// How many fields the record has.
    count: usize,
    /// How many fields the first record has.
    width: Option<usize>,
    /// The line on which the record begins, from 1.
    line: u64,
    /// The last byte taken that is no line end, and the very last.
    last: (u8, u8),
}

impl CsvRecords {
    /// Opens the file and reads the names; `None` for a file without a record.
    pub(super) fn open(path: &Path, options: &ReadOptions) -> Result<Option<(Self, Vec<String>)>> {
        let mut records = Self {
            path: path.to_owned(),
            options: options.clone(),
            source: open(path, &options.encodings)?,
            reader: Reader::new(),
            input: Vec::new(),
            taken: 0,
            ended: false,
            fields: vec![0; CHUNK],
            ends: vec![0; 64],
            count: 0,
            width: None,
            line: 1,
            last: (0, 0),
        };
        if !records.read()? {
            return Ok(None);
        }
        let names = (0..records.count).map(|index| Ok(records.field(index)?.trim().to_owned()));
        let names = names.collect::<Result<_>>()?;
        Ok(Some((records, names)))
    }

    /// Reads the next record; `false` after the last. After a record that is too long, reading goes on with the next.
    ///
    /// # Errors
    /// The record has more or fewer fields than the first, is too long, or leaves a quote open at the file's end.
    pub(super) fn read(&mut self) -> Result<bool> {
        self.skip_to_record()?;
        self.line = self.reader.line();
        let limit = self.options.row_limit as u64;
        let (mut bytes, mut length) = (0u64, 0);
        self.count = 0;
        let by_end = loop {
            if self.taken == self.input.len() && !self.ended {
                self.fill(1)?;
            }
            let at_end = self.taken == self.input.len();
            let input = &self.input[self.taken..];
            let (result, taken, written, ends) =
                self.reader.read_record(input, &mut self.fields[length..], &mut self.ends[self.count..]);
            self.note_last(taken);
            bytes += taken as u64;
            length += written;
            self.count += ends;
            if bytes > limit {
                // Of such a record nothing is kept.
                (length, self.count) = (0, 0);
            }
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull if bytes > limit => {}
                ReadRecordResult::OutputFull => self.fields.resize(self.fields.len().max(length + 1) * 2, 0),
                ReadRecordResult::OutputEndsFull if self.count >= MAX_FIELDS => bytes = bytes.max(limit + 1),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => break at_end,
                ReadRecordResult::End => return Ok(false),
            }
        };
        let (path, line) = (self.path.clone(), self.line);
        let over_lines = self.field_bytes(self.count.wrapping_sub(1)).contains(&b'\n');
        // Only a quoted field spans lines.
        let is_open = match bytes > limit {
            true => by_end && (self.last.1 == b'\n' || self.reader.line() > line && self.last.0 != b'"'),
            false => over_lines && self.last.0 != b'"' && self.is_at_end()?,
        };
        if is_open {
            return Err(TextError::Csv { path, line, what: "a quote is left open".into() }.into());
        }
        if bytes > limit {
            (self.fields, self.count) = (vec![0; CHUNK], 0);
            let (place, limit) = (Place::line(line), self.options.row_limit);
            return Err(TextError::TooLong { path, place, bytes, limit }.into());
        }
        let (found, wanted) = (self.count as u64, *self.width.get_or_insert(self.count) as u64);
        if found != wanted {
            return Err(TextError::Ragged { path, line, found, wanted }.into());
        }
        Ok(true)
    }

    /// Passes line ends and byte order marks before a record.
    fn skip_to_record(&mut self) -> Result<()> {
        loop {
            self.fill(3)?;
            let input = &self.input[self.taken..];
            let rest = without_bom(input).len();
            if rest < input.len() {
                self.taken += input.len() - rest;
                continue;
            }
            let ends = input.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            if ends == 0 {
                return Ok(());
            }
            let (_, taken, _, _) = self.reader.read_record(&input[..ends], &mut self.fields, &mut self.ends);
            self.note_last(taken);
        }
    }

    /// Reads until at least `wanted` bytes are not taken yet, or the file ends.
    fn fill(&mut self, wanted: usize) -> Result<()> {
        while self.input.len() - self.taken < wanted && !self.ended {
            self.input.drain(..self.taken);
            self.taken = 0;
            let before = self.input.len();
            let read = self.source.by_ref().take(CHUNK as u64).read_to_end(&mut self.input);
            let place = Some(Place::line(self.reader.line()));
            read.map_err(|error| read_error(error, &self.path, place, &self.options.encodings))?;
            self.ended = self.input.len() == before;
        }
        Ok(())
    }

    fn is_at_end(&mut self) -> Result<bool> {
        self.fill(1)?;
        Ok(self.taken == self.input.len())
    }

    fn note_last(&mut self, taken: usize) {
        let bytes = &self.input[self.taken..self.taken + taken];
        let ends_line = |byte: &&u8| matches!(byte, b'\n' | b'\r');
        self.last.0 = bytes.iter().rev().find(|byte| !ends_line(byte)).copied().unwrap_or(self.last.0);
        self.last.1 = bytes.last().copied().unwrap_or(self.last.1);
        self.taken += taken;
    }

    /// The line on which the record begins, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The record's field at `index`; empty past the end.
    pub(super) fn field(&self, index: usize) -> Result<String> {
        let (place, encodings) = (Some(Place::line(self.line)), &self.options.encodings);
        decode(self.field_bytes(index), &self.path, place, encodings).map(Into::into)
    }

    fn field_bytes(&self, index: usize) -> &[u8] {
        let Some(&end) = self.ends[..self.count].get(index) else { return &[] };
        &self.fields[if index == 0 { 0 } else { self.ends[index - 1] }..end]
    }
}
