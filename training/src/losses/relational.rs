use candle_core::{D, Tensor};

use super::{checked_temperature, diagonal, normalise, rows, same_shape};
use crate::error::{During, Result};

/// Relational distillation: the batch's similarities as a distribution a row (softmax of cosines at `temperature`, the row
/// itself excluded); the loss is KL(teacher ‖ student), mean over rows. Both are `[n, d]`; their widths may differ. The
/// target is a constant and has no gradient.
pub fn relational_kl(embedding: &Tensor, target: &Tensor, temperature: f64) -> Result<Tensor> {
    if embedding.dims().len() != 2 || target.dims().len() != 2 || embedding.dims()[0] != target.dims()[0] {
        same_shape("relational KL", embedding, target)?;
    }
    let scale = 1.0 / checked_temperature(temperature)?;
    Neighbours::new(target, scale)?.divergence(embedding)
}

/// What a teacher's vectors say of each text's neighbours in the batch.
pub(super) struct Neighbours {
    scale: f64,
    /// `scale` times the cosines, `[n, n]`; where it is worked on by hand, the logarithm of each row's softmax over the other rows.
    distribution: Tensor,
}

impl Neighbours {
    /// From the rows of `target` (`[n, d]`).
    pub fn new(target: &Tensor, scale: f64) -> Result<Self> {
        let logits = logits(&target.detach(), scale)?;
        let distribution = if rows::by_hand(&logits) { rows::log_softmax_of_others(&logits)? } else { logits };
        Ok(Self { scale, distribution })
    }

    /// KL(teacher ‖ student), mean over rows; `embedding` has as many rows as the target.
    pub fn divergence(&self, embedding: &Tensor) -> Result<Tensor> {
        let student = logits(embedding, self.scale)?;
        if rows::by_hand(&student) {
            return rows::divergence(&self.distribution, &student);
        }
        divergence_graph(&self.distribution, &student)
    }
}

/// `scale` times the cosines of all rows of `x` (`[n, d]`) with one another, `[n, n]`.
fn logits(x: &Tensor, scale: f64) -> Result<Tensor> {
    let unit = normalise(x)?;
    unit.t().and_then(|columns| unit.matmul(&columns)?.affine(scale, 0.0)).during("relational KL")
}

/// The divergence of two matrices of logits as a graph, on any device.
pub(super) fn divergence_graph(teacher: &Tensor, student: &Tensor) -> Result<Tensor> {
    let n = teacher.dims()[0];
    let itself = diagonal(n, -1e9, teacher.dtype(), teacher)?;
    let others = |logits: &Tensor| candle_nn::ops::log_softmax(&logits.add(&itself)?, D::Minus1);
    let (teacher, student) =
        others(teacher).and_then(|teacher| Ok((teacher, others(student)?))).during("relational KL")?;
    // On the diagonal exp(teacher) is 0 and both logarithms are finite, so the term vanishes.
    let divergence = teacher.exp().and_then(|p| p.mul(&teacher.sub(&student)?)).and_then(|terms| terms.sum_all());
    divergence.and_then(|sum| sum.affine(1.0 / n as f64, 0.0)).during("relational KL")
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
