use candle_core::{DType, Tensor};

use super::{cosines, cross_entropy};
use crate::error::{During, Error, Result};

/// Additive-margin softmax (Wang et al. 2018, equation 6): cross-entropy over `scale · (cos(h, class) − margin)` for the
/// row's own class and `scale · cos(h, class)` for the others. `embedding` `[n, d]`, `classes` `[c, d]`, `labels` `[n]` u32.
pub fn am_softmax(embedding: &Tensor, classes: &Tensor, labels: &Tensor, scale: f64, margin: f64) -> Result<Tensor> {
    let operation = "AM-softmax";
    let (n, c) = match (embedding.dims(), classes.dims(), labels.dims()) {
        (&[n, d], &[c, e], &[l]) if d == e && n == l => (n, c),
        (left, right, _) => return Err(Error::Shapes { operation, left: left.to_vec(), right: right.to_vec() }),
    };
    let own = labels.unsqueeze(1).and_then(|labels| {
        let ones = Tensor::ones((n, 1), DType::F64, embedding.device())?.to_dtype(embedding.dtype())?;
        Tensor::zeros((n, c), embedding.dtype(), embedding.device())?.scatter_add(&labels, &ones, 1)
    });
    let logits = own
        .and_then(|own| own.affine(-margin, 0.0))
        .during(operation)?
        .add(&cosines(embedding, classes)?)
        .and_then(|logits| logits.affine(scale, 0.0));
    cross_entropy(&logits.during(operation)?, labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::golden;

    #[test]
    fn loss_and_gradients_equal_pytorch() {
        let labels: Vec<u32> = serde_json::from_value(golden::entry("am_softmax")["labels"].clone()).unwrap();
        let labels = Tensor::new(labels, &candle_core::Device::Cpu).unwrap();
        golden::check("am_softmax", &["h1", "classes"], |h| am_softmax(&h[0], &h[1], &labels, 30.0, 0.35));
    }
}
