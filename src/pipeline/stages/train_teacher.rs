//! `train-teacher`: trains the teacher by SimCSE.

use limbeck_data::Monitor;
use limbeck_data::files::lock_folder;
use limbeck_teacher::train::{BertSettings, train};
use limbeck_teacher::{OnnxDevice, TeacherFolder};
use limbeck_training::contrastive::Job;
use serde_json::{Value, json};

use super::{fetch, text};
use crate::error::{Error, Result};
use crate::measure::sts::DevSets;
use crate::models::candle_device;
use crate::pipeline::fingerprint::{stamp, stamp_contents};
use crate::pipeline::training_examples::LoadedExamples;
use crate::pipeline::{Context, Outputs, PlannedRun, Stage, StageId};
use crate::recipe::Plan;

/// The stage's name.
pub const ID: StageId = StageId::new("train-teacher");

/// Trains the model that `[teacher]` names, on the recipe's text or on labelled examples.
pub struct TrainTeacher;

impl Stage for TrainTeacher {
    fn id(&self) -> StageId {
        ID
    }

    fn is_planned(&self, plan: &Plan) -> bool {
        plan.recipe.train_teacher.is_some()
    }

    fn reads(&self, _plan: &Plan) -> Vec<StageId> {
        vec![fetch::ID, text::ID]
    }

    fn inputs(&self, plan: &Plan) -> Value {
        let recipe = &plan.recipe;
        let teacher = recipe.teacher.as_ref().map(|t| (&t.pooler, (&t.prefix, &t.prompt), t.max_tokens, &t.device));
        let dev = recipe.train_teacher.iter().flat_map(|train| stamp_contents(&train.dev));
        let uris = plan.teacher().map(|teacher| &teacher.uri).into_iter().chain(&plan.examples);
        let files: Vec<_> = uris.map(stamp).chain(dev).collect();
        json!({"train_teacher": recipe.train_teacher, "teacher": teacher, "files": files})
    }

    fn outputs(&self, run: &PlannedRun) -> Outputs {
        let teacher = run.folder.teacher();
        let files = vec![teacher.join("config.json"), teacher.join("model.safetensors")];
        Outputs { files, cleared: Some(teacher), ..Outputs::default() }
    }

    fn resumes(&self) -> Option<&'static str> {
        Some("the last checkpoint")
    }

    fn run(&self, context: &Context) -> Result<()> {
        let missing = || Error::Stage { stage: ID.name(), problem: "the recipe trains no teacher".into() };
        let section = context.plan().recipe.train_teacher.as_ref().ok_or_else(missing)?;
        let start = fetch::named_teacher(context)?;
        let examples = match &context.plan().examples {
            Some(uri) => {
                let path = fetch::listed_asset(context, uri)?;
                LoadedExamples::read_labelled(&path, &section.columns, section.limit, ID, context.monitor)?
            }
            None => LoadedExamples::Texts(text::prepared_texts(context, section.limit.unwrap_or(usize::MAX))?),
        };
        let folder = context.folder().teacher();
        let _lock = lock_folder(&folder)?;
        let dev = DevSets::read(&context.sets(&section.dev)?, &section.dev_columns, context.monitor.interrupt)?;
        let job = examples.job(&section.simcse, dev.as_ref(), &folder, context.folder().metrics(), ID);
        train_teacher_into(&job, &start, &section.bert, context.opener().device, context.monitor)
    }
}

/// Trains a teacher that starts from the model `start`, and writes it to the job's folder.
pub fn train_teacher_into(
    job: &Job,
    start: &TeacherFolder,
    settings: &BertSettings,
    device: OnnxDevice,
    monitor: Monitor,
) -> Result<()> {
    let summary = train(start, settings, job, &candle_device(device)?, monitor)?;
    monitor.note(&format!("{ID}: {summary}"));
    Ok(())
}

/// The run's teacher: what was trained, else what `[teacher]` names.
pub fn teacher_of(context: &Context) -> Result<TeacherFolder> {
    match context.plan().recipe.train_teacher {
        Some(_) => Ok(TeacherFolder::open(&context.folder_of(ID).teacher())?),
        None => fetch::named_teacher(context),
    }
}
