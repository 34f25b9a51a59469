use candle_core::{D, Result, Tensor};

use super::{normalise, same_shape};

/// Cosine distance to a target: mean over rows of `1 - cos(embedding, target)`. Both are `[n, d]`.
///
/// # Errors
/// Tensor errors.
pub fn cosine_distance(embedding: &Tensor, target: &Tensor) -> Result<Tensor> {
    same_shape("cosine distance", embedding, target)?;
    let product = normalise(embedding)?.mul(&normalise(target)?)?;
    product.sum(D::Minus1)?.mean_all()?.affine(-1.0, 1.0)
}

/// Cosine distance about `mean` (`[1, d]`, the mean of all targets): both rows are scaled to length 1, the mean is
/// subtracted from both, and the differences are compared. For a teacher whose vectors crowd around one direction:
/// there the differences between texts are small beside the mean, and [`cosine_distance`] hardly depends on them.
///
/// # Errors
/// Tensor errors.
pub fn centred_distance(embedding: &Tensor, target: &Tensor, mean: &Tensor) -> Result<Tensor> {
    same_shape("centred cosine distance", embedding, target)?;
    let centred = |rows: &Tensor| normalise(rows)?.broadcast_sub(mean);
    cosine_distance(&centred(embedding)?, &centred(target)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::golden;

    #[test]
    fn loss_and_gradients_equal_pytorch() {
        golden::check("cosine_distance", &["h1", "teacher"], |h| cosine_distance(&h[0], &h[1]));
    }

    #[test]
    fn about_a_mean_of_nothing_it_is_the_cosine_distance_and_about_their_own_mean_it_sees_more() {
        let device = candle_core::Device::Cpu;
        let crowd = Tensor::new(&[[10f32, 1., 0.], [10., -1., 0.]], &device).unwrap();
        let other = Tensor::new(&[[10f32, 0., 1.], [10., 0., -1.]], &device).unwrap();
        let number = |tensor: Tensor| tensor.to_scalar::<f32>().unwrap();
        let nothing = Tensor::zeros((1, 3), candle_core::DType::F32, &device).unwrap();
        let plain = number(cosine_distance(&crowd, &other).unwrap());
        assert!((number(centred_distance(&crowd, &other, &nothing).unwrap()) - plain).abs() < 1e-6);
        let mean = normalise(&crowd).unwrap().mean_keepdim(0).unwrap();
        let seen = number(centred_distance(&crowd, &other, &mean).unwrap());
        assert!(plain < 0.02 && (seen - 1.0).abs() < 1e-3, "{plain}, {seen}");
        assert!(number(centred_distance(&crowd, &crowd, &mean).unwrap()).abs() < 1e-6);
    }

    #[test]
    fn a_zero_row_gives_a_finite_gradient() {
        let device = candle_core::Device::Cpu;
        let zero =
            candle_core::Var::from_tensor(&Tensor::zeros((1, 3), candle_core::DType::F32, &device).unwrap()).unwrap();
        let target = Tensor::new(&[[1f32, 0., 0.]], &device).unwrap();
        let gradients = cosine_distance(&zero, &target).unwrap().backward().unwrap();
        let gradient: Vec<f32> = gradients.get(&zero).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert!(gradient.iter().all(|x| x.is_finite()));
    }

    #[test]
    fn two_shapes_are_an_error_that_names_them() {
        let device = candle_core::Device::Cpu;
        let (a, b) = (Tensor::new(&[[1f32, 0.]], &device).unwrap(), Tensor::new(&[[1f32], [0.]], &device).unwrap());
        let message = cosine_distance(&a, &b).unwrap_err().to_string();
        assert!(message.contains("[1, 2]") && message.contains("[2, 1]"), "{message}");
    }
}
