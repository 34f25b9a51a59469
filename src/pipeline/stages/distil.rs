//! `distil`: trains the student on the cached vectors.

use limbeck_data::Monitor;
use limbeck_data::files::lock_folder;
use limbeck_student::distil::{DistilJob, distil, remove_checkpoints, warnings};
use limbeck_student::folder::save_student;
use serde_json::{Map, Value, json};

use super::embed;
use crate::error::Result;
use crate::pipeline::given_student::add_stamp;
use crate::pipeline::student_start::student_of;
use crate::pipeline::text_sources::recorded;
use crate::pipeline::{Context, Outputs, PlannedRun, Stage, StageId};
use crate::recipe::{Method, Plan};

/// The stage's name.
pub const ID: StageId = StageId::new("distil");

/// Trains the student on the cached vectors.
pub struct Distil;

impl Stage for Distil {
    fn id(&self) -> StageId {
        ID
    }

    fn reads(&self, plan: &Plan) -> Vec<StageId> {
        let before = plan.method_before(Method::Distil).map(StageId::from);
        [embed::ID].into_iter().chain(before).collect()
    }

    fn inputs(&self, plan: &Plan) -> Value {
        let mut inputs = json!({"student": plan.recipe.student.shape(), "distil": plan.recipe.distil});
        add_stamp(&mut inputs, plan);
        inputs
    }

    fn outputs(&self, run: &PlannedRun) -> Outputs {
        Outputs::student(run.student_folder(Method::Distil))
    }

    fn run(&self, context: &Context) -> Result<()> {
        let before = context.plan().method_before(Method::Distil);
        let student = before.map(|method| student_of(context, method)).transpose()?;
        let files = embed::TargetFiles::open(context)?;
        let folder = context.run().student_folder(Method::Distil);
        let _lock = lock_folder(&folder)?;
        let mut job = files.job(context, &context.plan().recipe.distil, &folder, ID.name());
        job.student = student.as_ref().map(|student| &student.model).or(job.student);
        warn(&job, context.monitor)?;
        distil_into(&job, origin_of_run(context), context.monitor)
    }
}

/// Notes what is odd about the job's targets.
pub fn warn(job: &DistilJob, monitor: Monitor) -> Result<()> {
    for warning in warnings(&job.targets, job.settings)? {
        monitor.note(&format!("{}: {warning}", job.stage));
    }
    Ok(())
}

/// What a student of a run comes from: its teacher, or a cache made elsewhere, and the recipe.
pub fn origin_of_run(context: &Context) -> Map<String, Value> {
    let recipe = &context.plan().recipe;
    let teacher = recipe.teacher.as_ref().map(|teacher| teacher.name());
    let teacher = teacher.or_else(|| recipe.cache.path.clone());
    let mut origin = Map::from_iter([("teacher".into(), json!(teacher)), ("recipe".into(), json!(recipe.name))]);
    if let Some(from) = &recipe.student.from {
        origin.insert("from".into(), json!(from));
    }
    origin
}

/// Distils a student and writes it to the job's folder, with `origin` and what came of the training in its config.
pub fn distil_into(job: &DistilJob, mut origin: Map<String, Value>, monitor: Monitor) -> Result<()> {
    let (model, summary) = distil(job, monitor)?;
    if job.settings.documents > 1 {
        let (documents, times) = (summary.documents, job.settings.documents);
        monitor.note(&format!("{}: {documents} texts are whole documents, which come {times} times a pass", job.stage));
    }
    monitor.note(&format!(
        "{}: {} texts, {} steps; held-out cosine {:.4} at the start, {:.4} at step {}",
        job.stage, summary.texts, summary.steps, summary.start, summary.best, summary.best_step
    ));
    if let Some(fingerprint) = job.targets.cache.fingerprint().filter(|fingerprint| !fingerprint.prefix.is_empty()) {
        // What stood before the texts when their targets were made: the student gets the texts alone.
        origin.insert("prompts".into(), recorded(&fingerprint.prefix));
    }
    origin.insert("texts".into(), json!(summary.texts));
    origin.insert("steps".into(), json!(summary.steps));
    origin.insert("held_out_cosine".into(), json!(summary.best));
    save_student(job.folder, &model, job.targets.tokenizer, &origin.into())?;
    Ok(remove_checkpoints(job.folder)?)
}
