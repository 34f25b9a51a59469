//! `am-softmax`: trains the student with every sentence its own class.

use limbeck_data::Monitor;
use limbeck_data::files::lock_folder;
use limbeck_student::am_softmax::{AmSoftmaxJob, Sentences, train};
use limbeck_student::folder::StudentFolder;
use limbeck_training::contrastive::Dev;
use serde_json::{Value, json};

use super::embed;
use crate::error::Result;
use crate::measure::sts::DevSets;
use crate::pipeline::fingerprint::stamp_contents;
use crate::pipeline::given_student::add_stamp;
use crate::pipeline::student_start::start_of;
use crate::pipeline::{Context, Outputs, PlannedRun, Stage, StageId};
use crate::recipe::{Method, Plan};

/// The stage's name.
pub const ID: StageId = StageId::new("am-softmax");

/// Trains the student with every text of the cache its own class.
pub struct AmSoftmax;

impl Stage for AmSoftmax {
    fn id(&self) -> StageId {
        ID
    }

    fn reads(&self, plan: &Plan) -> Vec<StageId> {
        let before = plan.method_before(Method::AmSoftmax).map(StageId::from);
        [embed::ID].into_iter().chain(before).collect()
    }

    fn inputs(&self, plan: &Plan) -> Value {
        let recipe = &plan.recipe;
        let mut inputs = json!({"student": recipe.student.shape(), "am_softmax": recipe.am_softmax,
               "start": recipe.train_student.start, "seed": recipe.distil.seed,
               "dev": stamp_contents(&recipe.train_student.dev)});
        add_stamp(&mut inputs, plan);
        inputs
    }

    fn outputs(&self, run: &PlannedRun) -> Outputs {
        Outputs::student(run.student_folder(Method::AmSoftmax))
    }

    fn run(&self, context: &Context) -> Result<()> {
        let recipe = &context.plan().recipe;
        let student = start_of(context, Method::AmSoftmax)?;
        let (cache, held_out) = embed::open_caches(context)?;
        let folder = context.run().student_folder(Method::AmSoftmax);
        let _lock = lock_folder(&folder)?;
        let dev = DevSets::read(
            &context.sets(&recipe.train_student.dev)?,
            &recipe.train_student.dev_columns,
            context.monitor.interrupt,
        )?;
        let job = AmSoftmaxJob {
            sentences: Sentences::Cache { cache: &cache, held_out: held_out.as_ref() },
            settings: &recipe.am_softmax,
            dev: dev.as_ref().map(|dev| dev as &dyn Dev),
            folder: &folder,
            metrics: context.folder().metrics(),
            stage: ID.name(),
        };
        am_softmax_into(&job, student, context.monitor)
    }
}

/// Trains `student` by AM-softmax and writes it to the job's folder.
pub fn am_softmax_into(job: &AmSoftmaxJob, student: StudentFolder, monitor: Monitor) -> Result<()> {
    let summary = train(student, job, monitor)?;
    monitor.note(&format!("{ID}: {summary}"));
    Ok(())
}
