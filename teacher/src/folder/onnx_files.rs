//! The ONNX files of a model whose own weights can't be read.

use std::fs;
use std::path::Path;

use crate::Error;

/// The most files that are named.
const MOST: usize = 6;

/// The error, whose hint names the ONNX files in `folders` and in `onnx/` below them if there are any. It changes none
/// but [`Error::Unsupported`].
pub(super) fn name_in_hint(error: Error, folders: [&Path; 2]) -> Error {
    let Error::Unsupported { path, what, hint } = error else { return error };
    let places = folders.iter().flat_map(|folder| [folder.to_path_buf(), folder.join("onnx")]);
    let mut files: Vec<String> = places.flat_map(|place| onnx_files(&place)).collect();
    files.sort();
    files.dedup();
    if files.is_empty() {
        return Error::Unsupported { path, what, hint };
    }
    let more = files.len().saturating_sub(MOST);
    files.truncate(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let hint = format!("give one of the folder's ONNX files as the model instead: {}{more}", files.join(", "));
    Error::Unsupported { path, what, hint }
}

/// The paths of the ONNX files right in `folder`; none where it can't be read.
fn onnx_files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let onnx = entries.filter(|path| path.extension().is_some_and(|ending| ending == "onnx"));
    onnx.map(|path| path.display().to_string()).collect()
}
