use candle_core::Tensor;

use super::{Denominator, infonce, same_shape};
use crate::error::Result;

/// Contrastive distillation (Tian, Krishnan and Isola 2020, in its in-batch form): InfoNCE from the student's rows to the
/// teacher's, so that a student's vector is nearer to its own text's target than to the targets of the others.
pub fn contrastive_kd(embedding: &Tensor, target: &Tensor, temperature: f64) -> Result<Tensor> {
    same_shape("contrastive distillation", embedding, target)?;
    infonce(embedding, target, temperature, Denominator::N)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::golden;

    #[test]
    fn loss_and_gradients_equal_pytorch() {
        golden::check("contrastive_kd", &["h1", "teacher"], |h| contrastive_kd(&h[0], &h[1], 0.05));
    }
}
