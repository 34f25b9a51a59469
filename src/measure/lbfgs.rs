//! L-BFGS: the minimum of a smooth function without bounds, by its values and gradients (Liu and Nocedal 1989).
//!
//! It goes SciPy's way step by step, so that it ends where scikit-learn does, also where the limits end it early. It is
//! ours because crates search along a direction and stop by rules of their own, and ask for values and gradients one by
//! one, where both follow from the same product of matrices.

use std::collections::VecDeque;

use super::line_search::{LineSearch, Trial, Verdict};
use crate::error::Result;

/// How many steps are remembered.
const HISTORY: usize = 10;
/// The most evaluations along a direction.
const TRIALS: usize = 20;
/// A step that gains less than this share of the value is the last.
const SMALLEST_GAIN: f64 = 64.0 * f64::EPSILON;

/// When a search ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The most steps.
    pub(super) steps: usize,
    /// The largest absolute value of the gradient at a minimum.
    pub(super) gradient: f64,
}

/// A point, the function's value there and its gradient.
#[derive(Clone)]
struct Point {
    at: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// The minimum that is reached from `start`. `evaluate` writes the gradient at a point and returns the value.
///
/// # Errors
/// What `evaluate` gives.
pub(super) fn minimise(
    start: Vec<f64>,
    limits: Limits,
    mut evaluate: impl FnMut(&[f64], &mut [f64]) -> Result<f64>,
) -> Result<Vec<f64>> {
    let mut gradient = vec![0.0; start.len()];
    let value = evaluate(&start, &mut gradient)?;
    let mut point = Point { at: start, value, gradient };
    let mut history = History::default();
    for _ in 0..limits.steps {
        if point.gradient.iter().all(|slope| slope.abs() <= limits.gradient) {
            break;
        }
        let direction = history.direction(&point.gradient);
        // The first direction is the gradient's own, whose length says nothing about the step's.
        let first = if history.0.is_empty() { 1.0 / dot(&direction, &direction).sqrt() } else { 1.0 };
        let Some(next) = step(&point, &direction, first, &mut evaluate)? else { break };
        history.remember(&point, &next);
        let (gain, scale) = (point.value - next.value, point.value.abs().max(next.value.abs()).max(1.0));
        point = next;
        if gain <= SMALLEST_GAIN * scale {
            break;
        }
    }
    Ok(point.at)
}

/// The point along `direction` that satisfies Wolfe's conditions, or a lower one where rounding hides it.
fn step(
    from: &Point,
    direction: &[f64],
    first: f64,
    evaluate: &mut impl FnMut(&[f64], &mut [f64]) -> Result<f64>,
) -> Result<Option<Point>> {
    let start = Trial { step: 0.0, value: from.value, slope: dot(&from.gradient, direction) };
    let mut search = LineSearch::new(start, first);
    let (mut step, mut next) = (first, from.clone());
    for _ in 0..TRIALS {
        let moved = from.at.iter().zip(direction).map(|(at, along)| at + step * along);
        next.at.iter_mut().zip(moved).for_each(|(place, moved)| *place = moved);
        next.value = evaluate(&next.at, &mut next.gradient)?;
        match search.take(Trial { step, value: next.value, slope: dot(&next.gradient, direction) }) {
            Verdict::Found => return Ok(Some(next)),
            Verdict::Next(length) => step = length,
            Verdict::Stuck => return Ok((next.value < from.value).then_some(next)),
        }
    }
    Ok(None)
}

/// The last steps, and the changes of the gradient over them.
#[derive(Default)]
struct History(VecDeque<Change>);

struct Change {
    step: Vec<f64>,
    gradient: Vec<f64>,
    /// 1 / (step · gradient).
    rho: f64,
}

impl History {
    fn remember(&mut self, from: &Point, to: &Point) {
        let difference = |to: &[f64], from: &[f64]| to.iter().zip(from).map(|(to, from)| to - from).collect();
        let step: Vec<f64> = difference(&to.at, &from.at);
        let gradient: Vec<f64> = difference(&to.gradient, &from.gradient);
        let curvature = dot(&step, &gradient);
        if curvature > f64::EPSILON * dot(&gradient, &gradient) {
            self.0.truncate(HISTORY - 1);
            self.0.push_front(Change { step, gradient, rho: 1.0 / curvature });
        }
    }

