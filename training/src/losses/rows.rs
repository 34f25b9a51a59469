//! Losses over the rows of a matrix of logits, computed in host memory: value and gradient come from one pass over the
//! matrix, where a graph would hold about ten matrices of that size. The graphs stay, for other devices and as the
//! reference.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, WithDType, bail};
use rayon::prelude::*;

use crate::by_type;
use crate::number::Number;

/// Whether the losses here can be computed of `logits`.
pub(super) fn on_host(logits: &Tensor) -> bool {
    logits.device().is_cpu() && matches!(logits.dtype(), DType::F32 | DType::F64)
}

/// Mean cross-entropy of `logits` (`[n, c]`) against the classes `labels`, `n` of them below `c`.
pub(super) fn cross_entropy(logits: &Tensor, labels: &[u32]) -> Result<Tensor> {
    by_type!(logits.dtype(), T => with_gradient::<T>(logits, |all, c| cross_entropies(all, c, labels, 1.0)))
}

/// Mean KL of the rows of `teacher` (logarithms of probabilities) and the softmax of `logits`, both `[n, n]`; a row's
/// own column counts in neither.
pub(super) fn divergence(teacher: &Tensor, logits: &Tensor) -> Result<Tensor> {
    by_type!(logits.dtype(), T => {
        let teacher = values::<T>(teacher)?;
        with_gradient(logits, |all, n| divergences(&teacher, all, n))
    })
}

/// The logarithm of each row's softmax over the other columns than its own: `[n, n]`, the diagonal without meaning. It
/// has no gradient.
pub(super) fn log_softmax_of_others(logits: &Tensor) -> Result<Tensor> {
    fn of<T: Number>(logits: &Tensor) -> Result<Tensor> {
        let (rows, columns) = logits.dims2()?;
        let mut all = values::<T>(logits)?;
        all.par_chunks_mut(columns.max(1)).enumerate().for_each(|(itself, row)| {
            row[itself] = T::neg_infinity();
            let constant = log_sum(row);
            row.iter_mut().for_each(|logit| *logit -= constant);
        });
        Tensor::from_vec(all, (rows, columns), logits.device())
    }
    by_type!(logits.dtype(), T => of::<T>(logits))
}

/// The mean cross-entropy of the rows of `logits` times `factor`. The logits are replaced by its gradient.
pub(super) fn cross_entropies<T: Number>(logits: &mut [T], classes: usize, labels: &[u32], factor: T) -> f64 {
    let share = factor / number(labels.len() as f64);
    let losses: Vec<f64> = logits
        .par_chunks_mut(classes.max(1))
        .zip(labels)
        .map(|(row, &label)| {
            let label = label as usize;
            let largest = largest(row);
            let own = row[label];
            let mut sum = T::zero();
            for logit in row.iter_mut() {
                *logit = ((*logit - largest) * factor).exp();
                sum += *logit;
            }
            row.iter_mut().for_each(|logit| *logit = *logit / sum * share);
            row[label] -= share;
            <T as WithDType>::to_f64((largest - own) * factor + sum.ln())
        })
        .collect();
    losses.iter().sum::<f64>() / labels.len() as f64
}

/// The mean divergence of the rows, `n` values each. The logits are replaced by its gradient.
fn divergences<T: Number>(teacher: &[T], logits: &mut [T], n: usize) -> f64 {
    let share = number::<T>(1.0 / n as f64);
    let losses: Vec<f64> = logits
        .par_chunks_mut(n.max(1))
        .zip(teacher.par_chunks(n.max(1)))
        .enumerate()
        .map(|(itself, (row, teacher))| {
            row[itself] = T::neg_infinity();
            let constant = log_sum(row);
            let mut loss = 0.0;
            for (column, (logit, &teacher)) in row.iter_mut().zip(teacher).enumerate() {
                if column == itself {
                    *logit = T::zero();
                    continue;
                }
                let (student, probability) = (*logit - constant, teacher.exp());
                loss += <T as WithDType>::to_f64(probability * (teacher - student));
                *logit = (student.exp() - probability) * share;
            }
            loss
        })
        .collect();
    losses.iter().sum::<f64>() / n as f64
}

/// The logarithm of the sum of a row's exponentials.
fn log_sum<T: Number>(row: &[T]) -> T {
    let largest = largest(row);
    largest + row.iter().fold(T::zero(), |sum, &logit| sum + (logit - largest).exp()).ln()
}

fn largest<T: Number>(row: &[T]) -> T {
    row.iter().fold(T::neg_infinity(), |a, &b| if b > a { b } else { a })
}

fn number<T: Number>(x: f64) -> T {
    <T as WithDType>::from_f64(x)
}

