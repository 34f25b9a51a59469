//! The step along a direction, by the search of Moré and Thuente (1994), as MINPACK-2 and so SciPy's L-BFGS-B have it:
//! cubic and secant steps within bounds that close in on a minimum.

/// Wolfe's conditions: the share of the slope's promise that a step keeps at least, and the share of the slope that is
/// left at most.
const DECREASE: f64 = 1e-3;
const SLOPE_LEFT: f64 = 0.9;
/// A bracket narrower than this share of its end has no better step.
const NARROWEST: f64 = 0.1;
/// How much farther than the last step the next one lies, at least and at most, while nothing brackets the minimum.
const FARTHER: [f64; 2] = [1.1, 4.0];
const LONGEST: f64 = 1e10;

/// A step, and the function's value and slope there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    pub(super) step: f64,
    pub(super) value: f64,
    pub(super) slope: f64,
}

/// What follows a trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    /// The trial satisfies Wolfe's conditions.
    Found,
    /// This step comes next.
    Next(f64),
    /// Rounding hides a better step.
    Stuck,
}

/// A search along one direction.
pub(super) struct LineSearch {
    start: Trial,
    /// The best trial so far, and the other end of the bracket.
    best: Trial,
    other: Trial,
    bracketed: bool,
    /// Whether a trial has decreased enough where the slope rises.
    passed: bool,
    /// The bounds of the next step.
    bounds: [f64; 2],
    /// The width of the bracket, now and before.
    widths: [f64; 2],
}

impl LineSearch {
    /// A search from `start`, a step of 0 with a negative slope, whose first trial is at `first`.
    pub(super) fn new(start: Trial, first: f64) -> Self {
        let bounds = [0.0, first + FARTHER[1] * first];
        let widths = [LONGEST, 2.0 * LONGEST];
        Self { start, best: start, other: start, bracketed: false, passed: false, bounds, widths }
    }

    /// Takes a trial at the step that was asked for.
    pub(super) fn take(&mut self, trial: Trial) -> Verdict {
        let promise = DECREASE * self.start.slope;
        let enough = self.start.value + trial.step * promise;
        self.passed |= trial.value <= enough && trial.slope >= 0.0;
        if trial.value <= enough && trial.slope.abs() <= -SLOPE_LEFT * self.start.slope {
            return Verdict::Found;
        }
        let [least, most] = self.bounds;
        let outside = trial.step <= least || trial.step >= most;
        let hidden = self.bracketed && (outside || most - least <= NARROWEST * most);
        if hidden || trial.step >= LONGEST || !trial.value.is_finite() {
            return Verdict::Stuck;
        }
        // Before a trial has passed, one that is better but not by enough is judged by what it lacks of the promise.
        let lacking =
            if !self.passed && trial.value <= self.best.value && trial.value > enough { promise } else { 0.0 };
        let less =
            |trial: Trial, by: f64| Trial { value: trial.value - trial.step * by, slope: trial.slope - by, ..trial };
        (self.best, self.other) = (less(self.best, lacking), less(self.other, lacking));
        let mut next = self.narrow(less(trial, lacking));
        (self.best, self.other) = (less(self.best, -lacking), less(self.other, -lacking));

        if self.bracketed {
            let width = (self.other.step - self.best.step).abs();
            if width >= 0.66 * self.widths[1] {
                next = self.best.step + 0.5 * (self.other.step - self.best.step);
            }
            self.widths = [width, self.widths[0]];
            self.bounds = [self.best.step.min(self.other.step), self.best.step.max(self.other.step)];
        } else {
            self.bounds = FARTHER.map(|factor| next + factor * (next - self.best.step));
        }
        next = next.clamp(0.0, LONGEST);
        let [least, most] = self.bounds;
        if self.bracketed && (next <= least || next >= most || most - least <= NARROWEST * most) {
            next = self.best.step;
        }
        Verdict::Next(next)
    }

    /// Puts a trial in the place of an end of the bracket; the next step, by the cubic and the secant through them.
    fn narrow(&mut self, trial: Trial) -> f64 {
        let (best, other) = (self.best, self.other);
        let opposite = trial.slope * best.slope < 0.0;
        let farther = |a: f64, b: f64| if (a - trial.step).abs() > (b - trial.step).abs() { a } else { b };
        let beyond = if trial.step > best.step { self.bounds[1] } else { self.bounds[0] };
        let next = if trial.value > best.value {
            let cubic = minimum_of_cubic(best, trial, trial.step < best.step);
            let drop = (best.value - trial.value) / (trial.step - best.step) + best.slope;
            let quadratic = best.step + best.slope / drop / 2.0 * (trial.step - best.step);
            match (cubic - best.step).abs() <= (quadratic - best.step).abs() {
                true => cubic,
                false => cubic + (quadratic - cubic) / 2.0,
            }
        } else if opposite {
            farther(minimum_of_cubic(trial, best, trial.step > best.step), secant(trial, best))
        } else if trial.slope.abs() < best.slope.abs() {
            let cubic = minimum_beyond(trial, best).unwrap_or(beyond);
            let secant = secant(trial, best);
            if self.bracketed {
                let nearer = if farther(cubic, secant) == cubic { secant } else { cubic };
                let limit = trial.step + 0.66 * (other.step - trial.step);
                if trial.step > best.step { nearer.min(limit) } else { nearer.max(limit) }
            } else {
                farther(cubic, secant).clamp(self.bounds[0], self.bounds[1])
            }
        } else if self.bracketed {
            minimum_of_cubic(trial, other, trial.step > other.step)
        } else {
            beyond
        };
        self.bracketed |= trial.value > best.value || opposite;
        if trial.value > best.value {
            self.other = trial;
        } else {
            self.other = if opposite { best } else { other };
            self.best = trial;
        }
        next
    }
}

