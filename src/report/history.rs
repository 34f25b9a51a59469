//! Training curves, from `metrics.jsonl`.

use indexmap::IndexMap;
use serde_json::Value;

/// The most points of a curve.
const POINTS: usize = 120;

/// The training curves of one stage: points of step and value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// The stage: `distil`, `static-trained`, `train-teacher`.
    pub stage: String,
    /// The loss, each point the mean of [`History::steps_a_point`] steps.
    pub loss: Vec<(f64, f64)>,
    /// The number of steps in each point of the loss.
    pub steps_a_point: usize,
    /// The mean cosine with the teacher on held-out text.
    pub cosine: Vec<(f64, f64)>,
    /// Spearman × 100 on the development set of a teacher.
    pub dev: Vec<(f64, f64)>,
    /// Uniformity and alignment at each evaluation.
    pub space: Vec<(f64, f64)>,
}

/// Reads the log: a history a stage, in the order in which the stages began. Lines that are torn or concern other
/// things are passed over.
pub(super) fn read_histories(log: &str) -> Vec<History> {
    let mut histories: IndexMap<String, History> = IndexMap::new();
    for line in log.lines() {
        let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
        let (Some(stage), Some(step)) = (entry["stage"].as_str(), entry["step"].as_f64()) else { continue };
        let history = histories.entry(stage.to_owned()).or_default();
        let number = |key: &str| entry[key].as_f64().filter(|number| number.is_finite());
        history.loss.extend(number("loss").map(|loss| (step, loss)));
        history.cosine.extend(number("fidelity_cosine").map(|cosine| (step, cosine)));
        history.dev.extend(number("dev_spearman").map(|dev| (step, dev)));
        history.space.extend(number("uniformity").zip(number("alignment")));
    }
    for (stage, history) in &mut histories {
        history.stage = stage.clone();
        history.steps_a_point = history.loss.len().div_ceil(POINTS).max(1);
        history.loss = means(&history.loss, history.steps_a_point);
    }
    histories.into_values().collect()
}

/// The mean of each `size` values, at the step of the last.
fn means(points: &[(f64, f64)], size: usize) -> Vec<(f64, f64)> {
    let mean = |few: &[(f64, f64)]| {
        let sum: f64 = few.iter().map(|point| point.1).sum();
        (few.last().map_or(0.0, |last| last.0), sum / few.len() as f64)
    };
    points.chunks(size).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gives_a_history_a_stage() {
        let log = "{\"stage\":\"train-teacher\",\"step\":5,\"loss\":2.0,\"dev_spearman\":70.5,\
                    \"alignment\":0.2,\"uniformity\":-2.5}\n\
                   {\"stage\":\"distil\",\"step\":0,\"fidelity_cosine\":0.5}\n\
                   {\"stage\":\"distil\",\"step\":1,\"loss\":0.4}\nnot json\n{\"step\":9}\n\
                   {\"stage\":\"distil\",\"step\":2,\"loss\":null,\"fidelity_cosine\":0.6}\n{\"stage\":\"dis";
        let histories = read_histories(log);
        assert_eq!(histories.len(), 2);
        let teacher = &histories[0];
        assert_eq!(
            (teacher.stage.as_str(), &teacher.dev[..], &teacher.space[..]),
            ("train-teacher", &[(5.0, 70.5)][..], &[(-2.5, 0.2)][..])
        );
        assert_eq!(histories[1].cosine, [(0.0, 0.5), (2.0, 0.6)]);
        assert_eq!(histories[1].loss, [(1.0, 0.4)]);
    }

    #[test]
    fn a_long_curve_is_averaged() {
        let log: String =
            (1..=1_000).map(|step| format!("{{\"stage\":\"distil\",\"step\":{step},\"loss\":{step}}}\n")).collect();
        let history = &read_histories(&log)[0];
        assert_eq!(history.steps_a_point, 9);
        assert!(history.loss.len() <= POINTS);
        assert_eq!(history.loss[0], (9.0, 5.0));
        assert_eq!(history.loss.last().unwrap().0, 1_000.0);
    }
}
