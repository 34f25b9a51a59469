//! `export-teacher`: writes the teacher as ONNX files.

use std::path::{Path, PathBuf};

use limbeck_data::{Monitor, files};
use limbeck_encoder::{Encoder, Precision, Tokenizer};
use limbeck_teacher::{OnnxEncoder, OnnxOptions, TeacherFolder, onnx};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{fetch, train_teacher};
use crate::error::Result;
use crate::json_file;
use crate::models::ModelFiles;
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
        let teacher =
            plan.recipe.teacher.as_ref().map(|t| (&t.pooler, (&t.prefix, &t.prompt), t.max_tokens, t.precision));
        json!({"teacher": teacher, "files": plan.teacher().map(|teacher| stamp(&teacher.uri))})
    }

    fn outputs(&self, run: &PlannedRun) -> Outputs {
        let foreign = run.folder.foreign_teacher();
        match foreign.is_file() {
            true => Outputs::files([foreign, run.folder.teacher_tokenizer()]),
            false => {
                Outputs::files(precisions(&run.plan).into_iter().map(|precision| run.folder.teacher_onnx(precision)))
            }
        }
    }

    fn run(&self, context: &Context) -> Result<()> {
        let (plan, to) = (context.plan(), context.folder());
        if let ModelFiles::Onnx { file, tokenizer } = fetch::named_model(context)? {
            return adopt_onnx(context, ForeignTeacher { file, tokenizer });
        }
        files::remove(&to.foreign_teacher())?;
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
pub fn export_teacher_into(folder: &TeacherFolder, precision: Precision, to: &Path, monitor: Monitor) -> Result<()> {
    let bar = monitor.stage("exporting the teacher to ONNX", None, "");
    onnx::export(folder, folder.pooler, precision, to)?;
    drop(bar);
    write_tokenizer(folder, &to.with_file_name("tokenizer.json"))
}

fn write_tokenizer(folder: &TeacherFolder, to: &Path) -> Result<()> {
    Ok(files::write_bytes(to, folder.open_tokenizer()?.json())?)
}

/// A teacher that the recipe names as an ONNX file: nothing is exported.
#[derive(Serialize, Deserialize)]
struct ForeignTeacher {
    file: PathBuf,
    tokenizer: PathBuf,
}

/// Opens the teacher's ONNX file, so that what it can't do is known now, and notes its place.
fn adopt_onnx(context: &Context, teacher: ForeignTeacher) -> Result<()> {
    let to = context.folder();
    let encoder = open_foreign(context, &teacher)?;
    encoder.notes().iter().for_each(|note| context.monitor.note(&format!("{ID}: {note}")));
    fetch::check_width(context, encoder.info().dimension)?;
    fetch::check_roles(context, encoder.prompts())?;
    files::write_bytes(&to.teacher_tokenizer(), Tokenizer::from_file(&teacher.tokenizer)?.json())?;
    Ok(files::write_json(&to.foreign_teacher(), &json!(teacher))?)
}

/// The run's teacher as an ONNX file that the recipe names, if it is one.
fn foreign_teacher(context: &Context) -> Result<Option<ForeignTeacher>> {
    json_file::read_if_present(&context.folder_of(ID).foreign_teacher(), "place of the teacher")
}

/// Whether the recipe names the teacher as an ONNX file, of which there is one precision alone.
pub fn is_foreign(context: &Context) -> bool {
    context.folder_of(ID).foreign_teacher().is_file()
}

fn open_foreign(context: &Context, teacher: &ForeignTeacher) -> Result<OnnxEncoder> {
    let opener = context.opener();
    let section = context.plan().recipe.teacher.clone().unwrap_or_default();
    let options = OnnxOptions {
        threads: opener.threads,
        device: opener.device,
        pooler: section.pooler,
        max_tokens: section.max_tokens,
        prefix: section.prefix,
        prompt: section.prompt,
        ..OnnxOptions::default()
    };
    let tokenizer = Tokenizer::from_file(&teacher.tokenizer)?;
    Ok(OnnxEncoder::load(&opener.runtime()?, &teacher.file, tokenizer, &options)?)
}

/// Opens the run's teacher in ONNX Runtime: its export in `precision`, or the ONNX file that the recipe names.
pub fn open_teacher(context: &Context, precision: Precision) -> Result<OnnxEncoder> {
    match foreign_teacher(context)? {
        Some(teacher) => open_foreign(context, &teacher),
        None => open_onnx(context, &context.folder_of(ID).teacher_onnx(precision)),
    }
}

/// Opens an ONNX export of the run's teacher in ONNX Runtime.
pub fn open_onnx(context: &Context, file: &Path) -> Result<OnnxEncoder> {
    let opener = context.opener();
    let options = OnnxOptions { threads: opener.threads, device: opener.device, ..OnnxOptions::default() };
    let tokenizer = Tokenizer::from_file(&context.folder_of(ID).teacher_tokenizer())?;
    Ok(OnnxEncoder::load(&opener.runtime()?, file, tokenizer, &options)?)
}
