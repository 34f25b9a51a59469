//! Mapping a file into memory.

#![expect(unsafe_code, reason = "a mapping is safe only while nobody changes the file in place")]

use std::{fs::File, io};

use memmap2::{Mmap, MmapMut};

/// Maps a whole file, read-only.
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the mapping is private to this crate and read-only. The file must not be changed in place while it is
    // mapped: `Student::load` says so to its callers, and the crate's own writer renames a new file over the old one.
    // The bytes are read as plain numbers only, in bounds that were checked, so other bytes would give other vectors
    // and nothing worse.
    unsafe { Mmap::map(file) }
}

/// A copy of `bytes` in memory of its own, which begins at a page as a mapped file does: its sections are aligned.
pub(super) fn copy(bytes: &[u8]) -> io::Result<Mmap> {
    let mut map = MmapMut::map_anon(bytes.len())?;
    map.copy_from_slice(bytes);
    map.make_read_only()
}
