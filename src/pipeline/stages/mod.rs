//! The stages of a run, one file each, and their order.

use super::stage::Stage;
use crate::recipe::{Method, Plan};

/// Declares the stages in the order in which they run. A new stage is its file and one line here.
macro_rules! stages {
    ($($(#[$docs:meta])* $module:ident::$stage:ident,)+) => {
        $($(#[$docs])* pub mod $module;)+

        /// All stages, in the order in which they run.
        pub const ALL: &[&dyn Stage] = &[$(&$module::$stage,)+];
    };
}

stages! {
    fetch::Fetch,
    text::Text,
    train_teacher::TrainTeacher,
    export_teacher::ExportTeacher,
    vocabulary::Vocabulary,
    embed::Embed,
    distil::Distil,
    simcse::Simcse,
    am_softmax::AmSoftmax,
    baselines::Baselines,
    export_student::ExportStudent,
    evaluate::Evaluate,
    bench::Bench,
    report::Report,
}

/// The stages of a plan in order. The training methods take their places in the order of `student.methods`.
pub fn of(plan: &Plan) -> Vec<&'static dyn Stage> {
    let by_method = |method: &Method| ALL.iter().find(|stage| stage.method() == Some(*method));
    let mut methods = plan.recipe.student.methods.iter().filter_map(by_method);
    let in_order = ALL.iter().filter_map(|stage| if stage.method().is_some() { methods.next() } else { Some(stage) });
    in_order.copied().filter(|stage| stage.is_planned(plan)).collect()
}
