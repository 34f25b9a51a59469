use candle_core::{D, Tensor};

use super::relational::Neighbours;
use super::{checked_temperature, same_shape};
use crate::error::{During, Error, Result};

/// Matryoshka by relations: the first numbers of a vector (Kusupati et al. 2022) made to tell the neighbours that the
/// whole target tells.
///
/// The mean over `dimensions` of the relational KL between the first `dimension` numbers of `embedding` and all of
/// `target`: the similarities of the whole target are the goal, not those of the target cut to as many numbers.
/// `embedding` and `target` are `[n, d]`, and their widths may differ; the target is a constant and has no gradient.
///
/// # Errors
/// Where no dimension is given, or one is 0 or above the width of `embedding`.
pub fn matryoshka(embedding: &Tensor, target: &Tensor, dimensions: &[usize], temperature: f64) -> Result<Tensor> {
    if embedding.dims().len() != 2 || target.dims().len() != 2 || embedding.dims()[0] != target.dims()[0] {
        same_shape("Matryoshka", embedding, target)?;
    }
    let width = embedding.dims()[1];
    if dimensions.is_empty() || dimensions.iter().any(|&dimension| dimension == 0 || dimension > width) {
        let (name, allowed) = ("matryoshka.dimensions", "some numbers from 1 to the width of the vectors");
        return Err(Error::Setting { name, value: format!("{dimensions:?} of {width}"), allowed });
    }
    let scale = 1.0 / checked_temperature(temperature)?;
    let teacher = Neighbours::new(target, scale)?;
    let mut terms = Vec::with_capacity(dimensions.len());
    for &dimension in dimensions {
        let first = embedding.narrow(D::Minus1, 0, dimension).during("Matryoshka")?;
        terms.push(teacher.divergence(&first)?);
    }
    Tensor::stack(&terms, 0).and_then(|terms| terms.mean_all()).during("Matryoshka")
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::losses::relational_kl;

    /// Numbers from −1 to 1, `rows × width`.
    fn numbers(seed: u64, rows: usize, width: usize) -> Tensor {
        let mut state = seed;
        let numbers: Vec<f64> = (0..rows * width)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f64 / (1u64 << 23) as f64 - 1.0
            })
            .collect();
        Tensor::from_vec(numbers, (rows, width), &Device::Cpu).unwrap()
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
