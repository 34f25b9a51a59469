use candle_core::Tensor;

use super::{checked_temperature, cosines, cross_entropy, diagonal_classes, same_shape};
use crate::error::{During, Result};

/// Contrastive distillation (Tian, Krishnan and Isola 2020, in its in-batch form): InfoNCE from the student's rows to the
/// teacher's, so that a student's vector is nearer to its own text's target than to the targets of the others.
pub fn contrastive_kd(embedding: &Tensor, target: &Tensor, temperature: f64) -> Result<Tensor> {
    let (n, _) = same_shape("contrastive distillation", embedding, target)?;
    let scale = 1.0 / checked_temperature(temperature)?;
    let logits = cosines(embedding, target)?.affine(scale, 0.0).during("contrastive distillation")?;
    cross_entropy(&logits, &diagonal_classes(n, embedding)?)
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
