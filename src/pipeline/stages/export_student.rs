//! `export-student`: folds the students into files for the encoder.

use std::path::{Path, PathBuf};

use candle_core::Device;
use limbeck_encoder::Precision;
use limbeck_student::fold::write_folded;
use limbeck_student::folder::StudentFolder;
use serde_json::{Value, json};

use super::baselines::Baseline;
use super::{baselines, lexical};
use crate::error::Result;
use crate::pipeline::{Context, Outputs, PlannedRun, Stage, StageId};
use crate::recipe::Plan;

/// The stage's name.
pub const ID: StageId = StageId::new("export-student");

/// The precisions that the student is folded in.
const PRECISIONS: [Precision; 2] = [Precision::F32, Precision::Int8];

/// The precisions of a static student: the trained one may be what a run recommends, the other is only measured.
fn precisions_of(baseline: &Baseline) -> &'static [Precision] {
    if baseline.name == baselines::TRAINED { &PRECISIONS } else { &PRECISIONS[..1] }
}

/// Folds the student, the students with a lexical half and the trained static student in f32 and int8, and the
/// untrained one in f32.
pub struct ExportStudent;

impl Stage for ExportStudent {
    fn id(&self) -> StageId {
        ID
    }

    fn is_shared(&self, _plan: &Plan) -> bool {
        false
    }

    fn reads(&self, plan: &Plan) -> Vec<StageId> {
        let lexical = Some(lexical::ID).filter(|_| plan.recipe.student.lexical > 0);
        plan.last_method().map(StageId::from).into_iter().chain([baselines::ID]).chain(lexical).collect()
    }

    fn inputs(&self, _plan: &Plan) -> Value {
        json!({})
    }

    fn outputs(&self, run: &PlannedRun) -> Outputs {
        let lexical = lexical::of(&run.plan).into_iter().map(|student| student.name);
        let control = baselines::of(&run.plan).into_iter().map(|baseline| baseline.name);
        let control = control.filter(|name| *name == baselines::TRAINED);
        let names: Vec<&str> = std::iter::once("student").chain(lexical).chain(control).collect();
        let exports = |name| PRECISIONS.map(|precision| run.folder.folded(name, precision));
        Outputs::files(names.into_iter().flat_map(exports))
    }

    fn run(&self, context: &Context) -> Result<()> {
        let own = context.folder();
        let exports = own.exports();
        std::fs::create_dir_all(&exports).map_err(limbeck_data::Error::io("create the folder", &exports))?;
        limbeck_data::files::remove_leftovers(&exports)?;
        fold(&own.student(), PRECISIONS.map(|precision| (precision, own.folded("student", precision))))?;
        for student in lexical::of(context.plan()) {
            fold(&student.folder(own), PRECISIONS.map(|precision| (precision, own.folded(student.name, precision))))?;
        }
        for baseline in baselines::of(context.plan()) {
            let folder = context.folder_of(baselines::ID).baseline(baseline.name);
            let precisions = precisions_of(&baseline).iter();
            fold(&folder, precisions.map(|&precision| (precision, own.folded(baseline.name, precision))))?;
        }
        Ok(())
    }
}

fn fold(student: &Path, files: impl IntoIterator<Item = (Precision, PathBuf)>) -> Result<()> {
    let student = StudentFolder::open(student, &Device::Cpu)?;
    for (precision, to) in files {
        write_folded(&student, precision, &to)?;
    }
    Ok(())
}
