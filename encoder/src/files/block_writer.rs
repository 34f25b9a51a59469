//! [`BlockWriter`]: collects bytes to blocks and writes these to a file, past the page cache where that is wanted.

use std::fs::File;
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};

use tempfile::NamedTempFile;

/// Bytes that are written at a time by way of the page cache.
const CACHED_BLOCK: usize = 1 << 16;

/// Bytes that are written at a time past it: a disk is as fast with such pieces as with larger ones.
const DIRECT_BLOCK: usize = 1 << 20;

/// Where a block that passes the page cache must begin in memory and in the file: at a multiple of the disk's own blocks,
/// of which none is larger.
const ALIGNMENT: usize = 4096;

/// A file's writer with a block of bytes that are not in the file yet. Bytes are lost with it unless it is flushed.
#[derive(Debug)]
pub(super) struct BlockWriter {
    file: NamedTempFile,
    /// The block, after the bytes that align it.
    memory: Vec<u8>,
    start: usize,
    filled: usize,
    is_direct: bool,
}

impl BlockWriter {
    /// Appends to `file`.
    pub(super) fn new(file: NamedTempFile) -> Self {
        Self { file, memory: vec![0; CACHED_BLOCK], start: 0, filled: 0, is_direct: false }
    }

    /// Lets whole blocks pass the page cache from here on. Does nothing after the first byte, and where the system or
    /// the file system has no such way.
    pub(super) fn bypass_page_cache(&mut self) {
        let is_empty = self.filled == 0 && self.file.as_file().stream_position().is_ok_and(|at| at == 0);
        if is_empty && set_direct(self.file.as_file(), true).is_ok() {
            self.is_direct = true;
            self.memory = vec![0; DIRECT_BLOCK + ALIGNMENT];
            self.start = self.memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        }
    }

    /// Writes `bytes` over the first ones of the file; later ones are appended again.
    pub(super) fn rewrite_beginning(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.flush()?;
        let mut file = self.file.as_file();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(bytes)?;
        file.seek(SeekFrom::End(0)).map(|_| ())
    }

    /// The file, with all bytes in it.
    pub(super) fn into_file(mut self) -> io::Result<NamedTempFile> {
        self.flush()?;
        Ok(self.file)
    }

    fn block(&mut self) -> &mut [u8] {
        let size = if self.is_direct { DIRECT_BLOCK } else { CACHED_BLOCK };
        &mut self.memory[self.start..self.start + size]
    }

    /// Writes what the block holds. After an error it holds what was not written.
    fn write_block(&mut self) -> io::Result<()> {
        let mut written = 0;
        let mut outcome = Ok(());
        while written < self.filled && outcome.is_ok() {
            let rest = &self.memory[self.start + written..self.start + self.filled];
            match self.file.as_file().write(rest) {
                Ok(0) => outcome = Err(ErrorKind::WriteZero.into()),
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The file system wants other multiples.
                Err(error) if error.kind() == ErrorKind::InvalidInput && self.is_direct => outcome = self.end_direct(),
                Err(error) => outcome = Err(error),
            }
        }
        let (start, filled) = (self.start, self.filled);
        self.memory.copy_within(start + written..start + filled, start);
        self.filled -= written;
        outcome
    }

    /// Goes by way of the page cache from here on.
    fn end_direct(&mut self) -> io::Result<()> {
        if self.is_direct {
            set_direct(self.file.as_file(), false)?;
            self.is_direct = false;
        }
        Ok(())
    }
}

impl Write for BlockWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.filled >= self.block().len() {
            self.write_block()?;
        }
        let filled = self.filled;
        let free = &mut self.block()[filled..];
        let taken = free.len().min(bytes.len());
        free[..taken].copy_from_slice(&bytes[..taken]);
        self.filled += taken;
        Ok(taken)
    }

    /// Writes all bytes to the file. A block that isn't whole can't pass the page cache, and nothing can after it.
    fn flush(&mut self) -> io::Result<()> {
        self.end_direct()?;
        self.write_block()
    }
}

/// Whether what is written to `file` passes the page cache.
#[cfg(target_os = "linux")]
fn set_direct(file: &File, is_direct: bool) -> io::Result<()> {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let mut flags = fcntl_getfl(file)?;
    flags.set(OFlags::DIRECT, is_direct);
    Ok(fcntl_setfl(file, flags)?)
}

#[cfg(not(target_os = "linux"))]
fn set_direct(_file: &File, _is_direct: bool) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that repeat after 251, which divides no block.
    fn pattern(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at % 251) as u8).collect()
    }

    /// What the file holds after `bytes` were given in pieces.
    fn written(bytes: &[u8], piece: usize, is_direct: bool) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = BlockWriter::new(NamedTempFile::new_in(folder.path()).unwrap());
        if is_direct {
            writer.bypass_page_cache();
        }
        for bytes in bytes.chunks(piece) {
            writer.write_all(bytes).unwrap();
        }
        std::fs::read(writer.into_file().unwrap().path()).unwrap()
    }

    #[test]
    fn all_bytes_arrive_with_the_page_cache_and_past_it() {
        for length in [0, 1, CACHED_BLOCK, CACHED_BLOCK + 1, 2 * DIRECT_BLOCK, 2 * DIRECT_BLOCK + 4097] {
            let bytes = pattern(length);
            for piece in [1000, 3 * DIRECT_BLOCK] {
                assert!(written(&bytes, piece, false) == bytes, "{length} bytes in pieces of {piece}");
                assert!(written(&bytes, piece, true) == bytes, "{length} bytes in pieces of {piece}, direct");
            }
        }
    }

    #[test]
    fn bytes_after_a_flush_or_a_new_beginning_are_appended() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = BlockWriter::new(NamedTempFile::new_in(folder.path()).unwrap());
        writer.bypass_page_cache();
        let mut bytes = pattern(DIRECT_BLOCK + 10);
        writer.write_all(&bytes).unwrap();
        writer.flush().unwrap();
        writer.write_all(b"more").unwrap();
        writer.rewrite_beginning(b"first").unwrap();
        writer.write_all(b" and more").unwrap();
        bytes.extend(b"more and more");
        bytes[..5].copy_from_slice(b"first");
        assert!(std::fs::read(writer.into_file().unwrap().path()).unwrap() == bytes);
    }

    #[test]
    fn a_file_that_was_begun_stays_in_the_page_cache() {
        let mut writer = BlockWriter::new(NamedTempFile::new().unwrap());
        writer.write_all(b"begun").unwrap();
        writer.bypass_page_cache();
        assert!(!writer.is_direct);
    }
}
