use candle_core::{D, DType, Result, Tensor, WithDType};

use super::rows::cross_entropies;
use super::{cosines, cross_entropy, lengths, mismatch};
use crate::number::Number;

const OP: &str = "AM-softmax";

/// Additive-margin softmax (Wang et al. 2018, equation 6): cross-entropy over `scale · (cos(h, class) − margin)` for
/// the row's own class and `scale · cos(h, class)` for the others. `embedding` is `[n, d]`, `classes` `[c, d]`,
/// `labels` `[n]` u32.
///
/// # Errors
/// Tensor errors.
pub fn am_softmax(embedding: &Tensor, classes: &Tensor, labels: &Tensor, scale: f64, margin: f64) -> Result<Tensor> {
    let (n, c) = match (embedding.dims(), classes.dims(), labels.dims()) {
        (&[n, d], &[c, e], &[l]) if d == e && n == l => (n, c),
        _ => return Err(mismatch(OP, embedding, classes)),
    };
    let ones = Tensor::ones((n, 1), DType::F64, embedding.device())?.to_dtype(embedding.dtype())?;
    let zeros = Tensor::zeros((n, c), embedding.dtype(), embedding.device())?;
    let own = zeros.scatter_add(&labels.unsqueeze(1)?, &ones, 1)?;
    let logits = own.affine(-margin, 0.0)?.add(&cosines(embedding, classes)?)?.affine(scale, 0.0)?;
    cross_entropy(&logits, labels)
}

/// The value of [`am_softmax`] and its gradients.
#[derive(Debug, Clone)]
pub struct AmSoftmax {
    /// The loss.
    pub value: f64,
    /// Its gradient by the embedding, `[n, d]`.
    pub embedding: Tensor,
    /// Its gradient by the classes, `[c, d]`.
    pub classes: Tensor,
}

/// [`am_softmax`] for many classes: it holds one matrix of `n × c` values, the logits, where a graph would hold about
/// ten. `T` is the type of both tensors; `labels` are `n` rows of `classes`.
///
/// With `p` the softmax and `y` the one-hot labels, the cosines' gradient is `scale / n · (p − y)`; a unit row's
/// gradient `g` becomes its raw row's as `(g − unit · (unit · g)) / length`.
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
    let (n, c) = match (embedding.dims(), classes.dims()) {
        (&[n, d], &[c, e]) if d == e && n == labels.len() && labels.iter().all(|&label| (label as usize) < c) => (n, c),
        _ => return Err(mismatch(OP, embedding, classes)),
    };
    let embedding = UnitRows::new(&embedding.detach())?;
    let classes = UnitRows::new(&classes.detach())?;
    let cosines = embedding.rows.matmul(&classes.rows.t()?)?;
    let mut logits: Vec<T> = cosines.flatten_all()?.to_vec1()?;
    let margin = <T as WithDType>::from_f64(margin);
    logits.chunks_mut(c.max(1)).zip(labels).for_each(|(row, &label)| row[label as usize] -= margin);
    let value = cross_entropies(&mut logits, c, labels, <T as WithDType>::from_f64(scale));
    let gradient = Tensor::from_vec(logits, (n, c), embedding.rows.device())?;
    let by_embedding = gradient.matmul(&classes.rows)?;
    let by_classes = gradient.t()?.matmul(&embedding.rows)?;
    Ok(AmSoftmax { value, embedding: embedding.back(&by_embedding)?, classes: classes.back(&by_classes)? })
}

/// Rows scaled to length 1, and their lengths before (`[rows, 1]`).
struct UnitRows {
    rows: Tensor,
    lengths: Tensor,
}

impl UnitRows {
    fn new(raw: &Tensor) -> Result<Self> {
        let lengths = lengths(raw)?;
        Ok(Self { rows: raw.broadcast_div(&lengths)?, lengths })
    }

    /// The raw rows' gradient, from that of the unit rows.
    fn back(&self, gradient: &Tensor) -> Result<Tensor> {
        let along = self.rows.mul(gradient)?.sum_keepdim(D::Minus1)?;
        gradient.sub(&self.rows.broadcast_mul(&along)?)?.broadcast_div(&self.lengths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::golden;

    #[test]
    fn value_and_gradients_without_a_graph_equal_pytorch() {
        let labels: Vec<u32> = serde_json::from_value(golden::entry("am_softmax")["labels"].clone()).unwrap();
        golden::check("am_softmax", &["h1", "classes"], |h| {
            let by_hand = am_softmax_gradients::<f64>(&h[0], &h[1], &labels, 30.0, 0.35)?;
            // A linear function with these gradients at this point, so that the same check serves.
            let part = |x: &Tensor, g: &Tensor| x.mul(g)?.sum_all();
            let linear = part(&h[0], &by_hand.embedding)?.add(&part(&h[1], &by_hand.classes)?)?;
            linear.sub(&linear.detach())?.affine(1.0, by_hand.value)
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
