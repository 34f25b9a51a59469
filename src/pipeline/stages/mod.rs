//! The stages of a run, one file each, and their order.

pub mod am_softmax;
pub mod baselines;
pub mod bench;
pub mod distil;
pub mod embed;
pub mod evaluate;
pub mod export_student;
pub mod export_teacher;
pub mod fetch;
pub mod lexical;
pub mod report;
pub mod simcse;
pub mod text;
pub mod train_teacher;
pub mod vocabulary;

use super::stage::Stage;
use crate::recipe::{Method, Plan};

/// All stages, in the order in which they run. A new stage is its file, declared above, and one line here.
pub const ALL: &[&dyn Stage] = &[
    &fetch::Fetch,
    &text::Text,
    &train_teacher::TrainTeacher,
    &export_teacher::ExportTeacher,
    &vocabulary::Vocabulary,
    &embed::Embed,
    &distil::Distil,
    &simcse::Simcse,
    &am_softmax::AmSoftmax,
    &baselines::Baselines,
    &lexical::Lexical,
    &export_student::ExportStudent,
    &evaluate::Evaluate,
    &bench::Bench,
    &report::Report,
];

/// The stages of a plan in order. The training methods take their places in the order of `student.methods`.
pub fn of(plan: &Plan) -> Vec<&'static dyn Stage> {
    let by_method = |method: &Method| ALL.iter().find(|stage| stage.method() == Some(*method));
    let mut methods = plan.recipe.student.methods.iter().filter_map(by_method);
    let in_order = ALL.iter().filter_map(|stage| if stage.method().is_some() { methods.next() } else { Some(stage) });
    in_order.copied().filter(|stage| stage.is_planned(plan)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::recipe::Recipe;

    fn plan(student: &str) -> Plan {
        let text = format!(
            "name = \"x\"\n[teacher]\nsource = \"t\"\n[train_teacher]\n[[text.source]]\nuri = \"a.txt\"\n\
             [student]\nvocabulary = \"corpus\"\n{student}"
        );
        let recipe: Recipe = toml::from_str(&text).unwrap();
        Plan::new(recipe, Path::new("x.toml")).unwrap()
    }

    fn names(plan: &Plan) -> Vec<&'static str> {
        of(plan).iter().map(|stage| stage.id().name()).collect()
    }

    #[test]
    fn methods_run_in_the_recipes_order() {
        let plan = plan("methods = [\"am-softmax\", \"distil\"]\n");
        let names = names(&plan);
        let from = names.iter().position(|name| *name == "embed").unwrap();
        assert_eq!(names[from..from + 4], ["embed", "am-softmax", "distil", "baselines"]);
    }

    #[test]
    fn a_stage_reads_only_stages_before_it() {
        for methods in ["[\"distil\"]", "[\"simcse\", \"distil\"]", "[\"distil\", \"am-softmax\", \"simcse\"]"] {
            let plan = plan(&format!("methods = {methods}\n"));
            let names = names(&plan);
            for (at, stage) in of(&plan).iter().enumerate() {
                let reads = stage.reads(&plan);
                assert!(reads.iter().all(|read| names[..at].contains(&read.name())), "{}", stage.id());
            }
        }
    }

    #[test]
    fn every_stage_has_a_name_of_its_own() {
        let mut names: Vec<_> = ALL.iter().map(|stage| stage.id()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
