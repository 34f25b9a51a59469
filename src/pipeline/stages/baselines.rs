//! `baselines`: the static students that the student is compared with.

use limbeck_data::files::lock_folder;
use limbeck_student::distil::DistilSettings;
use limbeck_student::model::TextCnn;
use serde_json::{Value, json};

use super::distil::{distil_into, origin_of_run};
use super::embed;
use crate::error::Result;
use crate::pipeline::given_student::{GivenStudent, add_stamp};
use crate::pipeline::{Context, Outputs, PlannedRun, Stage, StageId};
use crate::recipe::Plan;
use crate::summary::{STATIC_SHOWN, STATIC_TRAINED};

/// The stage's name.
pub const ID: StageId = StageId::new("baselines");

/// The name of the control, which learns from the same targets.
pub const TRAINED: &str = STATIC_TRAINED;

/// A static student: one without convolutions.
pub struct Baseline {
    /// Its folder and the name of its training.
    pub name: &'static str,
    /// Its name in tables.
    pub shown: &'static str,
    /// How it learns.
    pub settings: DistilSettings,
}

/// The static students that the plan asks for: the start as it is, and the honest control, trained on the same targets.
/// Both start from the static control beside the student that the plan goes on from, where there is one.
pub fn of(plan: &Plan) -> Vec<Baseline> {
    let wanted = &plan.recipe.baselines;
    let trained = plan.recipe.distil.static_control();
    let untrained = DistilSettings { epochs: 0, ..trained.clone() };
    let untrained = Baseline { name: "static-start", shown: "static, untrained", settings: untrained };
    let trained = Baseline { name: TRAINED, shown: STATIC_SHOWN, settings: trained };
    let untrained = wanted.untrained.then_some(untrained);
    untrained.into_iter().chain(wanted.trained.then_some(trained)).collect()
}

/// Makes the static students.
pub struct Baselines;

impl Stage for Baselines {
    fn id(&self) -> StageId {
        ID
    }

    fn is_planned(&self, plan: &Plan) -> bool {
        !of(plan).is_empty()
    }

    fn reads(&self, _plan: &Plan) -> Vec<StageId> {
        vec![embed::ID]
    }

    fn inputs(&self, plan: &Plan) -> Value {
        let recipe = &plan.recipe;
        let mut inputs = json!({"baselines": recipe.baselines, "embedding": recipe.student.embedding,
                                "max_tokens": recipe.student.max_tokens, "distil": recipe.distil});
        add_stamp(&mut inputs, plan);
        inputs
    }

    fn outputs(&self, run: &PlannedRun) -> Outputs {
        let folders = of(&run.plan).iter().map(|baseline| run.folder.baseline(baseline.name)).collect();
        Outputs::students(folders, run.folder.baselines())
    }

    fn resumes(&self) -> Option<&'static str> {
        Some("the last checkpoint")
    }

    fn run(&self, context: &Context) -> Result<()> {
        let files = embed::TargetFiles::open(context)?;
        let open = |(given, student): &(GivenStudent, TextCnn)| {
            given.open_static_control(&student.config.static_control(), &files.tokenizer)
        };
        let start = files.given.as_ref().map(open).transpose()?;
        if let Some(Err(why)) = &start {
            context.monitor.note(&format!("{ID}: {why}; the static control starts from the static start"));
        }
        let start = start.and_then(|start| start.ok());
        for baseline in of(context.plan()) {
            let folder = context.folder().baseline(baseline.name);
            let _lock = lock_folder(&folder)?;
            let mut job = files.job(context, &baseline.settings, &folder, baseline.name);
            job.config = job.config.static_control();
            job.student = start.as_ref();
            distil_into(&job, origin_of_run(context), context.monitor)?;
        }
        Ok(())
    }
}
