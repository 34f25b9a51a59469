//! `lexical`: fits a lexical half on the run's documents, and lays it beside the student and its static control.

use std::path::PathBuf;

use candle_core::Device;
use limbeck_student::folder::StudentFolder;
use limbeck_student::lexical::{FittedHalf, fit};
use serde_json::{Value, json};

use super::{baselines, text};
use crate::error::Result;
use crate::pipeline::documents::Documents;
use crate::pipeline::{Context, Outputs, PlannedRun, RunFolder, Stage, StageId};
use crate::recipe::Plan;
use crate::summary::ModelRole;
use crate::summary::format::thousands;

/// The stage's name.
pub const ID: StageId = StageId::new("lexical");

/// A student with a lexical half.
pub struct LexicalStudent {
    /// The name of its exports.
    pub name: &'static str,
    /// Its name in tables.
    pub shown: &'static str,
    /// Its part in the run.
    pub role: ModelRole,
    place: fn(&RunFolder) -> PathBuf,
}

impl LexicalStudent {
    /// Its folder in `run`.
    pub fn folder(&self, run: &RunFolder) -> PathBuf {
        (self.place)(run)
    }
}

/// The students that the plan asks for with a lexical half: its own, and the static control where there is one.
pub fn of(plan: &Plan) -> Vec<LexicalStudent> {
    if plan.recipe.student.lexical == 0 {
        return Vec::new();
    }
    let own = LexicalStudent {
        name: "student-lexical",
        shown: "student, lexical",
        role: ModelRole::Student,
        place: RunFolder::student_lexical,
    };
    let control = LexicalStudent {
        name: "static-lexical",
        shown: "static, lexical",
        role: ModelRole::Baseline,
        place: RunFolder::static_lexical,
    };
    let control = Some(control).filter(|_| plan.recipe.baselines.trained);
    std::iter::once(own).chain(control).collect()
}

/// Fits the lexical half once, and writes each student with it. The students without it stay as they are.
pub struct Lexical;

impl Stage for Lexical {
    fn id(&self) -> StageId {
        ID
    }

    fn is_planned(&self, plan: &Plan) -> bool {
        plan.recipe.student.lexical > 0
    }

    fn is_shared(&self, _plan: &Plan) -> bool {
        false
    }

    fn reads(&self, plan: &Plan) -> Vec<StageId> {
        [text::ID].into_iter().chain(plan.last_method().map(StageId::from)).chain([baselines::ID]).collect()
    }

    fn inputs(&self, plan: &Plan) -> Value {
        json!({"lexical": plan.recipe.student.lexical})
    }

    fn outputs(&self, run: &PlannedRun) -> Outputs {
        let tracked_folders: Vec<PathBuf> = of(&run.plan).iter().map(|student| student.folder(&run.folder)).collect();
        let files = tracked_folders.iter().map(|folder| folder.join("config.json")).collect();
        Outputs { files, tracked_folders, ..Outputs::default() }
    }

    fn run(&self, context: &Context) -> Result<()> {
        let documents = Documents::of(context)?;
        let fitted = fit(|| documents.read(), context.plan().recipe.student.lexical, context.monitor)?;
        let FittedHalf { half, documents } = &fitted;
        let [words, count] = [half.words(), *documents].map(|number| thousands(number as f64));
        let note = format!("{ID}: {} numbers for each of {words} words of {count} documents", half.dimension());
        context.monitor.note(&note);
        for student in of(context.plan()) {
            let dense = match student.role {
                ModelRole::Student => context.folder().student(),
                _ => context.folder_of(baselines::ID).baseline(baselines::TRAINED),
            };
            with_half(StudentFolder::open(&dense, &Device::Cpu)?, &fitted).save(&student.folder(context.folder()))?;
        }
        Ok(())
    }
}

/// The student with the half; its origin tells on how many documents the half was fitted.
fn with_half(mut student: StudentFolder, fitted: &FittedHalf) -> StudentFolder {
    student.lexical = Some(fitted.half.clone());
    if let Some(origin) = student.origin.as_object_mut() {
        origin.insert("lexical_documents".into(), json!(fitted.documents));
    }
    student
}
