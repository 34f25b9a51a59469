use std::sync::Mutex;

use super::super::test_support::wheel as make_wheel;
use super::*;
use crate::files::{sha256_bytes, write_bytes};
use crate::interrupt::Interrupt;
use crate::progress::{Bar, Progress, Silent};

/// A store, and an interpreter whose pip copies a wheel made here and logs that it ran.
#[cfg(unix)]
struct Room {
    folder: tempfile::TempDir,
    store: AssetStore,
}

#[cfg(unix)]
impl Room {
    fn new(files: &[(&str, &str)]) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        make_wheel(folder.path(), files);
        let script = format!(
            "#!/bin/sh\nwhile [ \"$1\" != --dest ]; do shift; done\necho ran >> '{}'\nsleep 0.1\ncp '{}' \"$2\"\n",
            path("runs"),
            path("demo-1.0-py3-none-any.whl"),
        );
        fs::write(path("python"), script).unwrap();
        fs::set_permissions(path("python"), fs::Permissions::from_mode(0o755)).unwrap();
        let store = AssetStore::new(path("store")).with_python(path("python"));
        Self { folder, store }
    }

    fn fetch(&self, uri: &str) -> Result<Asset> {
        self.store.fetch(&uri.parse().unwrap(), None, Monitor::silent())
    }

    fn runs(&self) -> usize {
        fs::read_to_string(self.folder.path().join("runs")).unwrap_or_default().lines().count()
    }
}

#[cfg(unix)]
const FILES: [(&str, &str); 4] = [
    ("demo/a.txt", "one\n"),
    ("demo/data/b.txt", "two\n"),
    ("demo/data/c/d.txt", "three\n"),
    ("demo/copy.txt", "one\n"),
];

#[cfg(unix)]
#[test]
fn a_wheel_is_fetched_once_for_all_its_members() {
    let room = Room::new(&FILES);
    let file = room.fetch("pypi:demo==1.0/demo/a.txt").unwrap();
    assert_eq!(fs::read_to_string(&file.path).unwrap(), "one\n");
    assert!(file.path.ends_with(format!("{}/a.txt", sha256_bytes(b"one\n"))));
    let folder = room.fetch("pypi:demo==1.0/demo/data").unwrap();
    assert_eq!(fs::read_to_string(folder.path.join("c/d.txt")).unwrap(), "three\n");
    let listed = format!("{}  b.txt\n{}  c/d.txt\n", sha256_bytes(b"two\n"), sha256_bytes(b"three\n"));
    assert_eq!(folder.sha256, sha256_bytes(listed.as_bytes()));
    // Files with the same bytes share a folder.
    let copy = room.fetch("pypi:demo==1.0/demo/copy.txt").unwrap();
    assert_eq!((copy.sha256, copy.path.parent()), (file.sha256.clone(), file.path.parent()));
    assert_eq!(room.runs(), 1);
    let nothing = room.store.clone().with_python("no-such-python");
    assert_eq!(nothing.fetch(&file.uri, None, Monitor::silent()).unwrap(), file);
    assert!(fs::read_dir(room.store.root().unwrap().join("fetching")).unwrap().next().is_none());
}

#[cfg(unix)]
#[test]
fn a_missing_member_names_wheel_and_nearest() {
    let room = Room::new(&FILES);
    let error = room.fetch("pypi:demo==1.0/demo/date").unwrap_err();
    assert!(error.to_string().contains("demo-1.0-py3-none-any.whl has no file or folder `demo/date`"), "{error}");
    assert!(error.hint().unwrap().contains("demo/data"));
}

#[cfg(unix)]
#[test]
fn the_hash_of_member_or_wheel_is_checked() {
    let room = Room::new(&FILES);
    let uri: Uri = "pypi:demo==1.0/demo/data".parse().unwrap();
    let wheel = crate::files::sha256_file(&room.folder.path().join("demo-1.0-py3-none-any.whl")).unwrap();
    let asset = room.store.fetch(&uri, Some(&wheel), Monitor::silent()).unwrap();
    assert!(room.store.fetch(&uri, Some(&asset.sha256), Monitor::silent()).is_ok());
    let error = room.store.fetch(&uri, Some("abc"), Monitor::silent()).unwrap_err();
    assert!(error.to_string().ends_with("not abc"), "{error}");
}

/// Records the notes.
#[derive(Default)]
struct RecordedNotes(Mutex<Vec<String>>);

