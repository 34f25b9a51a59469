//! Logistic regression: classes by a linear function of the vectors, as scikit-learn's `LogisticRegression` with the
//! solver `lbfgs` fits it.
//!
//! The mean log loss plus |W|²/2Cn is minimised, the intercept not penalised. Of two classes only the second has
//! weights, which doubles the penalty beside a pair of opposite ones: the logits of the first are 0. It is ours because
//! linfa-logistic needs an older ndarray beside the one that we use, and ends elsewhere than scikit-learn does.

use limbeck_data::Monitor;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis};

use super::lbfgs::{Limits, minimise};
use crate::error::Result;

/// The inverse of the penalty's strength.
pub(super) const C: f64 = 10.0;
/// The most steps; and the largest gradient of the mean loss at the end, scikit-learn's own.
const LIMITS: Limits = Limits { steps: 300, gradient: 1e-4 };

/// A fitted model.
pub(super) struct LogisticRegression {
    /// A row a class, of two classes a row for the second.
    weight: Array2<f64>,
    intercept: Array1<f64>,
}

/// Vectors, a row a text, and the class of each.
pub(super) struct TrainingRows<'a> {
    pub(super) x: ArrayView2<'a, f64>,
    pub(super) classes: &'a [usize],
    /// The number of classes, two at least; each class is below.
    pub(super) count: usize,
}

impl LogisticRegression {
    /// Fits the model.
    ///
    /// # Errors
    /// An interruption.
    pub(super) fn fit(rows: &TrainingRows<'_>, monitor: Monitor<'_>) -> Result<Self> {
        Self::fit_within(LIMITS, rows, monitor)
    }

    fn fit_within(limits: Limits, rows: &TrainingRows<'_>, monitor: Monitor<'_>) -> Result<Self> {
        let (outputs, width) = (if rows.count == 2 { 1 } else { rows.count }, rows.x.ncols());
        let found = minimise(vec![0.0; outputs * (width + 1)], limits, |at, gradient| {
            monitor.check()?;
            let (weight, intercept) = at.split_at(outputs * width);
            let weight = ArrayView2::from_shape((outputs, width), weight).expect("outputs × width values");
            let (to_weight, to_intercept) = gradient.split_at_mut(outputs * width);
            let to_weight = ArrayViewMut2::from_shape((outputs, width), to_weight).expect("outputs × width values");
            Ok(rows.loss(weight, ArrayView1::from(intercept), (to_weight, ArrayViewMut1::from(to_intercept))))
        })?;
        let (weight, intercept) = found.split_at(outputs * width);
        let weight = Array2::from_shape_vec((outputs, width), weight.to_vec()).expect("outputs × width values");
        Ok(Self { weight, intercept: Array1::from(intercept.to_vec()) })
    }

    /// The most likely class of each row; of equal ones the first.
    pub(super) fn predict(&self, x: ArrayView2<'_, f64>) -> Vec<usize> {
        let logits = x.dot(&self.weight.t()) + &self.intercept;
        let largest = |row: ArrayView1<'_, f64>| {
            let better = |best: usize, at: usize| if row[at] > row[best] { at } else { best };
            if row.len() == 1 { usize::from(row[0] > 0.0) } else { (1..row.len()).fold(0, better) }
        };
        logits.rows().into_iter().map(largest).collect()
    }
}

impl TrainingRows<'_> {
    /// The loss at these parameters; the gradient is written to `to`.
    fn loss(
        &self,
        weight: ArrayView2<'_, f64>,
        intercept: ArrayView1<'_, f64>,
        to: (ArrayViewMut2<'_, f64>, ArrayViewMut1<'_, f64>),
    ) -> f64 {
        let n = self.classes.len() as f64;
        let strength = 1.0 / (C * n);
        let mut rows = self.x.dot(&weight.t()) + intercept;
        let losses = rows.rows_mut().into_iter().zip(self.classes).map(|(row, &class)| log_loss(row, class));
        let loss = losses.sum::<f64>() / n;
        // The logits have become the gradient of each row's loss.
        let (mut to_weight, mut to_intercept) = to;
        to_weight.assign(&(rows.t().dot(&self.x) / n + &weight * strength));
        to_intercept.assign(&(rows.sum_axis(Axis(0)) / n));
        loss + strength / 2.0 * weight.iter().map(|value| value * value).sum::<f64>()
    }
}

