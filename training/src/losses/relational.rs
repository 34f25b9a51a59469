use candle_core::{D, Result, Tensor};

use super::{diagonal, inverse_temperature, normalise, rows, same_rows};

/// Relational distillation: for each row, its similarities to the other rows of the batch as a distribution (softmax of
/// cosines at `temperature`); the loss is KL(teacher ‖ student), mean over rows. Both are `[n, d]`; their widths may
/// differ. The target is a constant and has no gradient.
///
/// # Errors
/// Tensor errors.
pub fn relational_kl(embedding: &Tensor, target: &Tensor, temperature: f64) -> Result<Tensor> {
    same_rows("relational KL", embedding, target)?;
    Neighbours::new(target, inverse_temperature(temperature)?)?.divergence(embedding)
}

/// The teacher's distribution over each text's neighbours in the batch.
pub(super) struct Neighbours {
    scale: f64,
    /// `[n, n]`: on the host the logarithm of each row's softmax over the other rows, elsewhere the logits.
    distribution: Tensor,
}

impl Neighbours {
    /// From the rows of `target` (`[n, d]`).
    pub(super) fn new(target: &Tensor, scale: f64) -> Result<Self> {
        let logits = logits(&target.detach(), scale)?;
        let distribution = if rows::on_host(&logits) { rows::log_softmax_of_others(&logits)? } else { logits };
        Ok(Self { scale, distribution })
    }

    /// KL(teacher ‖ student), mean over rows; `embedding` has as many rows as the target.
    pub(super) fn divergence(&self, embedding: &Tensor) -> Result<Tensor> {
        let student = logits(embedding, self.scale)?;
        if rows::on_host(&student) {
            return rows::divergence(&self.distribution, &student);
        }
        divergence_graph(&self.distribution, &student)
    }
}

/// `scale` times the cosines of all rows of `x` (`[n, d]`) with one another, `[n, n]`.
fn logits(x: &Tensor, scale: f64) -> Result<Tensor> {
    let unit = normalise(x)?;
    unit.matmul(&unit.t()?)?.affine(scale, 0.0)
}

/// The divergence of two matrices of logits as a graph, on any device.
pub(super) fn divergence_graph(teacher: &Tensor, student: &Tensor) -> Result<Tensor> {
    let n = teacher.dim(0)?;
    let itself = diagonal(n, -1e9, teacher)?;
    let others = |logits: &Tensor| candle_nn::ops::log_softmax(&logits.add(&itself)?, D::Minus1);
    let (teacher, student) = (others(teacher)?, others(student)?);
    // On the diagonal exp(teacher) is 0 and both logarithms are finite, so the term vanishes.
    teacher.exp()?.mul(&teacher.sub(&student)?)?.sum_all()?.affine(1.0 / n as f64, 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::golden;

    #[test]
    fn loss_and_gradients_equal_pytorch() {
        golden::check("relational_kl", &["h1", "teacher"], |h| relational_kl(&h[0], &h[1], 0.05));
    }

    #[test]
    fn a_copy_of_the_teacher_has_no_loss() {
        let h = Tensor::new(&[[1f32, 0., 2.], [0., 1., 1.], [3., 1., 0.]], &candle_core::Device::Cpu).unwrap();
        assert_eq!(relational_kl(&h, &h, 0.05).unwrap().to_scalar::<f32>().unwrap(), 0.0);
    }
}
