//! Wheels for tests.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use zip::write::{SimpleFileOptions, ZipWriter};

/// A wheel with the files given, made in `folder`.
pub(crate) fn wheel(folder: &Path, files: &[(&str, &str)]) -> PathBuf {
    let path = folder.join("demo-1.0-py3-none-any.whl");
    let mut zip = ZipWriter::new(File::create(&path).unwrap());
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    path
}
