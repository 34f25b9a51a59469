//! Opens text files: unpacks gzip, which the name tells, and decodes bytes.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::TextError;
use super::decode::{Encodings, Malformed};
use crate::error::{Error, Result};

/// The most bytes a document (a file as one text) may have, unpacked.
pub const MAX_DOCUMENT_BYTES: usize = 64 << 20;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Opens the file at `path`, and unpacks it if its name ends in `.gz`.
pub(super) fn open(path: &Path, encodings: &Encodings) -> Result<Box<dyn BufRead + Send>> {
    let file = BufReader::with_capacity(1 << 16, File::open(path).map_err(Error::io("open", path))?);
    let gzip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    Ok(encodings.wrap(if gzip {
        Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file)))
    } else {
        Box::new(file)
    }))
}

/// Reads a whole file as one text.
pub(super) fn read_document(path: &Path, encodings: &Encodings) -> Result<String> {
    let mut bytes = Vec::new();
    let mut reader = open(path, encodings)?.take(MAX_DOCUMENT_BYTES as u64 + 1);
    reader.read_to_end(&mut bytes).map_err(|error| read_error(error, path, None, encodings))?;
    if bytes.is_empty() {
        return Err(TextError::Empty { path: path.to_owned() }.into());
    }
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(TextError::DocumentTooLong { path: path.to_owned(), limit: MAX_DOCUMENT_BYTES }.into());
    }
    decode(without_bom(&bytes), path, None, encodings).map(Into::into)
}

/// `bytes` without the byte order mark of UTF-8.
pub(super) fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BOM).unwrap_or(bytes)
}

/// Decodes `bytes`, which stand in the file's `line`, or are the whole file.
pub(super) fn decode<'a>(
    bytes: &'a [u8],
    path: &Path,
    line: Option<u64>,
    encodings: &Encodings,
) -> Result<std::borrow::Cow<'a, str>> {
    encodings.decode(bytes).map_err(|byte| {
        let first = line.is_none_or(|line| line == 1);
        let utf16 = first && (bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff"));
        TextError::Undecodable { path: path.to_owned(), line, byte, encodings: encodings.to_string(), utf16 }.into()
    })
}

/// Turns a failed read into the error of invalid bytes, or of the operating system.
pub(super) fn read_error(error: std::io::Error, path: &Path, line: Option<u64>, encodings: &Encodings) -> Error {
    if error.get_ref().is_some_and(|inner| inner.is::<Malformed>()) {
        let encodings = encodings.to_string();
        return TextError::Undecodable { path: path.to_owned(), line, byte: None, encodings, utf16: false }.into();
    }
    Error::io("read", path)(error)
}
