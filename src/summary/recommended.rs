//! Which of a run's two students is worth its cost, where no judgements tell.

use super::{ModelRole, ModelSummary, extra};

/// A static student this far below the student with heads, in points of the teacher's first ten documents, is
/// recommended all the same: it costs a third.
const WORTH: f64 = 1.0;

/// The name of the recommended student's files in `exports/`: that of the static student where it finds as many of the
/// teacher's first ten documents as the student does, but for one point. `None` where search was not measured for both.
pub fn recommended(models: &[ModelSummary]) -> Option<&'static str> {
    let found = |wanted: &dyn Fn(&ModelSummary) -> bool| {
        models.iter().find(|model| wanted(model)).and_then(ModelSummary::found_at_10)
    };
    let student = found(&|model| model.role == ModelRole::Student)?;
    let control = found(&|model| model.name == STATIC_SHOWN)?;
    Some(if control >= student - WORTH { STATIC_TRAINED } else { "student" })
}

/// The trained static student as tables show it.
pub const STATIC_SHOWN: &str = "static, trained";
/// The trained static student as its folder and its exports are called.
pub const STATIC_TRAINED: &str = "static-trained";

impl ModelSummary {
    /// The share of the teacher's first ten documents that the model finds among its ten, × 100.
    pub(crate) fn found_at_10(&self) -> Option<f64> {
        self.extra.get(extra::LABEL_FREE)?["found_at_10"].as_f64()
    }

    /// The share that BM25 finds, as it stands beside the model's.
    pub(super) fn words_found_at_10(&self) -> Option<f64> {
        self.extra.get(extra::LABEL_FREE)?["bm25_found_at_10"].as_f64()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::test_support::model;
    use super::*;

    fn models(student: f64, control: f64) -> Vec<ModelSummary> {
        let of = |name: &str, role, found: f64| {
            let mut model = model(name, role);
            model.extra.insert(extra::LABEL_FREE.into(), json!({"found_at_10": found}));
            model
        };
        vec![of("student", ModelRole::Student, student), of(STATIC_SHOWN, ModelRole::Baseline, control)]
    }

    #[test]
    fn the_static_student_is_recommended_within_one_point() {
        assert_eq!(recommended(&models(70.0, 69.1)), Some("static-trained"));
        assert_eq!(recommended(&models(70.0, 72.0)), Some("static-trained"));
        assert_eq!(recommended(&models(70.0, 68.9)), Some("student"));
    }

    #[test]
    fn what_was_not_measured_recommends_nothing() {
        assert_eq!(recommended(&models(70.0, 69.0)[..1]), None);
        assert_eq!(recommended(&[model("student", ModelRole::Student)]), None);
    }
}
