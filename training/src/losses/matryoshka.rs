use candle_core::{D, Result, Tensor, bail};

use super::relational::Neighbours;
use super::{inverse_temperature, same_rows};

/// Matryoshka by relations: makes the first values of a vector (Kusupati et al. 2022) rank the same neighbours as the
/// whole target does.
///
/// The mean over `dimensions` of the relational KL between the first `dimension` values of `embedding` and all of
/// `target`: the goal are the similarities of the whole target, not those of its first values. `embedding` and `target`
/// are `[n, d]`, and their widths may differ; the target is a constant and has no gradient.
///
/// # Errors
/// No dimension, or one that is 0 or above the width of `embedding`; tensor errors.
pub fn matryoshka(embedding: &Tensor, target: &Tensor, dimensions: &[usize], temperature: f64) -> Result<Tensor> {
    same_rows("Matryoshka", embedding, target)?;
    let width = embedding.dim(1)?;
    if dimensions.is_empty() || dimensions.iter().any(|&dimension| dimension == 0 || dimension > width) {
        bail!(
            "matryoshka.dimensions is {dimensions:?}, but must be some numbers from 1 to {width}, the vectors' width"
        );
    }
    let teacher = Neighbours::new(target, inverse_temperature(temperature)?)?;
    let term = |&dimension| teacher.divergence(&embedding.narrow(D::Minus1, 0, dimension)?);
    Tensor::stack(&dimensions.iter().map(term).collect::<Result<Vec<_>>>()?, 0)?.mean_all()
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;
    use crate::losses::relational_kl;
    use crate::random::Random;

    /// Values from −1 to 1, `[rows, width]`.
    fn numbers(seed: u64, rows: usize, width: usize) -> Tensor {
        Random::new(seed, &[]).uniform_tensor(&[rows, width], 1.0, DType::F64, &Device::Cpu).unwrap()
    }

    #[test]
    fn gradients_equal_finite_differences() {
        let (embedding, target) = (numbers(1, 5, 6), numbers(2, 5, 4));
        let loss = |embedding: &Tensor| matryoshka(embedding, &target, &[2, 4], 0.3).unwrap();
        let variable = Var::from_tensor(&embedding).unwrap();
        let gradients = loss(&variable).backward().unwrap();
        let gradient: Vec<f64> = gradients.get(&variable).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let values: Vec<f64> = embedding.flatten_all().unwrap().to_vec1().unwrap();
        for (at, &gradient) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut values = values.clone();
                values[at] += by;
                loss(&Tensor::from_vec(values, (5, 6), &Device::Cpu).unwrap()).to_scalar::<f64>().unwrap()
            };
            let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((gradient - difference).abs() < 1e-7, "number {at}: {gradient}, by differences {difference}");
            let beyond = at % 6 >= 4;
            assert_eq!(gradient == 0.0, beyond, "only the first four numbers count");
        }
    }

    #[test]
    fn the_whole_width_alone_is_the_relational_loss() {
        let (embedding, target) = (numbers(3, 6, 5), numbers(4, 6, 5));
        let scalar = |loss: Tensor| loss.to_scalar::<f64>().unwrap();
        let whole = scalar(relational_kl(&embedding, &target, 0.1).unwrap());
        assert_eq!(scalar(matryoshka(&embedding, &target, &[5], 0.1).unwrap()), whole);
        let first = scalar(relational_kl(&embedding.narrow(1, 0, 2).unwrap(), &target, 0.1).unwrap());
        let both = scalar(matryoshka(&embedding, &target, &[2, 5], 0.1).unwrap());
        assert!((both - (first + whole) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn dimensions_that_the_vectors_do_not_have_are_refused() {
        let embedding = numbers(1, 3, 4);
        for dimensions in [&[][..], &[0], &[2, 5]] {
            let error = matryoshka(&embedding, &embedding, dimensions, 0.1).unwrap_err().to_string();
            assert!(error.contains("matryoshka.dimensions") && error.contains('4'), "{error}");
        }
        assert!(matryoshka(&embedding, &numbers(1, 2, 4), &[2], 0.1).is_err());
    }
}
