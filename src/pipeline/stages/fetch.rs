//! `fetch`: brings everything that the recipe names to this machine.

use std::path::PathBuf;

use limbeck_data::assets::{Asset, Uri};
use limbeck_data::files;
use limbeck_teacher::{Prompts, TeacherFolder};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::json_file;
use crate::models::{ModelFiles, find_model};
use crate::pipeline::given_student;
use crate::pipeline::{Context, Outputs, PlannedRun, Stage, StageId};
use crate::recipe::{Plan, TeacherSection};

/// The stage's name.
pub const ID: StageId = StageId::new("fetch");

/// Brings everything that the recipe names to this machine, and lists it with its sha256 in `assets.json`.
pub struct Fetch;

impl Stage for Fetch {
    fn id(&self) -> StageId {
        ID
    }

    fn reads(&self, _plan: &Plan) -> Vec<StageId> {
        vec![]
    }

    fn inputs(&self, plan: &Plan) -> Value {
        let recipe = &plan.recipe;
        let teacher = recipe.teacher.as_ref().map(|teacher| (&teacher.source, &teacher.sha256));
        let sources: Vec<_> = recipe.text.source.iter().map(|source| (&source.uri, &source.sha256)).collect();
        let tokenizer = recipe.student.tokenizer.as_ref().or_else(|| plan.api()?.tokenizer.as_ref());
        // Labelled examples belong to the inputs of the trainings: nothing else depends on them.
        let mut inputs =
            json!({"teacher": teacher, "text": sources, "runtime": recipe.runtime.library, "tokenizer": tokenizer});
        if let Some(from) = &recipe.student.from {
            inputs["student"] = json!(from);
        }
        inputs
    }

    fn outputs(&self, run: &PlannedRun) -> Outputs {
        Outputs::files([run.folder.assets()])
    }

    fn resumes(&self) -> Option<&'static str> {
        Some("what came whole")
    }

    fn run(&self, context: &Context) -> Result<()> {
        let plan = context.plan();
        let recipe = &plan.recipe;
        let mut wanted: Vec<(&Uri, Option<&str>)> = Vec::new();
        if let Some(teacher) = plan.teacher() {
            wanted.push((&teacher.uri, recipe.teacher.as_ref().and_then(|teacher| teacher.sha256.as_deref())));
            if std::env::var_os(limbeck_teacher::LIBRARY_VARIABLE).is_none() {
                wanted.push((&plan.runtime, None));
            }
        }
        let hashes = recipe.text.source.iter().map(|source| source.sha256.as_deref());
        wanted.extend(plan.text.iter().zip(hashes));
        let Plan { tokenizer, examples, student_examples, exclude, .. } = plan;
        let others = tokenizer.iter().chain(examples).chain(student_examples).chain(exclude);
        wanted.extend(others.chain(plan.from.iter().map(|from| &from.uri)).map(|uri| (uri, None)));
        let sets = evaluation_sets(plan)?;
        wanted.extend(sets.iter().map(|uri| (uri, None)));
        let mut fetched = Map::new();
        for (uri, sha256) in wanted {
            context.monitor.check()?;
            let asset = context.store.fetch(uri, sha256, context.monitor)?;
            fetched.insert(uri.to_string(), entry(&asset));
        }
        if plan.teacher().is_some() {
            check_teacher(context)?;
        }
        Ok(files::write_json(&context.folder().assets(), &fetched.into())?)
    }
}

/// Refuses a teacher that later stages can't use: before the embedding rather than after it.
fn check_teacher(context: &Context) -> Result<()> {
    match named_model(context)? {
        ModelFiles::Onnx { file, .. } if context.plan().recipe.train_teacher.is_some() => {
            let problem = format!("{} is an ONNX file, and [train_teacher] trains a folder's weights", file.display());
            Err(Error::Stage { stage: ID.name(), problem })
        }
        // Opened, and then checked, by the next stage.
        ModelFiles::Onnx { .. } => Ok(()),
        _ => {
            let teacher = named_teacher(context)?;
            note_prompts(context, &teacher);
            check_roles(context, &teacher.prompts)?;
            check_width(context, teacher.dimension()?)
        }
    }
}

