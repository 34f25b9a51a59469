//! A list of the hashes of texts: it tells which texts to leave out, and shows none of them.
//!
//! The file is the line [`HEAD`] and the hashes, eight bytes each, ascending, least byte first.

use std::path::{Path, PathBuf};

use super::Exclusion;
use crate::error::{Error, Result};
use crate::files::write_bytes;
use crate::text::TextError;

/// The first line of a list.
const HEAD: &[u8] = b"limbeck exclusion list 1\n";
/// How a list's name ends.
const EXTENSION: &str = "hashes";

/// Whether the file's name is that of a list.
pub(super) fn is_list(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(EXTENSION))
}

/// The hashes in a list.
pub(super) fn read(path: &Path) -> Result<Vec<u64>> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    match bytes.strip_prefix(HEAD).map(<[u8]>::as_chunks) {
        Some((hashes, [])) => Ok(hashes.iter().copied().map(u64::from_le_bytes).collect()),
        _ => Err(TextError::BrokenList { path: path.to_owned() }.into()),
    }
}

/// Writes the hashes of all texts in `paths`, and of each sentence of theirs, as a list that a plan can leave out;
/// returns how many there are. The paths are those of [`TextPlan::exclude`](crate::text::TextPlan::exclude).
///
/// # Errors
/// A path that can't be read, a list that can't be written, and a name that doesn't end in `.hashes`.
pub fn write_exclusion_list(paths: &[PathBuf], to: &Path) -> Result<usize> {
    if !is_list(to) {
        return Err(TextError::ListName { path: to.to_owned() }.into());
    }
    let mut hashes: Vec<u64> = Exclusion::load(paths)?.0.into_iter().collect();
    hashes.sort_unstable();
    let bytes: Vec<u8> = HEAD.iter().copied().chain(hashes.iter().flat_map(|hash| hash.to_le_bytes())).collect();
    write_bytes(to, &bytes)?;
    Ok(hashes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_leaves_out_what_its_texts_would() {
        let folder = tempfile::tempdir().unwrap();
        let (texts, list) = (folder.path().join("a.txt"), folder.path().join("a.hashes"));
        std::fs::write(&texts, "One sentence. Another one.\nA third\n").unwrap();
        assert_eq!(write_exclusion_list(std::slice::from_ref(&texts), &list).unwrap(), 4);
        let [by_text, by_list] = [texts, list].map(|path| Exclusion::load(&[path]).unwrap());
        for text in ["one sentence", "Another one!", "a THIRD", "One sentence. Another one."] {
            assert!(by_text.contains(text) && by_list.contains(text), "{text}");
        }
        assert!(!by_list.contains("A fourth"));
    }

    #[test]
    fn a_broken_list_is_an_error_and_so_is_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let (list, texts) = (folder.path().join("a.hashes"), folder.path().join("a.txt"));
        for bytes in [&b"limbeck exclusion list 1\n1234567"[..], b"12345678", b""] {
            std::fs::write(&list, bytes).unwrap();
            let error = Exclusion::load(std::slice::from_ref(&list)).err().unwrap().to_string();
            assert!(error.contains("a.hashes") && error.contains("list of hashes"), "{error}");
        }
        std::fs::write(&texts, "A text\n").unwrap();
        assert!(write_exclusion_list(&[texts], &folder.path().join("list.txt")).is_err());
    }
}
