//! Files that a command refuses to write over: its own input, and files of another kind.

use std::path::{Component, Path, PathBuf};

use limbeck_data::files::{FolderLock, lock_folder};
use limbeck_encoder::folded::is_folded;
use limbeck_student::folder::{is_student, other_kind};

use crate::error::{Error, Result};

/// Refuses to write to `to` where it is one of `inputs`, which the command reads.
pub(super) fn refuse_inputs(to: &Path, inputs: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<()> {
    let whole = resolved(to)?;
    if inputs.into_iter().any(|input| input.as_ref().canonicalize().is_ok_and(|input| input == whole)) {
        let what = format!("--to {}: this is read here, and would be written over; name another place", to.display());
        return Err(Error::Usage(what));
    }
    Ok(())
}

/// Refuses to write to the file `to` where it is one of `inputs`, or, by its name or first bytes, a file of a model, a
/// cache or a run.
pub(super) fn refuse_kept(to: &Path, inputs: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<()> {
    if is_folded(to) {
        return Err(refuse_file_of(to, "a folded student"));
    }
    refuse_part(to, inputs)
}

/// As [`refuse_kept`], but for folded students.
fn refuse_part(to: &Path, inputs: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<()> {
    refuse_inputs(to, inputs)?;
    let whole = resolved(to)?;
    let (Some(folder), Some(name), true) = (whole.parent(), whole.file_name(), whole.is_file()) else { return Ok(()) };
    let name = name.to_string_lossy();
    let of_model = MODEL_FILES.contains(&&*name)
        || [".safetensors", ".onnx"].iter().any(|ending| name.ends_with(ending))
        || name.starts_with("shard-") && name.ends_with(".parquet");
    if of_model {
        return Err(refuse_file_of(to, "a model or a cache"));
    }
    match RUN_FILES.contains(&&*name) && folder.join("state.json").is_file() {
        true => Err(refuse_file_of(to, "a run")),
        false => Ok(()),
    }
}

fn refuse_file_of(to: &Path, what: &str) -> Error {
    let to = to.display();
    Error::Usage(format!("--to {to}: this is a file of {what}, and would be written over; name another place"))
}

/// Refuses to write a folded student over anything but another one.
pub(super) fn refuse_folded_over(to: &Path) -> Result<()> {
    refuse_part(to, [""; 0])?;
    let is_other = std::fs::metadata(to).is_ok_and(|found| found.is_file() && found.len() > 0) && !is_folded(to);
    match is_other {
        true => Err(refuse_occupied(to, "a file of another kind")),
        false => Ok(()),
    }
}

/// Files of models and caches beside weights and shards.
const MODEL_FILES: [&str; 6] =
    ["config.json", "modules.json", "tokenizer.json", "tokenizer_config.json", "cache.json", "tokens.parquet"];

/// Files without which a run can be neither read nor resumed.
pub(super) const RUN_FILES: [&str; 4] = ["summary.json", "metrics.jsonl", "recipe.toml", "state.json"];

/// The absolute path of a file or folder that may be missing, without links.
fn resolved(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path).map_err(limbeck_data::Error::io("resolve", path))?;
    // The longest part that exists.
    let there = absolute.ancestors().find_map(|part| Some((part, part.canonicalize().ok()?)));
    let whole = there.and_then(|(part, real)| Some(real.join(absolute.strip_prefix(part).ok()?))).unwrap_or(absolute);
    // A missing part is no link, so that `..` after it leads back.
    Ok(whole.components().fold(PathBuf::new(), |mut whole, component| {
        match component {
            Component::ParentDir => drop(whole.pop()),
            other => whole.push(other),
        }
        whole
    }))
}

/// Refuses a folder `to` in which one of `inputs` lies, or which lies in one.
pub(super) fn refuse_nested(to: &Path, inputs: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<()> {
    let whole = resolved(to)?;
    for input in inputs {
        let Ok(input) = input.as_ref().canonicalize() else { continue };
        if input.starts_with(&whole) || whole.starts_with(&input) {
            let (to, input) = (to.display(), input.display());
            return Err(Error::Usage(format!("--to {to} and {input}, which is read, lie in one another")));
        }
    }
    Ok(())
}

/// Refuses a folder `to` for the cache of a teacher's vectors of `input` where the cache would count as text itself, or
/// lie among the files of this or another model.
pub(super) fn refuse_cache(to: &Path, teacher: &Path, input: &Path) -> Result<()> {
    let whole = resolved(to)?;
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let (teacher, input) = (real(teacher), real(input));
    let teacher = if teacher.is_file() { teacher.parent().unwrap_or(&teacher) } else { &teacher };
    let is_text = match input.is_dir() {
        true => whole.starts_with(&input),
        false => input.extension().is_some_and(|kind| kind == "parquet") && input.parent() == Some(&whole),
    };
    if whole == teacher || is_text {
        let what = format!(
            "--to {}: what is read lies there, and the cache would lie among it; name another folder",
            to.display()
        );
        return Err(Error::Usage(what));
    }
    refuse_student(to)?;
    match other_kind(to).filter(|_| !to.join("cache.json").is_file()) {
        Some(what) => Err(refuse_occupied(to, what)),
        None => Ok(()),
    }
}

/// Makes the folder `to` for a student, and keeps other processes out of it while the lock is held.
///
/// # Errors
/// A folder that is one of `inputs`, or holds files of another kind.
pub(super) fn lock_student_folder(to: &Path, inputs: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<FolderLock> {
    refuse_inputs(to, inputs)?;
    match other_kind(to) {
        Some(what) => Err(refuse_occupied(to, what)),
        None => Ok(lock_folder(to)?),
    }
}

/// [`lock_student_folder`] for a teacher; a teacher that was trained in the folder may be trained again.
pub(super) fn lock_teacher_folder(to: &Path, input: &Path) -> Result<FolderLock> {
    refuse_inputs(to, [input])?;
    refuse_student(to)?;
    if let Some(what) = other_kind(to).filter(|_| !to.join("metrics.jsonl").is_file()) {
        return Err(refuse_occupied(to, what));
    }
    Ok(lock_folder(to)?)
}

fn refuse_student(to: &Path) -> Result<()> {
    if is_student(to) { Err(refuse_occupied(to, "a student")) } else { Ok(()) }
}

/// Refuses to write over the tokenizer.json of a model or cache.
pub(super) fn refuse_tokenizer(to: &Path) -> Result<()> {
    let folder = to.parent().filter(|_| to.file_name().is_some_and(|name| name == "tokenizer.json"));
    let what = folder.and_then(|folder| if is_student(folder) { Some("a student") } else { other_kind(folder) });
    what.map_or(Ok(()), |what| Err(refuse_occupied(to, what)))
}

fn refuse_occupied(to: &Path, what: &str) -> Error {
    Error::Usage(format!("--to {}: {what} lies there, and would be written over; name another folder", to.display()))
}