/// θ and γ of the cubic through two trials.
fn cubic(from: Trial, to: Trial) -> (f64, f64) {
    let theta = 3.0 * (from.value - to.value) / (to.step - from.step) + from.slope + to.slope;
    let scale = theta.abs().max(from.slope.abs()).max(to.slope.abs());
    let square = (theta / scale).powi(2) - from.slope / scale * (to.slope / scale);
    (theta, scale * square.max(0.0).sqrt())
}

/// The minimum of the cubic through two trials, seen from the first; `back` where the other root is meant.
fn minimum_of_cubic(from: Trial, to: Trial, back: bool) -> f64 {
    let (theta, gamma) = cubic(from, to);
    let gamma = if back { -gamma } else { gamma };
    let (p, q) = (gamma - from.slope + theta, gamma - from.slope + gamma + to.slope);
    from.step + p / q * (to.step - from.step)
}

/// The minimum of the cubic where it lies beyond the trial, seen from the best one.
fn minimum_beyond(trial: Trial, best: Trial) -> Option<f64> {
    let (theta, gamma) = cubic(best, trial);
    let gamma = if trial.step > best.step { -gamma } else { gamma };
    let ratio = (gamma - trial.slope + theta) / (gamma + (best.slope - trial.slope) + gamma);
    (ratio < 0.0 && gamma != 0.0).then_some(trial.step + ratio * (best.step - trial.step))
}

/// Where the slope through two trials is zero, seen from the first.
fn secant(from: Trial, to: Trial) -> f64 {
    from.step + from.slope / (from.slope - to.slope) * (to.step - from.step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::test_support::golden_classes;

    /// The steps that are tried on a function of value and slope, and what ends the search.
    fn search(function: impl Fn(f64) -> (f64, f64), first: f64) -> (Vec<f64>, Verdict) {
        let trial = |step| {
            let (value, slope) = function(step);
            Trial { step, value, slope }
        };
        let mut search = LineSearch::new(trial(0.0), first);
        let mut steps = vec![first];
        for _ in 0..20 {
            match search.take(trial(steps[steps.len() - 1])) {
                Verdict::Next(step) => steps.push(step),
                end => return (steps, end),
            }
        }
        panic!("the search goes on: {steps:?}");
    }

    #[test]
    fn the_steps_are_those_of_scipy() {
        let golden = golden_classes();
        let functions: [fn(f64) -> (f64, f64); 4] = [
            |x| ((x - 3.0).powi(2), 2.0 * (x - 3.0)),
            |x| (-x / (x * x + 2.0), (x * x - 2.0) / (x * x + 2.0).powi(2)),
            |x| {
                ((x + 0.004).powi(5) - 2.0 * (x + 0.004).powi(4), {
                    let x = x + 0.004;
                    5.0 * x.powi(4) - 8.0 * x.powi(3)
                })
            },
            |x| {
                ((1.0 + (4.0 * (x - 2.0)).exp()).ln() - x, {
                    let power = (4.0 * (x - 2.0)).exp();
                    4.0 * power / (1.0 + power) - 1.0
                })
            },
        ];
        let cases = golden["line_search"].as_array().unwrap();
        assert!(cases.len() > 8);
        for case in cases {
            let function = functions[case["function"].as_u64().unwrap() as usize];
            let (steps, end) = search(function, case["first"].as_f64().unwrap());
            let expected: Vec<f64> = serde_json::from_value(case["steps"].clone()).unwrap();
            let expected_end = if case["found"].as_bool().unwrap() { Verdict::Found } else { Verdict::Stuck };
            assert_eq!((steps.len(), end), (expected.len(), expected_end), "{case} {steps:?}");
            assert!(
                steps.iter().zip(&expected).all(|(found, wanted)| (found - wanted).abs() < 1e-9 * wanted),
                "{case}"
            );
        }
    }

    #[test]
    fn a_value_that_is_not_finite_ends_the_search() {
        let (steps, end) = search(|x| (if x > 0.0 { f64::NAN } else { 0.0 }, -1.0), 1.0);
        assert_eq!((steps.len(), end), (1, Verdict::Stuck));
    }
}
