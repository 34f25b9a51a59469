//! `simcse`: trains the student by SimCSE.

use limbeck_data::Monitor;
use limbeck_data::files::lock_folder;
use limbeck_student::contrast::{ContrastSettings, train};
use limbeck_student::distil::Targets;
use limbeck_student::folder::StudentFolder;
use limbeck_training::contrastive::Job;
use serde_json::{Value, json};

use super::{embed, fetch, text};
use crate::error::Result;
use crate::measure::sts::DevSets;
use crate::pipeline::fingerprint::{stamp, stamp_contents};
use crate::pipeline::given_student::add_stamp;
use crate::pipeline::student_start::start_of;
use crate::pipeline::training_examples::LoadedExamples;
use crate::pipeline::{Context, Outputs, PlannedRun, Stage, StageId};
use crate::recipe::{Method, Plan};

/// The stage's name.
pub const ID: StageId = StageId::new("simcse");

/// Trains the student by SimCSE, on the recipe's text or on labelled examples.
pub struct Simcse;

impl Stage for Simcse {
    fn id(&self) -> StageId {
        ID
    }

    fn reads(&self, plan: &Plan) -> Vec<StageId> {
        let before = plan.method_before(Method::Simcse).map(StageId::from);
        [fetch::ID, text::ID, embed::ID].into_iter().chain(before).collect()
    }

    fn inputs(&self, plan: &Plan) -> Value {
        let recipe = &plan.recipe;
        let files: Vec<_> = plan.student_examples.iter().map(stamp).collect();
        let mut inputs = json!({"student": recipe.student.shape(), "train_student": recipe.train_student,
                                "seed": recipe.distil.seed, "files": files,
                                "dev": stamp_contents(&recipe.train_student.dev)});
        add_stamp(&mut inputs, plan);
        inputs
    }

    fn outputs(&self, run: &PlannedRun) -> Outputs {
        Outputs::student(run.student_folder(Method::Simcse))
    }

    fn run(&self, context: &Context) -> Result<()> {
        let section = &context.plan().recipe.train_student;
        let student = start_of(context, Method::Simcse)?;
        let examples = match &context.plan().student_examples {
            Some(uri) => {
                let path = fetch::listed_asset(context, uri)?;
                LoadedExamples::read_labelled(&path, &section.columns, section.limit, ID, context.monitor)?
            }
            None => LoadedExamples::Texts(training_texts(context, &student, section.limit.unwrap_or(usize::MAX))?),
        };
        let folder = context.run().student_folder(Method::Simcse);
        let _lock = lock_folder(&folder)?;
        let dev = DevSets::read(&context.sets(&section.dev)?, &section.dev_columns, context.monitor.interrupt)?;
        let job = examples.job(&section.simcse, dev.as_ref(), &folder, context.folder().metrics(), ID);
        simcse_into(&job, student, &section.contrast(), context.monitor)
    }
}

/// Trains `student` by SimCSE and writes it to the job's folder.
pub fn simcse_into(job: &Job, student: StudentFolder, settings: &ContrastSettings, monitor: Monitor) -> Result<()> {
    let summary = train(student, settings, job, monitor)?;
    monitor.note(&format!("{ID}: {summary}"));
    Ok(())
}

/// The recipe's text without what is held out, or that of a cache made elsewhere.
fn training_texts(context: &Context, student: &StudentFolder, limit: usize) -> Result<Vec<String>> {
    if context.plan().embeds_text() {
        return text::prepared_texts(context, limit);
    }
    let (cache, held_out) = embed::open_caches(context)?;
    let max_tokens = student.model.config.max_tokens;
    let tokenizer = &student.tokenizer;
    let targets = Targets { cache: &cache, held_out: held_out.as_ref(), tokenizer, max_tokens };
    Ok(targets.training_texts(limit)?)
}
