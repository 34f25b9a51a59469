//! `report`: puts together what was measured: `summary.json`, the student's model card and `report.html`.

use indexmap::IndexMap;
use limbeck_data::files;
use serde_json::{Value, json};

use super::{bench, evaluate};
use crate::error::Result;
use crate::json_file;
use crate::measure::speed::Speed;
use crate::pipeline::given_student::given_student;
use crate::pipeline::{Context, Outputs, PlannedRun, Stage, StageId};
use crate::recipe::Plan;
use crate::report::{self, card::card};
use crate::summary::{ModelSummary, Summary, recommended};

/// The stage's name.
pub const ID: StageId = StageId::new("report");

/// Puts together what was measured.
pub struct Report;

impl Stage for Report {
    fn id(&self) -> StageId {
        ID
    }

    fn is_shared(&self, _plan: &Plan) -> bool {
        false
    }

    fn reads(&self, _plan: &Plan) -> Vec<StageId> {
        vec![evaluate::ID, bench::ID]
    }

    fn inputs(&self, plan: &Plan) -> Value {
        let recipe = &plan.recipe;
        // The card tells of the text beyond what its files hold.
        json!({"name": recipe.name, "card": recipe.card, "text": recipe.text})
    }

    fn outputs(&self, run: &PlannedRun) -> Outputs {
        Outputs::files([run.folder.summary(), run.folder.report(), run.folder.card()])
    }

    fn run(&self, context: &Context) -> Result<()> {
        let (plan, own) = (context.plan(), context.folder());
        let mut models: Vec<ModelSummary> = json_file::read(&own.evaluation(), "list of evaluations")?;
        let speeds: Vec<Speed> = json_file::read(&own.bench(), "list of measurements")?;
        for model in &mut models {
            if let Some(speed) = speeds.iter().find(|speed| speed.model == model.name) {
                model.add_speed(speed);
            }
        }
        let mut versions = IndexMap::from([("limbeck".to_string(), env!("CARGO_PKG_VERSION").to_string())]);
        if let Some(runtime) = limbeck_teacher::Runtime::loaded() {
            versions.insert("onnxruntime".into(), runtime.version);
        } else if plan.teacher().is_some() {
            versions.insert("onnxruntime".into(), context.opener().runtime()?.version);
        }
        let (name, stages) = (plan.recipe.name.clone(), context.finished.to_vec());
        let recommended = recommended(&models).map(str::to_owned);
        let summary = Summary { name, models, stages, versions, recommended };
        summary.write(&own.summary())?;
        let mut recipe = plan.recipe.clone();
        if let Some((_, student)) = given_student(context)? {
            recipe.student = recipe.student.with_shape_of(&student.model.config);
        }
        files::write_bytes(&own.card(), card(&summary, &recipe).as_bytes())?;
        let page = report::page(&[report::FinishedRun::read(own.root())?])?;
        Ok(files::write_bytes(&own.report(), page.as_bytes())?)
    }
}
