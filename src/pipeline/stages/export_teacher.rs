//! `export-teacher`: writes the teacher as ONNX files.

use std::path::Path;

use limbeck_data::{Monitor, files};
use limbeck_encoder::{Precision, Tokenizer};
use limbeck_teacher::{OnnxEncoder, OnnxOptions, Pooler, TeacherFolder, onnx};
use serde_json::{Value, json};

use super::{fetch, train_teacher};
use crate::error::Result;
use crate::pipeline::fingerprint::stamp;
use crate::pipeline::{Context, Outputs, PlannedRun, Stage, StageId};
use crate::recipe::Plan;

/// The stage's name.
pub const ID: StageId = StageId::new("export-teacher");

/// Writes the teacher as ONNX files: in f32 to be measured, and in the recipe's precision to fill the cache.
pub struct ExportTeacher;

impl Stage for ExportTeacher {
    fn id(&self) -> StageId {
        ID
    }

    fn is_planned(&self, plan: &Plan) -> bool {
        plan.teacher().is_some()
    }

    fn reads(&self, _plan: &Plan) -> Vec<StageId> {
        vec![fetch::ID, train_teacher::ID]
    }

    fn inputs(&self, plan: &Plan) -> Value {
        let teacher = plan.recipe.teacher.as_ref().map(|t| (&t.pooler, &t.prefix, t.max_tokens, t.precision));
        json!({"teacher": teacher, "files": plan.teacher().map(|teacher| stamp(&teacher.uri))})
    }

    fn outputs(&self, run: &PlannedRun) -> Outputs {
        Outputs::files(precisions(&run.plan).into_iter().map(|precision| run.folder.teacher_onnx(precision)))
    }

    fn run(&self, context: &Context) -> Result<()> {
        let (plan, to) = (context.plan(), context.folder());
        let folder = train_teacher::teacher_of(context)?;
        let _bar = context.monitor.stage("exporting the teacher to ONNX", None, "");
        let export = |folder: &TeacherFolder, precision, to: &Path| onnx::export(folder, folder.pooler, precision, to);
        for precision in precisions(plan) {
            export(&folder, precision, &to.teacher_onnx(precision))?;
        }
        if plan.recipe.train_teacher.is_some() {
            // The trained teacher is measured against it.
            export(&fetch::named_teacher(context)?, Precision::F32, &to.untrained_teacher_onnx())?;
        }
        write_tokenizer(&folder, &to.teacher_tokenizer())
    }
}

/// The precisions of the exports: f32 to be measured, and that of the vectors in the cache.
fn precisions(plan: &Plan) -> Vec<Precision> {
    let mut all = vec![Precision::F32, plan.teacher_precision()];
    all.dedup();
    all
}

/// Exports a teacher to the file `to`, with its tokenizer.json beside it.
pub fn export_teacher_into(
    folder: &TeacherFolder,
    pooler: Pooler,
    precision: Precision,
    to: &Path,
    monitor: Monitor,
) -> Result<()> {
    let bar = monitor.stage("exporting the teacher to ONNX", None, "");
    onnx::export(folder, pooler, precision, to)?;
    drop(bar);
    write_tokenizer(folder, &to.with_file_name("tokenizer.json"))
}

fn write_tokenizer(folder: &TeacherFolder, to: &Path) -> Result<()> {
    Ok(files::write_bytes(to, Tokenizer::from_file(&folder.tokenizer)?.json())?)
}

/// Opens an ONNX file of the run's teacher in ONNX Runtime.
pub fn open_onnx(context: &Context, file: &Path) -> Result<OnnxEncoder> {
    let opener = context.opener();
    let options = OnnxOptions { threads: opener.threads, device: opener.device, ..OnnxOptions::default() };
    let tokenizer = Tokenizer::from_file(&context.folder_of(ID).teacher_tokenizer())?;
    Ok(OnnxEncoder::load(&opener.runtime()?, file, tokenizer, &options)?)
}
