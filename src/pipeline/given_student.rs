//! [`GivenStudent`]: a student that was trained before, from which a training goes on (`student.from`).

use std::path::{Path, PathBuf};

use candle_core::Device;
use limbeck_data::assets::Uri;
use limbeck_data::files::sha256_file;
use limbeck_encoder::Tokenizer;
use limbeck_student::config::StudentConfig;
use limbeck_student::folder::{StudentFolder, files_of, is_student};
use limbeck_student::model::TextCnn;
use serde_json::{Value, json};

use super::context::Context;
use super::planned_run::PlannedRun;
use super::run_folder::RunFolder;
use crate::error::{Error, Result};
use crate::recipe::{Plan, check_given};
use crate::summary::STATIC_TRAINED;

/// A student that was trained before, and the static control that was trained beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenStudent {
    /// The student's folder.
    pub folder: PathBuf,
    /// The folder of its run's static control, where that lies beside it.
    pub static_control: Option<PathBuf>,
}

impl GivenStudent {
    /// The student at `path`, which is a student's folder or the folder of a run.
    ///
    /// # Errors
    /// There is no student.
    pub fn find(path: &Path) -> Result<Self> {
        let run = match (is_student(path), is_student(&path.join("student"))) {
            (true, _) => path.canonicalize().ok().and_then(|path| Some(path.parent()?.to_path_buf())),
            (false, true) => Some(path.to_path_buf()),
            (false, false) => {
                let what = "there is no student to go on from: a student's folder or a run's is expected";
                return Err(Error::NoModel { path: path.to_path_buf(), what: what.into() });
            }
        };
        let folder = if is_student(path) { path.to_path_buf() } else { path.join("student") };
        let static_control =
            run.map(|run| RunFolder::new(run).baseline(STATIC_TRAINED)).filter(|control| is_student(control));
        Ok(Self { folder, static_control })
    }

    /// Reads the student.
    ///
    /// # Errors
    /// A file that is missing or damaged.
    pub fn open(&self) -> Result<StudentFolder> {
        Ok(StudentFolder::open(&self.folder, &Device::Cpu)?)
    }

    /// Reads its static control, where that lies beside it and is of the shape `control` and the vocabulary of
    /// `tokenizer`; else says why not.
    ///
    /// # Errors
    /// A file that is missing or damaged.
    pub fn open_static_control(
        &self,
        control: &StudentConfig,
        tokenizer: &Tokenizer,
    ) -> Result<std::result::Result<TextCnn, String>> {
        let Some(path) = &self.static_control else {
            return Ok(Err(format!("no static control lies beside {}", self.folder.display())));
        };
        let found = StudentFolder::open(path, &Device::Cpu)?;
        let is_alike = found.model.config == *control && found.tokenizer.json() == tokenizer.json();
        let other = || format!("{} has another shape or vocabulary than the student", path.display());
        Ok(if is_alike { Ok(found.model) } else { Err(other()) })
    }

    /// The files that a training starts from, by the hashes of their contents.
    fn stamp(&self) -> Value {
        let hashes = |folder: &Path| -> Vec<String> {
            files_of(folder)
                .iter()
                .filter(|path| path.is_file())
                .map(|path| sha256_file(path).unwrap_or_default())
                .collect()
        };
        json!([hashes(&self.folder), self.static_control.as_deref().map(hashes)])
    }
}

/// What tells the student that the plan goes on from, and its static control, from others; `None` where the plan
/// starts a new student.
pub fn stamp_of(plan: &Plan) -> Option<Value> {
    let from = plan.from.as_ref()?;
    Some(from.stamp(|uri| match uri {
        Uri::Path(path) => GivenStudent::find(path).map_or(Value::Null, |given| given.stamp()),
        other => json!(other.to_string()),
    }))
}

/// Of a plan that goes on from a student: the tokenizer from which its static control starts anew, null where none
/// does. Only then the cache holds vectors of tokens.
pub fn static_start(plan: &Plan) -> Option<Value> {
    let from = plan.from.as_ref()?;
    let given = match &from.uri {
        Uri::Path(path) => GivenStudent::find(path).ok(),
        _ => None,
    };
    let wanted = &plan.recipe.baselines;
    if !(wanted.untrained || wanted.trained) || given.as_ref().is_some_and(|given| given.static_control.is_some()) {
        return Some(Value::Null);
    }
    Some(match given {
        Some(given) => json!(sha256_file(&given.folder.join("tokenizer.json")).unwrap_or_default()),
        None => json!(from.uri.to_string()),
    })
}

