use candle_core::{Device, Tensor, Var, WithDType};
use rayon::prelude::*;

use super::AdamWSettings;
use crate::checkpoint::Stored;
use crate::error::{During, Error, Result};

/// The numbers a table can hold: f32, and f64 for tests against golden values.
pub trait Number: WithDType + num_traits::Float + bytemuck::Pod + Send + Sync {}
impl Number for f32 {}
impl Number for f64 {}

/// An embedding table that learns only where it is touched.
///
/// It lives in host memory; a step takes the rows of its distinct tokens out ([`SparseTable::rows`]) as a variable, and
/// gives their gradient back ([`SparseTable::update`]). The update is Adam (Kingma and Ba 2015, as `torch.optim.Adam` has it, without decay) on
/// just those rows: moments of other rows are untouched and the bias correction counts global steps, both as in `torch.optim.SparseAdam`, which
/// differs in that its epsilon isn't corrected.
/// Row 0 is padding: it never learns.
pub struct SparseTable<T> {
    width: usize,
    values: Vec<T>,
    mean: Vec<T>,
    square: Vec<T>,
}

impl<T: Number> SparseTable<T> {
    /// A table of rows of `width` numbers; row 0 is set to zero.
    ///
    /// # Errors
    /// When `values` is no whole number of rows.
    pub fn new(mut values: Vec<T>, width: usize) -> Result<Self> {
        if width == 0 || !values.len().is_multiple_of(width) {
            return Err(Error::Shapes { operation: "embedding table", left: vec![values.len()], right: vec![width] });
        }
        values.iter_mut().take(width).for_each(|x| *x = T::zero());
        let zeros = vec![T::zero(); values.len()];
        Ok(Self { width, mean: zeros.clone(), square: zeros, values })
    }

    /// All rows, one after another.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The rows of `ids` as a variable `[ids, width]`. Panics for an id past the last row.
    pub fn rows(&self, ids: &[u32], device: &Device) -> Result<Var> {
        let mut rows = Vec::with_capacity(ids.len() * self.width);
        for &id in ids {
            let start = id as usize * self.width;
            rows.extend_from_slice(&self.values[start..start + self.width]);
        }
        Tensor::from_vec(rows, (ids.len(), self.width), device).and_then(|t| Var::from_tensor(&t)).during("table rows")
    }

    /// Updates the rows of `ids`, which must be distinct and ascending, with their gradient `[ids, width]`.
    pub fn update(
        &mut self,
        ids: &[u32],
        gradient: &Tensor,
        learning_rate: f64,
        step: u64,
        settings: &AdamWSettings,
    ) -> Result<()> {
        let width = self.width;
        if gradient.dims() != [ids.len(), width] {
            let left = gradient.dims().to_vec();
            return Err(Error::Shapes { operation: "table update", left, right: vec![ids.len(), width] });
        }
        let gradient: Vec<T> = gradient.flatten_all().and_then(|g| g.to_vec1()).during("table update")?;
        let number = |x: f64| <T as WithDType>::from_f64(x);
        let (beta1, beta2, epsilon) = (number(settings.beta1), number(settings.beta2), number(settings.epsilon));
        let one = T::one();
        let correct1 = 1.0 - settings.beta1.powf(step as f64);
        let correct2 = 1.0 - settings.beta2.powf(step as f64);
        let (rate, root2) = (number(learning_rate / correct1), number(correct2.sqrt()));
        let values = split_rows(&mut self.values, ids, width);
        let means = split_rows(&mut self.mean, ids, width);
        let squares = split_rows(&mut self.square, ids, width);
        (values, means, squares, gradient.par_chunks(width), ids.par_iter()).into_par_iter().for_each(
            |(value, mean, square, gradient, &id)| {
                if id == 0 {
                    return;
                }
                for at in 0..width {
                    let g = gradient[at];
                    mean[at] = beta1 * mean[at] + (one - beta1) * g;
                    square[at] = beta2 * square[at] + (one - beta2) * g * g;
                    value[at] -= rate * mean[at] / (square[at].sqrt() / root2 + epsilon);
                }
            },
        );
        Ok(())
    }

    /// The rows as they are stored.
    pub fn stored(&self) -> Stored<'_> {
        Stored::rows(&self.values, self.width)
    }

    /// Their moments, named `PREFIX.mean` and `PREFIX.square`.
    pub fn moments(&self, prefix: &str) -> [(String, Stored<'_>); 2] {
        [("mean", &self.mean), ("square", &self.square)]
            .map(|(kind, numbers)| (format!("{prefix}.{kind}"), Stored::rows(numbers, self.width)))
    }

    /// Puts rows, named `prefix`, and moments back.
    ///
    /// # Errors
    /// When a part is missing or of another shape or type.
    pub fn restore(&mut self, prefix: &str, find: impl Fn(&str) -> Option<Tensor>) -> Result<()> {
        let shape = [self.values.len() / self.width, self.width];
        for (suffix, numbers) in [("", &mut self.values), (".mean", &mut self.mean), (".square", &mut self.square)] {
            let name = format!("{prefix}{suffix}");
            let tensor = find(&name).filter(|t| t.dims() == shape && t.dtype() == <T as WithDType>::DTYPE);
            let tensor = tensor.ok_or_else(|| Error::Setting {
                name: "optimiser state",
                value: format!("without a fitting {name}"),
                allowed: "what an earlier run of the same settings left",
            })?;
            *numbers = tensor.flatten_all().and_then(|t| t.to_vec1()).during("table state")?;
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
        let state: Vec<(String, Tensor)> = state.into_iter().map(|(n, t)| (n, t.to_tensor().unwrap())).collect();
        let mut other = table();
        other.restore("e", |name| state.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone())).unwrap();
        for table in [&mut one, &mut other] {
            table.update(&[3], &gradient(&[[1., 1.]]), 0.1, 2, &AdamWSettings::default()).unwrap();
        }
        assert_eq!(one.values(), other.values());
    }

    #[test]
    fn a_gradient_of_another_shape_is_refused() {
        let message = table().update(&[1], &gradient(&[[1., 2.], [3., 4.]]), 0.1, 1, &AdamWSettings::default());
        assert!(message.unwrap_err().to_string().contains("[2, 2]"));
    }
}
