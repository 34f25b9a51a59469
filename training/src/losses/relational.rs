use candle_core::{D, Tensor};

use super::{checked_temperature, cosines, diagonal, same_shape};
use crate::error::{During, Result};

/// Relational distillation: the batch's similarities as a distribution a row (softmax of cosines at `temperature`, the row
/// itself excluded); the loss is KL(teacher ‖ student), mean over rows. Both are `[n, d]`; their widths may differ.
pub fn relational_kl(embedding: &Tensor, target: &Tensor, temperature: f64) -> Result<Tensor> {
    if embedding.dims().len() != 2 || target.dims().len() != 2 || embedding.dims()[0] != target.dims()[0] {
        same_shape("relational KL", embedding, target)?;
    }
    let scale = 1.0 / checked_temperature(temperature)?;
    let student = neighbours(embedding, scale)?;
    divergence(&neighbours(target, scale)?, &student)
}

/// The logarithm of each row's distribution over the other rows of `x` (`[n, d]`): log softmax of `scale` times the
/// cosines, `[n, n]`.
pub(super) fn neighbours(x: &Tensor, scale: f64) -> Result<Tensor> {
    let itself = diagonal(x.dims()[0], -1e9, x.dtype(), x)?;
    let logits = cosines(x, x)?.affine(scale, 0.0).and_then(|logits| logits.add(&itself));
    logits.and_then(|logits| candle_nn::ops::log_softmax(&logits, D::Minus1)).during("relational KL")
}

/// KL(teacher ‖ student) of two results of [`neighbours`], mean over rows.
pub(super) fn divergence(teacher: &Tensor, student: &Tensor) -> Result<Tensor> {
    // On the diagonal exp(teacher) is 0 and both logarithms are finite, so the term vanishes.
    let divergence = teacher.exp().and_then(|p| p.mul(&teacher.sub(student)?)).and_then(|terms| terms.sum_all());
    divergence.and_then(|sum| sum.affine(1.0 / teacher.dims()[0] as f64, 0.0)).during("relational KL")
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
