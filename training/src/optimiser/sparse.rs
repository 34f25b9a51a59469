use candle_core::{Device, Tensor, Var, WithDType};
use rayon::prelude::*;

use super::AdamWSettings;
use crate::checkpoint::{NamedTensors, SavedTensors, Stored};
use crate::error::{Error, Result};
use crate::number::Number;

/// An embedding table of which a step updates only the rows that it uses.
///
/// It lives in host memory. A step takes the rows of its distinct tokens as a variable ([`SparseTable::rows`]) and
/// gives their gradient back ([`SparseTable::update`]). The update is Adam (Kingma and Ba 2015, as in
/// `torch.optim.Adam`, without decay) on just those rows: the moments of other rows stay, and the bias correction
/// counts all steps of the training. `torch.optim.SparseAdam` does the same, but does not correct its epsilon. Row 0 is
/// padding and never changes.
pub struct SparseTable<T> {
    width: usize,
    theta: Vec<T>,
    m: Vec<T>,
    v: Vec<T>,
}

impl<T: Number> SparseTable<T> {
    /// A table of rows of `width` values; row 0 is set to zero.
    ///
    /// # Errors
    /// When `values` is not a whole number of rows.
    pub fn new(mut values: Vec<T>, width: usize) -> Result<Self> {
        let whole = width > 0 && values.len().is_multiple_of(width);
        Error::require(whole, "the embedding table's size", values.len(), "a multiple of its rows' width")?;
        values.iter_mut().take(width).for_each(|x| *x = T::zero());
        let zeros = vec![T::zero(); values.len()];
        Ok(Self { width, m: zeros.clone(), v: zeros, theta: values })
    }

    /// All rows, one after another.
    pub fn values(&self) -> &[T] {
        &self.theta
    }

    /// The rows of `ids` as a variable `[ids, width]`. Panics for an id past the last row.
    ///
    /// # Errors
    /// Tensor errors.
    pub fn rows(&self, ids: &[u32], device: &Device) -> Result<Var> {
        let mut rows = Vec::with_capacity(ids.len() * self.width);
        for &id in ids {
            let start = id as usize * self.width;
            rows.extend_from_slice(&self.theta[start..start + self.width]);
        }
        let rows = Tensor::from_vec(rows, (ids.len(), self.width), device).and_then(|rows| Var::from_tensor(&rows));
        rows.map_err(Error::tensor("rows of the embedding table"))
    }

    /// Updates the rows of `ids`, which must be distinct and ascending, with their gradient `[ids, width]`.
    ///
    /// # Errors
    /// A gradient of another shape, and tensor errors.
    pub fn update(
        &mut self,
        ids: &[u32],
        gradient: &Tensor,
        learning_rate: f64,
        step: u64,
        settings: &AdamWSettings,
    ) -> Result<()> {
        let width = self.width;
        let values = || -> candle_core::Result<Vec<T>> {
            if gradient.dims() != [ids.len(), width] {
                candle_core::bail!("the gradient's shape is {:?}, not {:?}", gradient.dims(), [ids.len(), width]);
            }
            gradient.flatten_all()?.to_vec1()
        };
        let gradient = values().map_err(Error::tensor("update of the embedding table"))?;
        let number = <T as WithDType>::from_f64;
        let (beta1, beta2, epsilon) = (number(settings.beta1), number(settings.beta2), number(settings.epsilon));
        let one = T::one();
        let correct1 = 1.0 - settings.beta1.powf(step as f64);
        let correct2 = 1.0 - settings.beta2.powf(step as f64);
        let (rate, root2) = (number(learning_rate / correct1), number(correct2.sqrt()));
        let theta = split_rows(&mut self.theta, ids, width);
        let (m, v) = (split_rows(&mut self.m, ids, width), split_rows(&mut self.v, ids, width));
        (theta, m, v, gradient.par_chunks(width), ids.par_iter()).into_par_iter().for_each(|(theta, m, v, g, &id)| {
            if id == 0 {
                return;
            }
            for at in 0..width {
                let g = g[at];
                m[at] = beta1 * m[at] + (one - beta1) * g;
                v[at] = beta2 * v[at] + (one - beta2) * g * g;
                theta[at] -= rate * m[at] / (v[at].sqrt() / root2 + epsilon);
            }
        });
        Ok(())
    }