/// Adds [`stamp_of`] the plan to the inputs of a stage that starts from that student.
pub fn add_stamp(inputs: &mut Value, plan: &Plan) {
    if let Some(stamp) = stamp_of(plan) {
        inputs["from"] = stamp;
    }
}

/// The student that the run of `context` goes on from, if it does.
///
/// # Errors
/// There is no student; keys of `[student]` contradict it.
pub fn given_student(context: &Context) -> Result<Option<(GivenStudent, StudentFolder)>> {
    let plan = context.plan();
    let Some(from) = &plan.from else { return Ok(None) };
    let given = GivenStudent::find(&context.asset(&from.uri, None)?)?;
    let student = given.open()?;
    check_given(&plan.recipe, &student.model.config)?;
    Ok(Some((given, student)))
}

/// Refuses a student of this machine that isn't there, that keys of `[student]` contradict, or that the run itself
/// would write anew.
pub fn check(run: &PlannedRun) -> Result<()> {
    let Some(Uri::Path(path)) = run.plan.from.as_ref().map(|from| &from.uri) else { return Ok(()) };
    let given = GivenStudent::find(path)?;
    let own = run.folder.root().canonicalize();
    if let (Ok(own), Ok(folder)) = (own, given.folder.canonicalize())
        && folder.starts_with(&own)
    {
        let (from, run_folder) = (given.folder.display(), run.folder.root().display());
        let what = format!("student.from: {from} lies in this run's own folder, which is written anew");
        let hint = format!(
            "copy what the run left and go on from the copy: cp -r {run_folder}/student {run_folder}/baselines BEFORE/"
        );
        return Err(refusal(&run.plan, what, Some(hint)));
    }
    check_given(&run.plan.recipe, &given.open()?.model.config)
}

/// Refuses targets of another width than the vectors of the student that the run goes on from.
pub fn check_dimension(context: &Context, teacher: usize) -> Result<()> {
    let Some((given, student)) = given_student(context)? else { return Ok(()) };
    let own = student.model.config.dimension;
    if own == teacher {
        return Ok(());
    }
    let student = given.folder.display();
    let what = format!("student.from: {student} gives vectors of {own} numbers, the teacher's have {teacher}");
    let hint = "go on by the teacher that the student learnt from, or leave student.from out".into();
    Err(refusal(context.plan(), what, Some(hint)))
}

fn refusal(plan: &Plan, what: String, hint: Option<String>) -> Error {
    Error::Recipe { path: plan.recipe.name.clone().into(), what, hint }
}

#[cfg(test)]
mod tests {
    use limbeck_student::config::ARCHITECTURE;

    use super::*;

    fn write_config(folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("config.json"), json!({"architecture": ARCHITECTURE}).to_string()).unwrap();
    }

    #[test]
    fn a_student_is_found_in_its_own_folder_and_in_its_run_s_with_the_control_beside_it() {
        let room = tempfile::tempdir().unwrap();
        let run = room.path().canonicalize().unwrap().join("run");
        let [student, control] = ["student", "baselines/static-trained"].map(|name| run.join(name));
        write_config(&student);
        assert_eq!(GivenStudent::find(&run).unwrap().static_control, None);
        write_config(&control);
        let expected = GivenStudent { folder: student.clone(), static_control: Some(control) };
        assert_eq!(GivenStudent::find(&student).unwrap(), expected);
        assert_eq!(GivenStudent::find(&run).unwrap(), expected);
        let none = GivenStudent::find(room.path()).unwrap_err().to_string();
        assert!(none.contains("no student"), "{none}");
    }

    #[test]
    fn other_weights_have_another_stamp_and_another_place_has_the_same() {
        let room = tempfile::tempdir().unwrap();
        let given = |name: &str, weights: &str| {
            let folder = room.path().join(name);
            write_config(&folder);
            std::fs::write(folder.join("model.safetensors"), weights).unwrap();
            GivenStudent::find(&folder).unwrap().stamp()
        };
        assert_eq!(given("one", "a"), given("two", "a"));
        assert_ne!(given("one", "a"), given("one", "b"));
    }
}
