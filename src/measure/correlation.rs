//! Pearson's and Spearman's correlation.
//!
//! A constant has no correlation in theory (0/0); here the correlation is 0, since a model that gives every pair the
//! same similarity tells nothing. So finite values always give a finite correlation. That rule is why the formulas
//! stand here and come from no crate; a test compares them with SciPy.

/// Pearson's r of two lists of finite values, in -1..=1; 0 when either is constant or shorter than 2.
///
/// Σ(x-x̄)(y-ȳ) / √(Σ(x-x̄)² Σ(y-ȳ)²). Panics when the lengths differ.
pub fn pearson(x: &[f64], y: &[f64]) -> f64 {
    assert_eq!(x.len(), y.len(), "a correlation of lists of two lengths");
    debug_assert!(x.iter().chain(y).all(|value| value.is_finite()), "a correlation of values that are not finite");
    if is_constant(x) || is_constant(y) {
        return 0.0;
    }
    let (mean_x, mean_y) = (mean(x), mean(y));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (&x, &y) in x.iter().zip(y) {
        let (x, y) = (x - mean_x, y - mean_y);
        xy += x * y;
        xx += x * x;
        yy += y * y;
    }
    let scale = xx.sqrt() * yy.sqrt();
    if scale > 0.0 && scale.is_finite() { (xy / scale).clamp(-1.0, 1.0) } else { 0.0 }
}

/// Spearman's ρ: Pearson's r of the [`ranks`]; 0 when either list is constant or shorter than 2.
///
/// Panics when the lengths differ.
pub fn spearman(x: &[f64], y: &[f64]) -> f64 {
    pearson(&ranks(x), &ranks(y))
}

/// The rank of every value, from 1; equal values share the average of their ranks.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for tie in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let shared = first as f64 + (tie.len() + 1) as f64 / 2.0;
        tie.iter().for_each(|&index| ranks[index] = shared);
        first += tie.len();
    }
    ranks
}

/// The mean of `values`; 0 of none.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

fn is_constant(values: &[f64]) -> bool {
    // Not by the variance: rounding may move the mean of equal values, and then the variance is not 0.
    values.windows(2).all(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::test_support::golden;

    #[test]
    fn both_equal_scipy_with_ties() {
        let golden = &golden()["correlation"];
        let list = |name: &str| -> Vec<f64> { serde_json::from_value(golden[name].clone()).unwrap() };
        let (x, y) = (list("x"), list("y"));
        assert!((spearman(&x, &y) - golden["spearman"].as_f64().unwrap()).abs() < 1e-12);
        assert!((pearson(&x, &y) - golden["pearson"].as_f64().unwrap()).abs() < 1e-12);
    }

    #[test]
    fn ties_share_the_average_of_their_ranks() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0, 3.0]), [4.0, 1.0, 4.0, 2.0, 4.0]);
        assert_eq!(ranks(&[0.0, -0.0, -1.0]), [2.5, 2.5, 1.0]);
        assert!(ranks(&[]).is_empty());
    }

    #[test]
    fn a_constant_correlates_with_nothing() {
        // Ten times 0.1 sums to 0.9999999999999999, so that the mean is not 0.1.
        let constant = [0.1; 10];
        let rising: Vec<f64> = (0..10).map(f64::from).collect();
        assert_eq!(pearson(&constant, &rising), 0.0);
        assert_eq!(pearson(&rising, &constant), 0.0);
        assert_eq!(spearman(&constant, &constant), 0.0);
        assert_eq!(spearman(&[], &[]), 0.0);
        assert_eq!(spearman(&[1.0], &[2.0]), 0.0);
    }

    #[test]
    fn spearman_sees_only_the_order() {
        let x: Vec<f64> = (0..50).map(|i| f64::from(i % 17) + f64::from(i) * 0.01).collect();
        let y: Vec<f64> = x.iter().map(|x| x.exp()).collect();
        let falling: Vec<f64> = x.iter().map(|x| -x).collect();
        assert!((spearman(&x, &y) - 1.0).abs() < 1e-12 && pearson(&x, &y) < 0.9);
        assert!((spearman(&x, &falling) + 1.0).abs() < 1e-12);
    }

    #[test]
    fn huge_and_tiny_values_give_a_finite_correlation() {
        let huge = [1e200, -1e200, 3e200];
        let tiny = [1e-300, 2e-300, 3e-300];
        assert!(pearson(&huge, &tiny).is_finite() && pearson(&huge, &huge).is_finite());
    }
}