impl Progress for RecordedNotes {
    fn stage(&self, _what: &str, _total: Option<u64>, _unit: &str) -> Box<dyn Bar + '_> {
        Box::new(Silent)
    }

    fn note(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

#[cfg(unix)]
#[test]
fn what_is_damaged_is_noticed_named_and_made_anew() {
    let room = Room::new(&FILES);
    let asset = room.fetch("pypi:demo==1.0/demo/data").unwrap();
    fs::write(asset.path.join("b.txt"), "owt\n").unwrap();
    let notes = RecordedNotes::default();
    assert_eq!(room.store.fetch(&asset.uri, None, Monitor::new(&notes, &Interrupt::new())).unwrap(), asset);
    assert_eq!(fs::read_to_string(asset.path.join("b.txt")).unwrap(), "two\n");
    assert!(notes.0.lock().unwrap()[0].contains("b.txt is missing or damaged"));
    assert_eq!(room.runs(), 1);
    // Without its files, the asset is fetched again.
    fs::remove_dir_all(room.store.root().unwrap().join("objects")).unwrap();
    assert_eq!(room.fetch("pypi:demo==1.0/demo/data").unwrap(), asset);
    assert_eq!(room.runs(), 2);
}

#[cfg(unix)]
#[test]
fn of_several_that_want_the_same_wheel_one_fetches_it() {
    let room = Room::new(&FILES);
    std::thread::scope(|scope| {
        for uri in ["pypi:demo==1.0/demo/a.txt", "pypi:demo==1.0/demo/data", "pypi:demo==1.0/demo/a.txt"] {
            let room = &room;
            scope.spawn(move || room.fetch(uri).unwrap());
        }
    });
    assert_eq!(room.runs(), 1);
}

#[test]
fn a_path_stands_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    let store = AssetStore::new(folder.path().join("store"));
    let file = folder.path().join("a.txt");
    write_bytes(&file, b"abc").unwrap();
    let asset = store.fetch(&Uri::Path(file.clone()), None, Monitor::silent()).unwrap();
    assert_eq!((asset.path, asset.sha256), (file.clone(), sha256_bytes(b"abc")));
    let before = store.fetch(&Uri::Path(folder.path().into()), None, Monitor::silent()).unwrap().sha256;
    write_bytes(&file, b"abd").unwrap();
    assert_ne!(store.fetch(&Uri::Path(folder.path().into()), None, Monitor::silent()).unwrap().sha256, before);
    let error = store.fetch(&Uri::Path("no/such/file".into()), None, Monitor::silent()).unwrap_err();
    assert_eq!(error.to_string(), "cannot read no/such/file");
    let error = store.fetch(&Uri::Path("owner/name".into()), None, Monitor::silent()).unwrap_err();
    assert!(error.to_string().contains("written hf:owner/name"), "{error}");
    assert!(!store.root().unwrap().exists());
}

#[cfg(unix)]
#[test]
fn a_path_is_located_without_reading_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = AssetStore::new(folder.path().join("store"));
    // Dangling links can be found, not read.
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
    let uri = Uri::Path(folder.path().into());
    assert_eq!(store.locate(&uri, Monitor::silent()).unwrap(), folder.path());
    assert!(store.fetch(&uri, None, Monitor::silent()).is_err());
    let error = store.locate(&Uri::Path("no/such/file".into()), Monitor::silent()).unwrap_err();
    assert!(error.to_string().contains("no/such/file"), "{error}");
    let room = Room::new(&FILES);
    let uri = "pypi:demo==1.0/demo/a.txt".parse().unwrap();
    assert_eq!(
        room.store.locate(&uri, Monitor::silent()).unwrap(),
        room.fetch("pypi:demo==1.0/demo/a.txt").unwrap().path
    );
}

#[test]
fn a_real_wheel_is_fetched_from_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let store = AssetStore::new(folder.path());
    let wheel = "8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254";
    let asset = store.fetch(&"pypi:six==1.16.0/six.py".parse().unwrap(), Some(wheel), Monitor::silent()).unwrap();
    assert!(fs::read_to_string(asset.path).unwrap().contains("__version__ = \"1.16.0\""));
    let error = store.fetch(&"pypi:six==1.16.999/six.py".parse().unwrap(), None, Monitor::silent()).unwrap_err();
    assert!(error.to_string().starts_with("cannot fetch six==1.16.999: no such version"), "{error}");
    let runtime = store.fetch(&super::super::runtime_uri("1.32.0").unwrap(), None, Monitor::silent()).unwrap();
    assert!(fs::metadata(runtime.path).unwrap().len() > 10_000_000);
}

#[test]
fn without_a_home_directory_a_path_is_found_and_a_package_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x"), "one\n").unwrap();
    let store = AssetStore::at(None);
    let asset = store.fetch(&Uri::Path(folder.path().join("x")), None, Monitor::silent()).unwrap();
    assert_eq!(asset.path, folder.path().join("x"));
    let error = store.fetch(&"pypi:demo==1.0/x".parse().unwrap(), None, Monitor::silent()).unwrap_err();
    assert!(matches!(error, Error::Asset(AssetError::NoHome)), "{error}");
}

#[cfg(unix)]
#[test]
fn what_is_in_the_store_is_used_without_locks() {
    let room = Room::new(&FILES);
    let asset = room.fetch("pypi:demo==1.0/demo/data").unwrap();
    // A file where the locks' folder was: nobody can make a lock.
    let locks = room.store.root().unwrap().join("locks");
    fs::remove_dir_all(&locks).unwrap();
    fs::write(&locks, "").unwrap();
    assert_eq!(room.fetch("pypi:demo==1.0/demo/data").unwrap(), asset);
    assert!(matches!(room.fetch("pypi:demo==1.0/demo/a.txt"), Err(Error::Io { .. })));
}

#[test]
fn a_folder_of_a_store_that_cannot_be_written_is_temporary_and_goes_with_the_store() {
    let room = tempfile::tempdir().unwrap();
    fs::write(room.path().join("file"), "").unwrap();
    let store = AssetStore::new(room.path().join("file/store"));
    let notes = RecordedNotes::default();
    let interrupt = Interrupt::new();
    let monitor = Monitor::new(&notes, &interrupt);
    let first = store.folder(Path::new("exports/a"), monitor).unwrap();
    let clone = store.clone();
    drop(store);
    let second = clone.folder(Path::new("exports/b"), monitor).unwrap();
    assert!(first.is_dir() && second.is_dir());
    let notes = notes.0.into_inner().unwrap();
    assert_eq!(notes.len(), 1);
    assert!(notes[0].ends_with("a temporary folder serves"), "{notes:?}");
    drop(clone);
    assert!(!first.exists() && !second.exists());
    let store = AssetStore::new(room.path().join("store"));
    assert!(store.folder(Path::new("exports/a"), Monitor::silent()).unwrap().starts_with(room.path()));
}
