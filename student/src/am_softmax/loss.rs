//! AM-softmax over sampled classes, and the centres that it moves.

use candle_core::{DType, Result as TensorResult, Tensor};
use limbeck_training::losses::am_softmax_gradients;
use limbeck_training::optimiser::Number;
use limbeck_training::random::Random;

use super::centres::{CLASSES, Centres};
use super::sample::sample;
use super::settings::AmSoftmaxLoss;
use crate::error::{Error, Result};

/// The random stream of the sampled classes.
const SAMPLE: u64 = 42;

/// AM-softmax (Wang et al. 2018) over sampled classes, with their centres.
pub(crate) struct ClassLoss {
    pub(crate) centres: Centres,
    settings: AmSoftmaxLoss,
    seed: u64,
    /// The centres' gradient of the last value, until they are updated.
    last: Option<CentreGradient>,
}

/// Where a step moves the centres.
struct CentreGradient {
    classes: Vec<u32>,
    /// For one sentence and a scale of 1, `classes × dimension` values.
    gradient: Vec<f32>,
}

impl ClassLoss {
    /// The loss over `centres`; `seed` is that of the sampled classes.
    pub(crate) fn new(centres: Centres, settings: AmSoftmaxLoss, seed: u64) -> Self {
        Self { centres, settings, seed, last: None }
    }

    /// The loss of `views` (each `[texts, dimension]`, not yet normalised) whose rows are of the classes `labels`: a
    /// scalar that can be differentiated by the views. It is the mean over all views, of which one at a time has its
    /// matrix of `texts × sampled classes` in memory. It is not finite when the gradient of the centres is not.
    pub(crate) fn value<T: Number>(&mut self, views: &[Tensor], labels: &[u32], step: u64) -> Result<Tensor> {
        let classes = self.centres.shape.classes;
        let mut own = labels.to_vec();
        own.sort_unstable();
        own.dedup();
        let needed = own.last().map_or(0, |&last| last as usize + 1);
        Error::require(needed <= classes && !views.is_empty(), CLASSES, needed, format!("at most {classes}"))?;
        let mut random = Random::new(self.seed, &[SAMPLE, step]);
        let sampled = sample(&own, classes, self.settings.sampled_classes, &mut random);
        let (value, gradient) = self.sampled::<T>(views, labels, &sampled).map_err(Error::tensor("AM-softmax"))?;
        let finite = gradient.iter().all(|x| x.is_finite());
        self.last = Some(CentreGradient { classes: sampled, gradient });
        if finite { Ok(value) } else { (value * f64::NAN).map_err(Error::tensor("AM-softmax")) }
    }

    /// The loss over the classes `sampled` (ascending), and their centres' gradient.
    fn sampled<T: Number>(
        &self,
        views: &[Tensor],
        labels: &[u32],
        sampled: &[u32],
    ) -> TensorResult<(Tensor, Vec<f32>)> {
        let AmSoftmaxLoss { scale, margin, .. } = self.settings;
        let within: Vec<u32> =
            labels.iter().map(|label| sampled.partition_point(|class| class < label) as u32).collect();
        let shape = (sampled.len(), self.centres.shape.dimension);
        let rows = Tensor::from_vec(self.centres.rows(sampled), shape, views[0].device())?;
        let rows = rows.to_dtype(views[0].dtype())?;
        let share = 1.0 / views.len() as f64;
        let (mut value, mut back, mut gradient) = (0.0, None, None);
        for view in views {
            let of_view = am_softmax_gradients::<T>(view, &rows, &within, scale, margin)?;
            value += of_view.value * share;
            back = Some(sum(back, view.mul(&of_view.embedding)?.sum_all()?)?);
            gradient = Some(sum(gradient, of_view.classes)?);
        }
        let (Some(back), Some(gradient)) = (back, gradient) else { candle_core::bail!("there is no view") };
        // A linear function of the views, with the loss's value and gradients at this point.
        let loss = back.sub(&back.detach())?.affine(share, value)?;
        // The gradient of a mean over texts and of scaled logits: without both, a step is as long for any batch and any
        // scale.
        let factor = share * labels.len() as f64 / scale;
        let gradient = gradient.affine(factor, 0.0)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        Ok((loss, gradient))
    }

    /// Moves the centres by the last value's gradient: plain SGD, at `share` of the setting's rate.
    ///
    /// There is no momentum and no adaptive moment: a class occurs once an epoch as its own and now and then as
    /// another, so that moments would be stale when they are used, and they would double or triple the file. A cosine's
    /// gradient is at most 1 long, so there is no scale to adapt to either.
    pub(crate) fn update(&mut self, share: f64) {
        if let Some(CentreGradient { classes, gradient }) = self.last.take() {
            self.centres.update(&classes, &gradient, (self.settings.centre_rate * share) as f32);
        }
    }
}

/// The error when AM-softmax has no centres.
pub(crate) fn no_centres() -> Error {
    Error::tensor("AM-softmax")(candle_core::Error::Msg("the class centres are missing".into()))
}