/// A copy of a tensor's values.
fn values<T: Number>(tensor: &Tensor) -> Result<Vec<T>> {
    tensor.flatten_all()?.to_vec1()
}

/// A scalar loss of `logits` (`[n, c]`): `loss` gets a copy of them and `c`, replaces them by the gradient and returns
/// the value.
fn with_gradient<T: Number>(logits: &Tensor, loss: impl FnOnce(&mut [T], usize) -> f64) -> Result<Tensor> {
    let (rows, columns) = logits.dims2()?;
    let mut all = values(&logits.detach())?;
    let value = loss(&mut all, columns);
    let gradient = Tensor::from_vec(all, (rows, columns), logits.device())?;
    logits.apply_op1(LossWithGradient { value, gradient })
}

/// A scalar whose value and gradient are known.
struct LossWithGradient {
    value: f64,
    gradient: Tensor,
}

impl CustomOp1 for LossWithGradient {
    fn name(&self) -> &'static str {
        "a loss over rows"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let scalar = match storage {
            CpuStorage::F32(_) => CpuStorage::F32(vec![self.value as f32]),
            CpuStorage::F64(_) => CpuStorage::F64(vec![self.value]),
            _ => bail!("{} is of f32 or f64", self.name()),
        };
        Ok((scalar, Shape::from(())))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, upstream: &Tensor) -> Result<Option<Tensor>> {
        let factor = upstream.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        self.gradient.affine(factor, 0.0).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::losses::{cross_entropy_graph, relational};

    /// Logits so large that softmax saturates at some of them.
    fn logits(seed: u64, n: usize) -> Tensor {
        let mut random = crate::random::Random::new(seed, &[]);
        let numbers: Vec<f64> = (0..n * n).map(|_| 6.0 * random.normal()).collect();
        Tensor::from_vec(numbers, (n, n), &Device::Cpu).unwrap()
    }

    /// Value and gradient of three times a loss.
    fn value_and_gradient(logits: &Tensor, loss: impl Fn(&Tensor) -> Result<Tensor>) -> Vec<f64> {
        let variable = Var::from_tensor(logits).unwrap();
        let loss = loss(&variable).unwrap().affine(3.0, 0.0).unwrap();
        let gradients = loss.backward().unwrap();
        let gradient = gradients.get(&variable).unwrap().to_dtype(DType::F64).unwrap();
        let value = loss.to_dtype(DType::F64).unwrap().to_scalar::<f64>().unwrap();
        [vec![value], gradient.flatten_all().unwrap().to_vec1().unwrap()].concat()
    }

    fn alike(by_hand: &[f64], graph: &[f64], within: f64) {
        for (by_hand, graph) in by_hand.iter().zip(graph) {
            assert!((by_hand - graph).abs() <= within, "{by_hand} instead of {graph}");
        }
    }

    #[test]
    fn value_and_gradient_equal_those_of_the_graph() {
        for n in [1, 2, 3, 40] {
            let labels: Vec<u32> = (0..n as u32).rev().collect();
            for (dtype, within) in [(DType::F64, 1e-12), (DType::F32, 2e-5)] {
                let (teacher, student) = (logits(1, n).to_dtype(dtype).unwrap(), logits(2, n).to_dtype(dtype).unwrap());
                let graph = value_and_gradient(&student, |logits| relational::divergence_graph(&teacher, logits));
                let by_hand = value_and_gradient(&student, |logits| {
                    divergence(&log_softmax_of_others(&teacher).unwrap(), logits)
                });
                alike(&by_hand, &graph, within);
                let labels_there = Tensor::new(labels.as_slice(), &Device::Cpu).unwrap();
                let graph = value_and_gradient(&student, |logits| cross_entropy_graph(logits, &labels_there));
                alike(&value_and_gradient(&student, |logits| cross_entropy(logits, &labels)), &graph, within);
            }
        }
    }

    #[test]
    fn a_logit_that_is_not_a_number_makes_the_loss_not_a_number() {
        let mut numbers = vec![0.5f32; 9];
        numbers[4] = f32::NAN;
        numbers[1] = f32::NAN;
        let broken = Tensor::from_vec(numbers, (3, 3), &Device::Cpu).unwrap();
        let loss = cross_entropy(&broken, &[0, 1, 2]).unwrap().to_scalar::<f32>().unwrap();
        let teacher = log_softmax_of_others(&broken.zeros_like().unwrap()).unwrap();
        let divergence = divergence(&teacher, &broken).unwrap().to_scalar::<f32>().unwrap();
        assert!(loss.is_nan() && divergence.is_nan());
    }
}
