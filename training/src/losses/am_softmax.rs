use candle_core::{D, DType, Tensor, WithDType};

use super::rows::cross_entropies;
use super::{TINY, cosines, cross_entropy};
use crate::error::{During, Error, Result};
use crate::optimiser::Number;

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

/// [`am_softmax`] worked out by hand, forth and back.
#[derive(Debug, Clone)]
pub struct AmSoftmax {
    /// The loss.
    pub value: f64,
    /// Its gradient by the embedding, `[n, d]`.
    pub embedding: Tensor,
    /// Its gradient by the classes, `[c, d]`.
    pub classes: Tensor,
}

/// The value of [`am_softmax`] and its gradients, for many classes: the only matrix of `n × c` numbers is the one of the logits,
/// where a graph would hold about ten. `T` is the type of both tensors; `labels` has `n` columns of `classes`.
///
/// With `p` the softmax and `y` the one-hot labels, the cosines' gradient is `scale / n · (p − y)`; a unit row's gradient `g`
/// becomes its raw row's as `(g − unit · (unit · g)) / length`.
///
/// # Errors
/// Shapes that don't fit together, labels past the last class, and tensor errors.
pub fn am_softmax_gradients<T: Number>(
    embedding: &Tensor,
    classes: &Tensor,
    labels: &[u32],
    scale: f64,
    margin: f64,
) -> Result<AmSoftmax> {
    let operation = "AM-softmax";
    let (n, c) = match (embedding.dims(), classes.dims()) {
        (&[n, d], &[c, e]) if d == e && n == labels.len() && labels.iter().all(|&label| (label as usize) < c) => (n, c),
        (left, right) => return Err(Error::Shapes { operation, left: left.to_vec(), right: right.to_vec() }),
    };
    let embedding = Unit::new(&embedding.detach())?;
    let classes = Unit::new(&classes.detach())?;
    let cosines = classes.rows.t().and_then(|classes| embedding.rows.matmul(&classes));
    let mut logits: Vec<T> = cosines.and_then(|all| all.flatten_all()?.to_vec1()).during(operation)?;
    let number = |x: f64| <T as WithDType>::from_f64(x);
    let own_less = number(margin);
    logits.chunks_mut(c.max(1)).zip(labels).for_each(|(row, &label)| row[label as usize] -= own_less);
    let value = cross_entropies(&mut logits, c, labels, number(scale));
    let gradient = Tensor::from_vec(logits, (n, c), embedding.rows.device()).during(operation)?;
    let by_embedding = gradient.matmul(&classes.rows).during(operation)?;
    let by_classes = gradient.t().and_then(|gradient| gradient.matmul(&embedding.rows)).during(operation)?;
    Ok(AmSoftmax { value, embedding: embedding.back(&by_embedding)?, classes: classes.back(&by_classes)? })
}

/// Rows of length 1, and the lengths that they had (`[rows, 1]`).
struct Unit {
    rows: Tensor,
    lengths: Tensor,
}

impl Unit {
    fn new(raw: &Tensor) -> Result<Self> {
        let lengths = raw.sqr().and_then(|s| s.sum_keepdim(D::Minus1)).and_then(|s| (s + TINY)?.sqrt());
        let lengths = lengths.during("normalise")?;
        Ok(Self { rows: raw.broadcast_div(&lengths).during("normalise")?, lengths })
    }

    /// The raw rows' gradient, from that of the unit ones.
    fn back(&self, gradient: &Tensor) -> Result<Tensor> {
        let along = self.rows.mul(gradient).and_then(|product| product.sum_keepdim(D::Minus1));
        let across = along.and_then(|along| gradient.sub(&self.rows.broadcast_mul(&along)?));
        across.and_then(|across| across.broadcast_div(&self.lengths)).during("gradient of unit rows")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::golden;

    #[test]
    fn by_hand_it_gives_the_same_value_and_gradients() {
        let labels: Vec<u32> = serde_json::from_value(golden::entry("am_softmax")["labels"].clone()).unwrap();
        golden::check("am_softmax", &["h1", "classes"], |h| {
            let by_hand = am_softmax_gradients::<f64>(&h[0], &h[1], &labels, 30.0, 0.35)?;
            // A function with these very gradients at this point, so that the same check serves.
            let part = |x: &Tensor, g: &Tensor| x.mul(g).and_then(|product| product.sum_all());
            let linear = part(&h[0], &by_hand.embedding).and_then(|sum| sum.add(&part(&h[1], &by_hand.classes)?));
            let valued = linear.and_then(|linear| linear.sub(&linear.detach())?.affine(1.0, by_hand.value));
            valued.during("test")
        });
    }

    #[test]
    fn a_label_past_the_last_class_is_refused() {
        let rows = Tensor::ones((2, 3), DType::F32, &candle_core::Device::Cpu).unwrap();
        assert!(am_softmax_gradients::<f32>(&rows, &rows, &[0, 2], 30.0, 0.35).is_err());
        assert!(am_softmax_gradients::<f32>(&rows, &rows, &[0], 30.0, 0.35).is_err());
    }

    #[test]
    fn loss_and_gradients_equal_pytorch() {
        let labels: Vec<u32> = serde_json::from_value(golden::entry("am_softmax")["labels"].clone()).unwrap();
        let labels = Tensor::new(labels, &candle_core::Device::Cpu).unwrap();
        golden::check("am_softmax", &["h1", "classes"], |h| am_softmax(&h[0], &h[1], &labels, 30.0, 0.35));
    }
}