/// The log loss of a row of logits, which become its gradient: probabilities, less 1 for the text's class.
fn log_loss(mut logits: ArrayViewMut1<'_, f64>, class: usize) -> f64 {
    // Of two classes the first has no logit of its own but 0.
    let (first, output) = match logits.len() {
        1 => (Some(0.0), class.checked_sub(1)),
        _ => (None, Some(class)),
    };
    let largest = logits.iter().copied().chain(first).fold(f64::NEG_INFINITY, f64::max);
    let own = output.map_or(0.0, |output| logits[output]) - largest;
    logits.mapv_inplace(|logit| (logit - largest).exp());
    let sum = logits.sum() + first.map_or(0.0, |first: f64| (first - largest).exp());
    logits.mapv_inplace(|power| power / sum);
    if let Some(output) = output {
        logits[output] -= 1.0;
    }
    sum.ln() - own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::test_support::{golden_classes, golden_matrix, silent};

    #[test]
    fn the_weights_are_those_of_scikit_learn() {
        let exact = Limits { steps: 10_000, gradient: 1e-10 };
        for name in ["five", "two"] {
            let golden = &golden_classes()[name];
            let classes: Vec<usize> = serde_json::from_value(golden["train_labels"].clone()).unwrap();
            let count = classes.iter().max().unwrap() + 1;
            let x = golden_matrix(&golden["unit_train"]);
            let rows = TrainingRows { x: x.view(), classes: &classes, count };
            let fitted = LogisticRegression::fit_within(exact, &rows, silent()).unwrap();
            let expected = golden_matrix(&golden["coefficients"]);
            assert_eq!(fitted.weight.dim(), expected.dim());
            assert!((&fitted.weight - &expected).iter().all(|difference| difference.abs() < 1e-5), "{name}");
            let intercept: Vec<f64> = serde_json::from_value(golden["intercepts"].clone()).unwrap();
            assert!(fitted.intercept.iter().zip(intercept).all(|(found, wanted)| (found - wanted).abs() < 1e-5));
        }
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        for count in [2, 3] {
            let x = Array2::from_shape_fn((6, 2), |(row, column)| (1 + 3 * row + 5 * column) as f64 % 7.0 / 7.0 - 0.4);
            let classes: Vec<usize> = (0..6).map(|row| row % count).collect();
            let rows = TrainingRows { x: x.view(), classes: &classes, count };
            let outputs = if count == 2 { 1 } else { count };
            let weight = Array2::from_shape_fn((outputs, 2), |(row, column)| 0.3 * row as f64 - 0.7 * column as f64);
            let loss_at = |weight: &Array2<f64>, to: &mut (Array2<f64>, Array1<f64>)| {
                let intercept = Array1::from_elem(outputs, 0.2);
                rows.loss(weight.view(), intercept.view(), (to.0.view_mut(), to.1.view_mut()))
            };
            let mut gradient = (Array2::zeros((outputs, 2)), Array1::zeros(outputs));
            loss_at(&weight, &mut gradient);
            for place in [(0, 0), (outputs - 1, 1)] {
                let moved = |by: f64| {
                    let mut weight = weight.clone();
                    weight[place] += by;
                    loss_at(&weight, &mut gradient.clone())
                };
                assert!(((moved(1e-5) - moved(-1e-5)) / 2e-5 - gradient.0[place]).abs() < 1e-8);
            }
        }
    }

    #[test]
    fn large_logits_stay_finite() {
        let mut logits = Array1::from(vec![900.0, -900.0, 0.0]);
        assert_eq!(log_loss(logits.view_mut(), 1), 1800.0);
        assert_eq!(logits.to_vec(), [1.0, -1.0, 0.0]);
        let mut single = Array1::from(vec![-900.0]);
        assert_eq!((log_loss(single.view_mut(), 0), single[0]), (0.0, 0.0));
    }
}
