//! Whether a library is complete. The system maps a file that is cut short without an error, and the process dies of a
//! bus error when it touches a missing page; so the file is checked before it is loaded.

use object::Endianness;
use object::elf::{FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use object::read::{ReadCache, ReadCacheOps};

/// How many bytes a 64-bit ELF file must at least have by its program headers. None for other files: the loader judges
/// those.
pub(super) fn least_bytes(file: impl ReadCacheOps) -> Option<u64> {
    let data = ReadCache::new(file);
    let header = FileHeader64::<Endianness>::parse(&data).ok()?;
    let endian = header.endian().ok()?;
    let table = u64::from(header.e_phentsize(endian)) * u64::from(header.e_phnum(endian));
    // Nothing can be read of a table that is cut itself; its end is beyond the file then.
    let segments = header.program_headers(endian, &data).unwrap_or_default();
    let loaded = segments.iter().filter(|segment| segment.p_type(endian) == PT_LOAD);
    let ends = loaded.map(|segment| segment.p_offset(endian).saturating_add(segment.p_filesz(endian)));
    Some(ends.fold(header.e_phoff(endian).saturating_add(table), u64::max))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const HEADER: usize = 64;
    const PROGRAM_HEADER: usize = 56;

    /// A little-endian file of a header and two program headers: a segment that is loaded, and one that isn't.
    fn two_segments() -> Vec<u8> {
        let mut file = vec![0; HEADER + 2 * PROGRAM_HEADER];
        file[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        file[32] = HEADER as u8;
        file[54] = PROGRAM_HEADER as u8;
        file[56] = 2;
        for (index, (kind, offset, size)) in [(1, 0x200u64, 0x30u64), (2, 0x900, 0x900)].into_iter().enumerate() {
            let at = HEADER + index * PROGRAM_HEADER;
            file[at] = kind;
            file[at + 8..at + 16].copy_from_slice(&offset.to_le_bytes());
            file[at + 32..at + 40].copy_from_slice(&size.to_le_bytes());
        }
        file
    }

    #[test]
    fn a_library_needs_the_bytes_that_its_segments_map() {
        assert_eq!(least_bytes(Cursor::new(two_segments())), Some(0x230));
    }

    #[test]
    fn a_library_cut_within_its_table_needs_the_table() {
        let cut = &two_segments()[..70];
        assert_eq!(least_bytes(Cursor::new(cut)), Some((HEADER + 2 * PROGRAM_HEADER) as u64));
    }

    #[test]
    fn a_file_that_is_no_library_is_left_to_the_loader() {
        assert_eq!(least_bytes(Cursor::new(b"no library")), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_whole_program_has_the_bytes_it_needs() {
        let program = std::env::current_exe().unwrap();
        let least = least_bytes(std::fs::File::open(&program).unwrap()).unwrap();
        assert!(least > 0 && least <= program.metadata().unwrap().len());
    }
}
