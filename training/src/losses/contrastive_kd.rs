use candle_core::{Result, Tensor};

use super::{Denominator, infonce, same_shape};

/// Contrastive distillation (Tian, Krishnan and Isola 2020, in its in-batch form): InfoNCE from the student's rows to
/// the teacher's. A student's vector has to be nearer to its own text's target than to the targets of the other texts.
///
/// # Errors
/// Tensor errors.
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
