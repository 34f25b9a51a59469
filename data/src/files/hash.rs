//! Hashes of bytes, in lower-case hexadecimal.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::pending::{PendingFile, write_atomically};
use crate::error::{Error, Result};

/// `bytes` in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The sha256 of a file's bytes in lower-case hexadecimal.
pub fn sha256_file(path: &Path) -> Result<String> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path).map_err(Error::io("open", path))?);
    sha256_reader(&mut reader).map_err(Error::io("read", path))
}

/// The sha256 of the rest of `reader`'s bytes in lower-case hexadecimal.
pub fn sha256_reader(reader: &mut impl Read) -> io::Result<String> {
    let mut writer = HashingWriter { inner: io::sink(), hasher: Sha256::new() };
    io::copy(reader, &mut writer)?;
    Ok(hex(&writer.hasher.finalize()))
}

/// The sha256 of `bytes` in lower-case hexadecimal.
pub fn sha256_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Writes the file at `path` with `write`, whole or not at all, and returns the sha256 of its bytes.
pub(crate) fn write_hashed(
    path: &Path,
    write: impl FnOnce(&mut HashingWriter<&mut PendingFile>) -> Result<()>,
) -> Result<String> {
    write_atomically(path, |file| {
        let mut writer = HashingWriter { inner: file, hasher: Sha256::new() };
        write(&mut writer)?;
        Ok(hex(&writer.hasher.finalize()))
    })
}

/// Passes bytes on to a writer and hashes them.
pub(crate) struct HashingWriter<W> {
    inner: W,
    hasher: Sha256,
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha256() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_file(&path).unwrap(), expected);
        assert_eq!(sha256_bytes(b"abc"), expected);
        assert!(sha256_file(&folder.path().join("no")).unwrap_err().to_string().contains("no"));
    }
}