/// The evaluation sets that don't lie on this machine: a missing one is known before the embedding.
fn evaluation_sets(plan: &Plan) -> Result<Vec<Uri>> {
    let recipe = &plan.recipe;
    let dev = recipe.train_teacher.iter().flat_map(|train| &train.dev).chain(&recipe.train_student.dev);
    let names =
        recipe.evaluate.sts.iter().chain(recipe.evaluate.task_folders()).chain(dev).filter_map(|name| name.to_str());
    let uris = names.map(str::parse).collect::<limbeck_data::Result<Vec<Uri>>>()?;
    Ok(uris.into_iter().filter(|uri| !matches!(uri, Uri::Path(_))).collect())
}

fn entry(asset: &Asset) -> Value {
    json!({"path": asset.path, "sha256": asset.sha256})
}

/// The local path of an asset that a later stage asks for, which is added to the list of assets.
pub fn listed_asset(context: &Context, uri: &Uri) -> Result<PathBuf> {
    let asset = context.store.fetch(uri, None, context.monitor)?;
    let path = context.folder().assets();
    let mut listed: Map<String, Value> = json_file::read_if_present(&path, "list of assets")?.unwrap_or_default();
    listed.insert(uri.to_string(), entry(&asset));
    files::write_json(&path, &listed.into())?;
    Ok(asset.path)
}

/// The files of the model that `[teacher]` names.
pub fn named_model(context: &Context) -> Result<ModelFiles> {
    find_model(&named_path(context)?.0)
}

/// The path of the model that `[teacher]` names, and the section.
fn named_path<'a>(context: &Context<'a>) -> Result<(PathBuf, &'a TeacherSection)> {
    let plan = context.plan();
    let (Some(section), Some(teacher)) = (&plan.recipe.teacher, plan.teacher()) else {
        return Err(Error::Stage { stage: ID.name(), problem: "the recipe has no teacher".into() });
    };
    Ok((context.asset(&teacher.uri, section.sha256.as_deref())?, section))
}

/// Notes the teacher's prompts where it has some and the recipe chooses none.
fn note_prompts(context: &Context, teacher: &TeacherFolder) {
    let recipe = &context.plan().recipe;
    let is_chosen = recipe.teacher.as_ref().is_some_and(TeacherSection::chooses_prefix)
        || recipe.text.source.iter().all(|source| source.role.is_some());
    if let Some(note) = teacher.prompts.unused().filter(|_| !is_chosen) {
        context.monitor.note(&format!("{ID}: {note}"));
    }
}

/// Refuses a role of a source for which the teacher has no prompt.
pub fn check_roles(context: &Context, prompts: &Prompts) -> Result<()> {
    let mut roles = context.plan().recipe.text.source.iter().filter_map(|source| source.role.as_ref());
    roles.try_for_each(|role| Ok(prompts.of_role(role).map(|_| ())?))
}

/// The folder that `[teacher]` names, with the recipe's settings in place of the folder's own.
pub fn named_teacher(context: &Context) -> Result<TeacherFolder> {
    let (path, section) = named_path(context)?;
    let mut folder = TeacherFolder::open(&path)?;
    if let Some(pooler) = section.pooler {
        folder.set_pooler(pooler);
    }
    folder.set_prefix(section.prefix.as_deref(), section.prompt.as_deref())?;
    if let Some(max_tokens) = section.max_tokens {
        folder.check_tokens(max_tokens)?;
        folder.max_tokens = max_tokens;
    }
    Ok(folder)
}

/// Refuses a student wider than its teacher, whose vectors are `teacher` wide, or one to go on from of another width;
/// notes where the default width ends
/// there.
pub fn check_width(context: &Context, teacher: usize) -> Result<()> {
    context.plan().check_width(teacher)?;
    given_student::check_dimension(context, teacher)?;
    let student = &context.plan().recipe.student;
    if student.from.is_none() && student.width(teacher) < student.embedding {
        context.monitor.note(&format!("student.embedding is {teacher}, the width of the teacher's vectors"));
    }
    Ok(())
}
