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
    refuse_file_of(to, is_folded(to).then_some("a folded student"))?;
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
    let of_run = RUN_FILES.contains(&&*name) && folder.join("state.json").is_file();
    refuse_file_of(to, of_model.then_some("a model or a cache").or(of_run.then_some("a run")))
}

/// An error where `to` is a file of a model, a cache or a run, as `owner` says.
fn refuse_file_of(to: &Path, owner: Option<&str>) -> Result<()> {
    let (to, Some(owner)) = (to.display(), owner) else { return Ok(()) };
    Err(Error::Usage(format!("--to {to}: this is a file of {owner}, and would be written over; name another place")))
}

/// Refuses to write a folded student over anything but another one.
pub(super) fn refuse_folded_over(to: &Path) -> Result<()> {
    refuse_part(to, [""; 0])?;
    let is_other = std::fs::metadata(to).is_ok_and(|found| found.is_file() && found.len() > 0) && !is_folded(to);
    refuse_occupied(to, is_other.then_some("a file of another kind"))
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
    refuse_occupied(to, student_at(to).or(other_kind(to).filter(|_| !to.join("cache.json").is_file())))
}

/// Makes the folder `to` for a student, and keeps other processes out of it while the lock is held.
///
/// # Errors
/// A folder that is one of `inputs`, or holds files of another kind.
pub(super) fn lock_student_folder(to: &Path, inputs: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<FolderLock> {
    refuse_inputs(to, inputs)?;
    refuse_occupied(to, other_kind(to))?;
    Ok(lock_folder(to)?)
}

/// [`lock_student_folder`] for a teacher; a teacher that was trained in the folder may be trained again.
pub(super) fn lock_teacher_folder(to: &Path, input: &Path) -> Result<FolderLock> {
    refuse_inputs(to, [input])?;
    refuse_occupied(to, student_at(to).or(other_kind(to).filter(|_| !to.join("metrics.jsonl").is_file())))?;
    Ok(lock_folder(to)?)
}

fn student_at(folder: &Path) -> Option<&'static str> {
    is_student(folder).then_some("a student")
}

/// Refuses to write over the tokenizer.json of a model or cache.
pub(super) fn refuse_tokenizer(to: &Path) -> Result<()> {
    let folder = to.parent().filter(|_| to.file_name().is_some_and(|name| name == "tokenizer.json"));
    refuse_occupied(to, folder.and_then(|folder| student_at(folder).or(other_kind(folder))))
}

/// An error where something lies at `to` already, as `found` says.
fn refuse_occupied(to: &Path, found: Option<&str>) -> Result<()> {
    let (to, Some(found)) = (to.display(), found) else { return Ok(()) };
    Err(Error::Usage(format!("--to {to}: {found} lies there, and would be written over; name another folder")))
}
