//! `bench`: the speed of the run's models, side by side.

use std::time::Duration;

use limbeck_data::files;
use serde_json::{Value, json};

use super::{embed, evaluate, export_student, export_teacher, text};
use crate::error::Result;
use crate::measure::NamedModel;
use crate::measure::evaluation::Candidate;
use crate::measure::speed::{Settings, measure_speed};
use crate::pipeline::{Context, Outputs, PlannedRun, Stage, StageId};
use crate::recipe::Plan;

/// The stage's name.
pub const ID: StageId = StageId::new("bench");

/// Speed is measured on at most this many texts.
const TEXTS: usize = 20_000;

/// Measures the speed of every model.
pub struct Bench;

impl Stage for Bench {
    fn id(&self) -> StageId {
        ID
    }

    fn is_shared(&self, _plan: &Plan) -> bool {
        false
    }

    fn reads(&self, _plan: &Plan) -> Vec<StageId> {
        vec![export_teacher::ID, embed::ID, export_student::ID]
    }

    fn inputs(&self, plan: &Plan) -> Value {
        json!({"bench": plan.recipe.bench, "threads": plan.threads})
    }

    fn outputs(&self, run: &PlannedRun) -> Outputs {
        Outputs::files([run.folder.bench()])
    }

    fn run(&self, context: &Context) -> Result<()> {
        let candidates = evaluate::candidates(context)?;
        if context.plan().api().is_some() {
            context.monitor.note("bench: the teacher behind the API is left out; a network's speed is no model's");
        }
        let models: Vec<NamedModel<'_>> = candidates.iter().map(Candidate::model).collect();
        let texts = bench_texts(context)?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let recipe = &context.plan().recipe.bench;
        let round = Duration::from_secs_f64(recipe.seconds);
        let settings = Settings { rounds: recipe.rounds, round, ..Settings::default() };
        let measured = measure_speed(&models, &texts, &settings, context.monitor)?;
        Ok(files::write_json(&context.folder().bench(), &json!(measured))?)
    }
}

fn bench_texts(context: &Context) -> Result<Vec<String>> {
    if context.plan().embeds_text() {
        return text::prepared_texts(context, TEXTS);
    }
    let (cache, _) = embed::open_caches(context)?;
    let mut texts = cache.read(0)?.texts;
    texts.truncate(TEXTS);
    Ok(texts)
}