    /// The negated product of the approximate inverse Hessian and the gradient, by the recursion of two loops.
    fn direction(&self, gradient: &[f64]) -> Vec<f64> {
        let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
        let mut alphas = Vec::with_capacity(self.0.len());
        for change in &self.0 {
            let alpha = change.rho * dot(&change.step, &direction);
            add(&mut direction, -alpha, &change.gradient);
            alphas.push(alpha);
        }
        if let Some(last) = self.0.front() {
            let scale = 1.0 / (last.rho * dot(&last.gradient, &last.gradient));
            direction.iter_mut().for_each(|value| *value *= scale);
        }
        for (change, alpha) in self.0.iter().zip(alphas).rev() {
            let beta = change.rho * dot(&change.gradient, &direction);
            add(&mut direction, alpha - beta, &change.step);
        }
        direction
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += factor * what);
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXACT: Limits = Limits { steps: 300, gradient: 1e-9 };

    /// Rosenbrock's curved valley; its minimum is (1, 1).
    fn valley(at: &[f64], gradient: &mut [f64]) -> Result<f64> {
        let (x, y) = (at[0], at[1]);
        gradient[0] = -2.0 * (1.0 - x) - 400.0 * x * (y - x * x);
        gradient[1] = 200.0 * (y - x * x);
        Ok((1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2))
    }

    #[test]
    fn a_curved_valley_is_followed_to_its_end() {
        let found = minimise(vec![-1.2, 1.0], EXACT, valley).unwrap();
        assert!((found[0] - 1.0).abs() < 1e-7 && (found[1] - 1.0).abs() < 1e-7, "{found:?}");
    }

    #[test]
    fn an_ill_conditioned_quadratic_needs_few_evaluations() {
        let mut evaluations = 0;
        let found = minimise(vec![1.0; 50], EXACT, |at, gradient| {
            evaluations += 1;
            let weight = |place: usize| 1.0 + 10.0 * place as f64;
            gradient.iter_mut().zip(at).enumerate().for_each(|(k, (slope, at))| *slope = weight(k) * (at - k as f64));
            Ok(at.iter().enumerate().map(|(k, at)| weight(k) * (at - k as f64).powi(2) / 2.0).sum())
        });
        assert!(found.unwrap().iter().enumerate().all(|(k, at)| (at - k as f64).abs() < 1e-6));
        assert!(evaluations < 120, "{evaluations}");
    }

    #[test]
    fn the_search_ends_where_the_limits_say() {
        let count = |limits| {
            let mut evaluations = 0;
            let found = minimise(vec![-1.2, 1.0], limits, |at, gradient| {
                evaluations += 1;
                valley(at, gradient)
            });
            (found.unwrap(), evaluations)
        };
        assert_eq!(count(Limits { steps: 0, gradient: 0.0 }), (vec![-1.2, 1.0], 1));
        assert_eq!(count(Limits { steps: 300, gradient: 1e6 }), (vec![-1.2, 1.0], 1));
        let (few, many) = (count(Limits { steps: 3, gradient: 0.0 }), count(EXACT));
        assert!(few.1 < many.1 && (few.0[0] - 1.0).abs() > 0.1);
    }

    #[test]
    fn an_error_of_the_function_ends_the_search() {
        let error = minimise(vec![0.0], EXACT, |_, _| Err(crate::Error::Usage("no value".into())));
        assert_eq!(error.unwrap_err().to_string(), "no value");
    }
}
