//! Whether a library is all there. The system maps a file that is cut short without a word, and the process dies of a bus
//! error when it touches what is missing; so look before loading.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
/// A segment that is mapped into memory.
const LOAD: u64 = 1;

/// How many bytes a 64-bit little-endian ELF file must at least have by its program headers; none for other files, which
/// the loader may judge.
pub(super) fn least_bytes(path: &Path) -> io::Result<Option<u64>> {
    least(&mut File::open(path)?)
}

fn least(file: &mut (impl Read + Seek)) -> io::Result<Option<u64>> {
    let mut header = Vec::with_capacity(HEADER);
    file.by_ref().take(HEADER as u64).read_to_end(&mut header)?;
    // Magic number, 64 bits, little endian.
    if header.len() < HEADER || !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(None);
    }
    let (offset, size, count) = (number(&header, 32, 8), number(&header, 54, 2), number(&header, 56, 2));
    let mut end = offset.saturating_add(size * count);
    if size < PROGRAM_HEADER as u64 {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut table = Vec::new();
    file.by_ref().take(size * count).read_to_end(&mut table)?;
    for entry in table.chunks_exact(size as usize).filter(|entry| number(entry, 0, 4) == LOAD) {
        end = end.max(number(entry, 8, 8).saturating_add(number(entry, 32, 8)));
    }
    Ok(Some(end))
}

/// The little-endian number of `width` bytes at `at`.
fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    bytes[at..at + width].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_library_needs_the_bytes_that_its_segments_map() {
        let mut file = vec![0; HEADER + 2 * PROGRAM_HEADER];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[32] = HEADER as u8;
        file[54] = PROGRAM_HEADER as u8;
        file[56] = 2;
        for (index, (kind, offset, size)) in [(1, 0x200u64, 0x30u64), (2, 0x900, 0x900)].into_iter().enumerate() {
            let at = HEADER + index * PROGRAM_HEADER;
            file[at] = kind;
            file[at + 8..at + 16].copy_from_slice(&offset.to_le_bytes());
            file[at + 32..at + 40].copy_from_slice(&size.to_le_bytes());
        }
        assert_eq!(least(&mut Cursor::new(&file)).unwrap(), Some(0x230));
        // Cut within the table: at least the table has to be there.
        assert_eq!(least(&mut Cursor::new(&file[..70])).unwrap(), Some((HEADER + 2 * PROGRAM_HEADER) as u64));
        assert_eq!(least(&mut Cursor::new(b"no library")).unwrap(), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_whole_program_has_the_bytes_it_needs() {
        let program = std::env::current_exe().unwrap();
        let least = least_bytes(&program).unwrap().unwrap();
        assert!(least > 0 && least <= program.metadata().unwrap().len());
    }
}
