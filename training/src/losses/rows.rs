//! Losses over the rows of a matrix of logits, worked out by hand in host memory: value and gradient come from one pass over the matrix,
//! where a graph would hold some ten matrices as large. The graphs stand beside them, for other devices and as their reference.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Shape, Tensor, WithDType, bail};
use rayon::prelude::*;

use crate::by_type;
use crate::error::{During, Result};
use crate::optimiser::Number;

/// Whether `logits` can be worked on here.
pub fn by_hand(logits: &Tensor) -> bool {
    logits.device().is_cpu() && matches!(logits.dtype(), DType::F32 | DType::F64)
}

/// Mean cross-entropy of `logits` (`[n, c]`) against the classes `labels`, `n` of them below `c`.
pub fn cross_entropy(logits: &Tensor, labels: &[u32]) -> Result<Tensor> {
    let loss = by_type!(logits.dtype(), T => worked_out::<T>(logits, |all, c| cross_entropies(all, c, labels, 1.0)));
    loss.during("cross-entropy")
}

/// Mean KL of the rows of `teacher` (logarithms of probabilities) and the softmax of `logits`, both `[n, n]`; a row's own column counts
/// in neither.
pub fn divergence(teacher: &Tensor, logits: &Tensor) -> Result<Tensor> {
    let loss = by_type!(logits.dtype(), T => {
        numbers::<T>(teacher).and_then(|teacher| worked_out(logits, |all, n| divergences(&teacher, all, n)))
    });
    loss.during("relational KL")
}

/// The logarithm of each row's softmax without its own column, whose place means nothing: `[n, n]`. It has no gradient.
pub fn log_softmax_of_others(logits: &Tensor) -> Result<Tensor> {
    fn of<T: Number>(logits: &Tensor) -> candle_core::Result<Tensor> {
        let (rows, columns) = logits.dims2()?;
        let mut all = numbers::<T>(logits)?;
        all.par_chunks_mut(columns.max(1)).enumerate().for_each(|(itself, row)| {
            row[itself] = T::neg_infinity();
            let constant = log_sum(row);
            row.iter_mut().for_each(|logit| *logit -= constant);
        });
        Tensor::from_vec(all, (rows, columns), logits.device())
    }
    by_type!(logits.dtype(), T => of::<T>(logits)).during("relational KL")
}

/// The cross-entropy of each of `logits`' rows times `factor`, summed and divided by their number. In their place comes its gradient.
pub fn cross_entropies<T: Number>(logits: &mut [T], classes: usize, labels: &[u32], factor: T) -> f64 {
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

/// The divergence of each row of `n`, summed and divided by their number. In the logits' place comes its gradient.
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

/// A copy of a tensor's numbers.
fn numbers<T: Number>(tensor: &Tensor) -> candle_core::Result<Vec<T>> {
    tensor.flatten_all()?.to_vec1()
}

/// A scalar of `logits` (`[n, c]`): `work` is given a copy of them and `c`, leaves the gradient in their place, and says the value.
fn worked_out<T: Number>(logits: &Tensor, work: impl FnOnce(&mut [T], usize) -> f64) -> candle_core::Result<Tensor> {
    let (rows, columns) = logits.dims2()?;
    let mut all = numbers(&logits.detach())?;
    let value = work(&mut all, columns);
    let gradient = Tensor::from_vec(all, (rows, columns), logits.device())?;
    logits.apply_op1(Known { value, gradient })
}

/// A scalar whose value and gradient are known.
struct Known {
    value: f64,
    gradient: Tensor,
}

impl CustomOp1 for Known {
    fn name(&self) -> &'static str {
        "a loss over rows"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, _: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let scalar = match storage {
            CpuStorage::F32(_) => CpuStorage::F32(vec![self.value as f32]),
            CpuStorage::F64(_) => CpuStorage::F64(vec![self.value]),
            _ => bail!("{} is of f32 or f64", self.name()),
        };
        Ok((scalar, Shape::from(())))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, upstream: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let factor = upstream.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        self.gradient.affine(factor, 0.0).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::losses::{cross_entropy_graph, relational};

    /// Logits of a size that softmax saturates at some of them.
    fn logits(seed: u64, n: usize) -> Tensor {
        let mut random = crate::random::Random::new(seed, &[]);
        let numbers: Vec<f64> = (0..n * n).map(|_| 6.0 * random.normal()).collect();
        Tensor::from_vec(numbers, (n, n), &Device::Cpu).unwrap()
    }

    /// Value and gradient of three times a loss.
    fn with_gradient(logits: &Tensor, loss: impl Fn(&Tensor) -> Result<Tensor>) -> Vec<f64> {
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
    fn what_is_worked_out_by_hand_equals_the_graph_in_value_and_gradient() {
        for n in [1, 2, 3, 40] {
            let labels: Vec<u32> = (0..n as u32).rev().collect();
            for (dtype, within) in [(DType::F64, 1e-12), (DType::F32, 2e-5)] {
                let (teacher, student) = (logits(1, n).to_dtype(dtype).unwrap(), logits(2, n).to_dtype(dtype).unwrap());
                let graph = with_gradient(&student, |logits| relational::divergence_graph(&teacher, logits));
                let by_hand =
                    with_gradient(&student, |logits| divergence(&log_softmax_of_others(&teacher).unwrap(), logits));
                alike(&by_hand, &graph, within);
                let labels_there = Tensor::new(labels.as_slice(), &Device::Cpu).unwrap();
                let graph = with_gradient(&student, |logits| cross_entropy_graph(logits, &labels_there));
                alike(&with_gradient(&student, |logits| cross_entropy(logits, &labels)), &graph, within);
            }
        }
    }

    #[test]
    fn a_logit_that_is_no_number_makes_the_loss_none() {
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
