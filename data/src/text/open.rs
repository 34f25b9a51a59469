//! Opens text files: unpacks them, which the name tells, and decodes bytes.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;

use super::compression::Compression;
use super::decode::{Encodings, Malformed};
use super::{Place, TextError};
use crate::error::{Error, Result};

/// The most bytes a document (a file as one text) may have, unpacked.
pub const MAX_DOCUMENT_BYTES: usize = 64 << 20;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Opens the file at `path`, unpacks it if its name says that it is compressed, and decodes what has to be decoded
/// before lines can be told.
pub(super) fn open(path: &Path, encodings: &Encodings) -> Result<Box<dyn BufRead + Send>> {
    Ok(encodings.wrap(unpacked(path)?))
}

/// Opens the file at `path` for a format whose structure is told from ASCII bytes within texts. Gives the encodings in
/// which its bytes then are.
pub(super) fn open_for_scan(path: &Path, encodings: &Encodings) -> Result<(Box<dyn BufRead + Send>, Encodings)> {
    let mut reader = unpacked(path)?;
    let mut first = Vec::with_capacity(BOM.len());
    let read = reader.by_ref().take(BOM.len() as u64).read_to_end(&mut first);
    read.map_err(|error| read_error(error, path, None, encodings))?;
    encodings.wrap_for_scan(if first == BOM { reader } else { Box::new(Cursor::new(first).chain(reader)) })
}

fn unpacked(path: &Path) -> Result<Box<dyn BufRead + Send>> {
    let file = BufReader::with_capacity(1 << 16, File::open(path).map_err(Error::io("open", path))?);
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    match Compression::of_name(&name).1 {
        Some(compression) => compression.unpack(file).map_err(Error::io("read", path)),
        None => Ok(Box::new(file)),
    }
}

/// Reads a whole file as one text.
pub(crate) fn read_document(path: &Path, encodings: &Encodings) -> Result<String> {
    let mut bytes = Vec::new();
    let mut reader = open(path, encodings)?.take(MAX_DOCUMENT_BYTES as u64 + 1);
    reader.read_to_end(&mut bytes).map_err(|error| read_error(error, path, None, encodings))?;
    if bytes.is_empty() {
        return Err(TextError::Empty { path: path.to_owned() }.into());
    }
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(TextError::DocumentTooLong { path: path.to_owned(), limit: MAX_DOCUMENT_BYTES }.into());
    }
    // Where bytes are wrong, their place in the file is named: so the marks go after decoding, if there are no others.
    let marked = bytes.split_inclusive(|byte| *byte == b'\n').skip(1).any(|line| line.starts_with(BOM));
    if marked && encodings.decode(&bytes).is_ok() {
        bytes = bytes.split_inclusive(|byte| *byte == b'\n').flat_map(without_bom).copied().collect();
    }
    decode(without_bom(&bytes), path, None, encodings).map(Into::into)
}

/// `bytes` without byte order marks of UTF-8 at their start.
pub(super) fn without_bom(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(BOM) {
        bytes = rest;
    }
    bytes
}

/// Decodes `bytes`, which stand at a place in the file, or are the whole file.
pub(super) fn decode<'a>(
    bytes: &'a [u8],
    path: &Path,
    place: Option<Place>,
    encodings: &Encodings,
) -> Result<Cow<'a, str>> {
    encodings.decode(bytes).map_err(|byte| {
        let first = place.is_none_or(|place| place.number == 1);
        let utf16 = first && (bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff"));
        TextError::Undecodable { path: path.to_owned(), place, byte, encodings: encodings.to_string(), utf16 }.into()
    })
}

/// Turns a failed read into the error of invalid bytes, or of the operating system.
pub(super) fn read_error(error: std::io::Error, path: &Path, place: Option<Place>, encodings: &Encodings) -> Error {
    if error.get_ref().is_some_and(|inner| inner.is::<Malformed>()) {
        let encodings = encodings.to_string();
        return TextError::Undecodable { path: path.to_owned(), place, byte: None, encodings, utf16: false }.into();
    }
    Error::io("read", path)(error)
}