fn sum(total: Option<Tensor>, part: Tensor) -> TensorResult<Tensor> {
    match total {
        Some(total) => total.add(&part),
        None => Ok(part),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::{Device, Var};
    use limbeck_training::losses::am_softmax;

    use super::super::centres::CentreShape;
    use super::*;

    const SHAPE: CentreShape = CentreShape { classes: 30, dimension: 6 };

    fn loss(folder: &Path, sampled_classes: usize, scale: f64) -> ClassLoss {
        let settings = AmSoftmaxLoss { sampled_classes, scale, centre_rate: 1.0, ..AmSoftmaxLoss::default() };
        let centres = Centres::create(folder, SHAPE, 5, |rows| rows.fill_random()).unwrap();
        ClassLoss::new(centres, settings, 5)
    }

    fn view(seed: u64) -> Var {
        let tensor = Random::new(seed, &[]).uniform_tensor(&[4, 6], 1.0, DType::F32, &Device::Cpu).unwrap();
        Var::from_tensor(&tensor).unwrap()
    }

    fn numbers(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    fn assert_close(got: &[f32], want: &[f32]) {
        assert_eq!(got.len(), want.len());
        let largest = want.iter().fold(0f32, |a, b| a.max(b.abs()));
        let off = got.iter().zip(want).fold(0f32, |a, (g, w)| a.max((g - w).abs()));
        assert!(off <= 1e-4 * largest, "off by {off} of {largest}");
    }

    #[test]
    fn with_all_classes_sampled_it_is_the_whole_loss_in_value_and_all_gradients() {
        let folder = tempfile::tempdir().unwrap();
        let mut sampled = loss(folder.path(), 30, 30.0);
        let labels = [29, 0, 7, 7];
        let (one, two) = (view(1), view(2));
        let views = [one.as_tensor().clone(), two.as_tensor().clone()];
        let loss = sampled.value::<f32>(&views, &labels, 1).unwrap();

        let all: Vec<u32> = (0..30).collect();
        let centres = Tensor::from_vec(sampled.centres.rows(&all), (30, 6), &Device::Cpu).unwrap();
        let centres = Var::from_tensor(&centres).unwrap();
        let labels = Tensor::new(&labels, &Device::Cpu).unwrap();
        let of = |view: &Var| am_softmax(view.as_tensor(), centres.as_tensor(), &labels, 30.0, 0.35).unwrap();
        let whole = ((of(&one) + of(&two)).unwrap() / 2.0).unwrap();
        let (got, want) = (loss.to_scalar::<f32>().unwrap(), whole.to_scalar::<f32>().unwrap());
        assert!((got - want).abs() < 1e-4 * want, "{got} instead of {want}");

        let (got, want) = (loss.backward().unwrap(), whole.backward().unwrap());
        for view in [&one, &two] {
            assert_close(&numbers(got.get(view).unwrap()), &numbers(want.get(view).unwrap()));
        }
        let want: Vec<f32> = numbers(want.get(&centres).unwrap()).iter().map(|g| g * 4.0 / 30.0).collect();
        assert_close(&sampled.last.as_ref().unwrap().gradient, &want);

        // A step goes down.
        sampled.update(0.1);
        let after = sampled.value::<f32>(&views, &[29, 0, 7, 7], 1).unwrap().to_scalar::<f32>().unwrap();
        assert!(after < loss.to_scalar::<f32>().unwrap());
    }

    #[test]
    fn with_some_classes_sampled_only_theirs_move_and_a_step_draws_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut some = loss(folder.path(), 10, 2.0);
        let views = [view(1).as_tensor().clone()];
        let mut sampled_at = |step| {
            some.value::<f32>(&views, &[3, 4, 5, 6], step).unwrap();
            some.last.as_ref().unwrap().classes.clone()
        };
        let (second, first) = (sampled_at(2), sampled_at(1));
        assert_eq!((first.len(), second.len()), (10, 10));
        assert_ne!(first, second);
        assert_eq!(first, sampled_at(1));
        let all: Vec<u32> = (0..30).collect();
        let before = some.centres.rows(&all);
        some.update(1.0);
        let after = some.centres.rows(&all);
        for (class, (before, after)) in before.chunks(6).zip(after.chunks(6)).enumerate() {
            assert_eq!(before != after, first.contains(&(class as u32)), "{class}");
        }
    }

    #[test]
    fn a_gradient_that_is_not_finite_makes_the_loss_not_finite() {
        let folder = tempfile::tempdir().unwrap();
        let broken = Tensor::full(f32::NAN, (4, 6), &Device::Cpu).unwrap();
        let loss = loss(folder.path(), 10, 30.0).value::<f32>(&[broken], &[0, 1, 2, 3], 1).unwrap();
        assert!(!loss.to_scalar::<f32>().unwrap().is_finite());
    }

    #[test]
    fn a_class_past_the_last_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let views = [view(1).as_tensor().clone()];
        assert!(loss(folder.path(), 10, 30.0).value::<f32>(&views, &[0, 1, 2, 30], 1).is_err());
    }
}