    /// The rows, to be stored.
    pub fn stored(&self) -> Stored<'_> {
        Stored::rows(&self.theta, self.width)
    }

    /// Their moments, named `NAME.m` and `NAME.v`.
    pub fn moments(&self, name: &str) -> NamedTensors<'_> {
        let stored = |(moment, values)| (format!("{name}.{moment}"), Stored::rows(values, self.width));
        [("m", &self.m[..]), ("v", &self.v[..])].map(stored).into()
    }

    /// Puts back the rows, stored as `name`, and their moments.
    ///
    /// # Errors
    /// A part that is missing or of another shape or type.
    pub fn restore(&mut self, name: &str, saved: &SavedTensors) -> Result<()> {
        let shape = [self.theta.len() / self.width, self.width];
        for (suffix, values) in [("", &mut self.theta), (".m", &mut self.m), (".v", &mut self.v)] {
            let tensor = saved.fitting(&format!("{name}{suffix}"), &shape, <T as WithDType>::DTYPE)?;
            let restored = tensor.flatten_all().and_then(|tensor| tensor.to_vec1());
            *values = restored.map_err(Error::tensor("restoring the embedding table"))?;
        }
        Ok(())
    }
}

/// The rows of `ids` (ascending) as separate mutable slices.
fn split_rows<'a, T>(mut all: &'a mut [T], ids: &[u32], width: usize) -> Vec<&'a mut [T]> {
    let mut passed = 0;
    let mut rows = Vec::with_capacity(ids.len());
    for &id in ids {
        let skip = (id as usize - passed) * width;
        let (row, rest) = std::mem::take(&mut all)[skip..].split_at_mut(width);
        rows.push(row);
        all = rest;
        passed = id as usize + 1;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> SparseTable<f64> {
        SparseTable::new((0..10).map(f64::from).collect(), 2).unwrap()
    }

    fn gradient(rows: &[[f64; 2]]) -> Tensor {
        Tensor::from_vec(rows.as_flattened().to_vec(), (rows.len(), 2), &Device::Cpu).unwrap()
    }

    #[test]
    fn only_the_rows_that_occurred_move_and_row_0_never_does() {
        let mut table = table();
        let before = table.values().to_vec();
        table
            .update(&[0, 2, 4], &gradient(&[[1., 1.], [1., -1.], [2., 2.]]), 0.1, 1, &AdamWSettings::default())
            .unwrap();
        let moved: Vec<bool> = before.iter().zip(table.values()).map(|(a, b)| a != b).collect();
        assert_eq!(moved, [false, false, false, false, true, true, false, false, true, true]);
        // The first step of Adam is the learning rate long.
        assert!((table.values()[4] - 3.9).abs() < 1e-6 && (table.values()[5] - 5.1).abs() < 1e-6);
    }

    #[test]
    fn rows_that_occur_in_every_step_are_those_of_pytorchs_adam_for_small_gradients_too() {
        let mut table = SparseTable::new(vec![0.0, 0.0, 0.5, -0.25, 1.0, 2.0], 2).unwrap();
        // torch 2.15, torch.optim.Adam([p], lr=1e-2), float64
        let steps = [
            ([[1e-7, -3.0], [2e-8, 0.5]], [0.4909090909090909, -0.24000000003333333, 0.9933333333333333, 1.9900000002]),
            (
                [[-2e-7, 1.0], [1e-8, 0.25]],
                [0.49435238576631113, -0.23599781433169098, 0.9876233742453797, 1.9806782040477462],
            ),
            (
                [[5e-8, -0.5], [0.0, 1e-6]],
                [0.4956232195185958, -0.23194356031863309, 0.9835635692284465, 1.9734724172078866],
            ),
        ];
        for (step, (rows, expected)) in (1..).zip(steps) {
            table.update(&[1, 2], &gradient(&rows), 1e-2, step, &AdamWSettings::default()).unwrap();
            let near = table.values()[2..]
                .iter()
                .zip(expected)
                .all(|(found, wanted): (&f64, f64)| (found - wanted).abs() < 1e-12);
            assert!(near, "{:?}", table.values());
        }
    }

    #[test]
    fn a_state_put_back_goes_on_alike() {
        let mut one = table();
        one.update(&[1, 3], &gradient(&[[1., 2.], [3., 4.]]), 0.1, 1, &AdamWSettings::default()).unwrap();
        let mut state = vec![("e".to_string(), one.stored())];
        state.extend(one.moments("e"));
        let mut other = table();
        other.restore("e", &SavedTensors::copy_of(&state).unwrap()).unwrap();
        for table in [&mut one, &mut other] {
            table.update(&[3], &gradient(&[[1., 1.]]), 0.1, 2, &AdamWSettings::default()).unwrap();
        }
        assert_eq!(one.values(), other.values());
    }

    #[test]
    fn a_gradient_of_another_shape_is_refused() {
        let refused = table().update(&[1], &gradient(&[[1., 2.], [3., 4.]]), 0.1, 1, &AdamWSettings::default());
        let Err(Error::Tensor { source, .. }) = refused else { panic!("{refused:?}") };
        assert!(source.to_string().contains("[2, 2]"), "{source}");
    }
}
