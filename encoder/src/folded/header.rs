//! The container's header.
//!
//! ```text
//!  0  magic, 8 bytes          16  length of the file, u64
//!  8  version, u32            24  xxh3 of all other bytes, u64
//! 12  length of the JSON, u32 32  the JSON, then sections at multiples of 64 bytes
//! ```
//!
//! Numbers are little-endian.

use std::{ops::Range, path::Path};

use serde::{Deserialize, Serialize};

use super::{Precision, layout::ALIGNMENT, lexical::LexicalShape, sections::SectionName, shape::Shape};
use crate::{Error, Result};

pub(super) const MAGIC: [u8; 8] = *b"LIMBECK\x1a";
/// The version of a file without a lexical half.
const VERSION: u32 = 2;
/// The version of a file with a lexical half; the newest that can be read.
pub(super) const NEWEST_VERSION: u32 = 3;
/// The oldest version that can be read. In it, the taps of a wide score convolution had greater factors.
pub(super) const OLDEST_VERSION: u32 = 1;
/// The place of the checksum.
pub(super) const CHECKSUM: Range<usize> = 24..32;
/// The place of the JSON.
const JSON: usize = 32;

#[cfg(target_endian = "big")]
compile_error!("folded files are read in place and are little-endian");

/// The JSON of the header.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) precision: Precision,
    pub(super) shape: Shape,
    pub(super) empty_token: u32,
    pub(super) max_tokens: Option<usize>,
    pub(super) parameters: u64,
    pub(super) metadata: String,
    /// Whether the tokenizer's fast path gave the reference's ids when the file was written (`Tokenizer::is_fast`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) compared: bool,
    /// The sizes of the lexical half, where the student has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lexical: Option<LexicalShape>,
    pub(super) sections: Vec<SectionEntry>,
}

/// A section's place, in bytes from the start of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SectionEntry {
    pub(super) name: String,
    pub(super) offset: usize,
    pub(super) bytes: usize,
}

impl SectionEntry {
    pub(super) fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.bytes
    }
}

/// The places of `sections` after a JSON that ends at `end`, and the length of the file; `None` beyond any memory.
pub(super) fn section_entries(sections: &[(SectionName, usize)], mut end: usize) -> Option<(Vec<SectionEntry>, usize)> {
    let mut entries = Vec::with_capacity(sections.len());
    for &(name, bytes) in sections {
        let offset = end.checked_next_multiple_of(ALIGNMENT)?;
        end = offset.checked_add(bytes)?;
        entries.push(SectionEntry { name: name.to_string(), offset, bytes });
    }
    Some((entries, end))
}

impl Header {
    /// The version of the file: a program that knows no lexical half must not take the file for one without.
    pub(super) fn version(&self) -> u32 {
        if self.lexical.is_some() { NEWEST_VERSION } else { VERSION }
    }

    /// Fills in the table of sections, whose own length moves the sections. Returns the first bytes of the file, up to
    /// the end of the JSON and with a checksum of zeros; `None` where the file would be beyond any memory.
    pub(super) fn encode(&mut self, sections: &[(SectionName, usize)]) -> Option<Vec<u8>> {
        let mut end = JSON;
        loop {
            let (entries, length) = section_entries(sections, end)?;
            self.sections = entries;
            let mut json = serde_json::to_vec(self).ok()?;
            if JSON + json.len() <= end {
                json.resize(end - JSON, b' ');
                let (version, length) = (self.version().to_le_bytes(), (length as u64).to_le_bytes());
                let json_length = u32::try_from(json.len()).ok()?.to_le_bytes();
                return Some([&MAGIC[..], &version, &json_length, &length, &[0; 8], &json].concat());
            }
            end = (JSON + json.len()).checked_next_multiple_of(ALIGNMENT)?;
        }
    }
}

/// The version of a file of which [`check`] approved.
pub(super) fn version(file: &[u8]) -> u32 {
    bytemuck::pod_read_unaligned(&file[8..12])
}

/// Checks the bytes before the JSON, and returns the place of the JSON; `checksum` is worked out once the length is
/// right.
pub(super) fn check(path: &Path, file: &[u8], checksum: impl FnOnce() -> Result<u64>) -> Result<Range<usize>> {
    let path = || path.to_path_buf();
    if !file.starts_with(&MAGIC[..MAGIC.len().min(file.len())]) {
        return Err(Error::NotFolded { path: path() });
    }
    let found = file.len() as u64;
    if file.len() < JSON {
        return Err(Error::Length { path: path(), expected: JSON as u64, found });
    }
    let version = version(file);
    if !(OLDEST_VERSION..=NEWEST_VERSION).contains(&version) {
        return Err(Error::Version { path: path(), found: version, known: NEWEST_VERSION });
    }
    let expected: u64 = bytemuck::pod_read_unaligned(&file[16..24]);
    if expected != found {
        return Err(Error::Length { path: path(), expected, found });
    }
    let expected: u64 = bytemuck::pod_read_unaligned(&file[CHECKSUM]);
    let found = checksum()?;
    if expected != found {
        return Err(Error::Checksum { path: path(), expected, found });
    }
    let length: u32 = bytemuck::pod_read_unaligned(&file[12..16]);
    let end = JSON.checked_add(length as usize).filter(|&end| end <= file.len());
    end.map(|end| JSON..end).ok_or_else(|| Error::Header { path: path(), what: "longer than the file".into() })
}
