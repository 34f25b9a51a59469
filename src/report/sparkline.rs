//! Curves in a line of text. The code is twenty lines; a crate would bring more than it saves.

use super::History;

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The most characters of a curve.
const LETTERS: usize = 40;

/// The values as bars of one to eight eighths; many values are averaged in groups. Empty without a value.
pub fn sparkline(values: &[f64]) -> String {
    let values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let size = values.len().div_ceil(LETTERS).max(1);
    let means: Vec<f64> = values.chunks(size).map(|few| few.iter().sum::<f64>() / few.len() as f64).collect();
    let low = means.iter().copied().fold(f64::INFINITY, f64::min);
    let high = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let level = |value: f64| {
        let part = if high > low { (value - low) / (high - low) } else { 0.5 };
        LEVELS[((part * LEVELS.len() as f64) as usize).min(LEVELS.len() - 1)]
    };
    means.into_iter().map(level).collect()
}

/// A line for each training curve: the stage, the quantity, the sparkline, the first and the last value.
pub fn curves(histories: &[History]) -> Vec<String> {
    let mut lines = Vec::new();
    for History { stage, loss, cosine, dev, .. } in histories {
        for (points, what, digits) in [(loss, "loss", 4), (cosine, "held-out cosine", 4), (dev, "dev Spearman", 2)] {
            let [(_, first), .., (steps, last)] = points.as_slice() else { continue };
            let line = sparkline(&points.iter().map(|point| point.1).collect::<Vec<_>>());
            let label = format!("{stage}: {what}");
            lines.push(format!("{label:32} {line} {first:.digits$} to {last:.digits$} in {steps} steps"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_rises_with_its_values() {
        assert_eq!(sparkline(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&[3.0, 3.0]), "▅▅");
        assert_eq!(sparkline(&[1.0, f64::NAN, 2.0]), "▁█");
        assert_eq!(sparkline(&[]), "");
        let long: Vec<f64> = (0..1_000).map(f64::from).collect();
        assert!(sparkline(&long).chars().count() <= LETTERS);
    }

    #[test]
    fn a_curve_says_its_stage_and_its_ends() {
        let history = History {
            stage: "distil".into(),
            cosine: vec![(0.0, 0.5), (10.0, 0.8)],
            loss: vec![(1.0, 0.4)],
            ..History::default()
        };
        let lines = curves(&[history]);
        assert_eq!(lines.len(), 1, "a single value is no curve");
        assert!(lines[0].starts_with("distil: held-out cosine"), "{lines:?}");
        assert!(lines[0].ends_with("▁█ 0.5000 to 0.8000 in 10 steps"), "{lines:?}");
    }
}
