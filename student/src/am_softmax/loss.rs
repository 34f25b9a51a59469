use std::path::Path;

use candle_core::{DType, Tensor};
use limbeck_training::losses::am_softmax_gradients;
use limbeck_training::optimiser::Number;
use limbeck_training::random::Random;

use super::centres::{Centres, Rows, Shape};
use super::sample::sample;
use super::settings::ClassSettings;
use crate::error::{During, Error, Result};

/// The random stream of the sampled classes.
const SAMPLE: u64 = 42;

/// AM-softmax (Wang et al. 2018) over sampled classes, with the centres that it moves.
pub struct ClassLoss {
    centres: Centres,
    settings: ClassSettings,
    seed: u64,
}

/// The loss of a step, and where it pushes the centres.
pub struct Classified {
    /// A scalar that goes back into the views.
    pub loss: Tensor,
    value: f64,
    classes: Vec<u32>,
    /// The centres' gradient for a sentence and a scale of 1, `classes × dimension` numbers.
    gradient: Vec<f32>,
}

impl ClassLoss {
    /// Begins with the rows that `fill` pushes.
    pub fn create(
        folder: &Path,
        shape: Shape,
        (settings, seed): (ClassSettings, u64),
        fill: impl FnOnce(&mut Rows) -> Result<()>,
    ) -> Result<Self> {
        check(shape)?;
        Ok(Self { centres: Centres::create(folder, shape, seed, fill)?, settings, seed })
    }

    /// Goes on from what was kept of `step`.
    pub fn take_back(folder: &Path, shape: Shape, (settings, seed): (ClassSettings, u64), step: u64) -> Result<Self> {
        Ok(Self { centres: Centres::take_back(folder, shape, step)?, settings, seed })
    }

    /// The loss of `views` (each `[texts, dimension]`, not yet normalised) whose rows are of the classes `labels`. The mean
    /// over all views: one matrix of `texts × sampled classes` at a time.
    pub fn classify<T: Number>(&self, views: &[Tensor], labels: &[u32], step: u64) -> Result<Classified> {
        let Shape { classes, dimension } = self.centres.shape();
        let mut own = labels.to_vec();
        own.sort_unstable();
        own.dedup();
        if own.last().is_some_and(|&last| last as usize >= classes) || views.is_empty() {
            let value = own.last().map_or(0, |&last| last as usize + 1).to_string();
            return Err(Error::Setting { name: "the number of classes", value, allowed: format!("at most {classes}") });
        }
        let mut random = Random::new(self.seed, &[SAMPLE, step]);
        let sampled = sample(&own, classes, self.settings.sampled_classes, &mut random);
        let within: Vec<u32> =
            labels.iter().map(|label| sampled.partition_point(|class| class < label) as u32).collect();
        let device = views[0].device();
        let rows = Tensor::from_vec(self.centres.rows(&sampled), (sampled.len(), dimension), device);
        let rows = rows.and_then(|rows| rows.to_dtype(views[0].dtype())).during("class centres")?;
        let share = 1.0 / views.len() as f64;
        let (mut value, mut back, mut gradient) = (0.0, None, None);
        for view in views {
            let of_view = am_softmax_gradients::<T>(view, &rows, &within, self.settings.scale, self.settings.margin)?;
            value += of_view.value * share;
            let linear = view.mul(&of_view.embedding).and_then(|product| product.sum_all());
            back = Some(added(back, linear.during("AM-softmax")?)?);
            gradient = Some(added(gradient, of_view.classes)?);
        }
        let none = || candle_core::Error::Msg("no view".into());
        let back = back.ok_or_else(none).and_then(|back| back.sub(&back.detach())?.affine(share, value));
        // Of a mean over the texts and scaled logits: undone, a step is as long for any batch and any scale.
        let factor = share * labels.len() as f64 / self.settings.scale;
        let gradient = gradient.ok_or_else(none).and_then(|gradient: Tensor| {
            gradient.affine(factor, 0.0)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()
        });
        let (loss, gradient) = (back.during("AM-softmax")?, gradient.during("gradient of the class centres")?);
        Ok(Classified { loss, value, classes: sampled, gradient })
    }

    /// Moves the centres: plain SGD, at `share` of the setting's rate.
    ///
    /// Neither momentum nor adaptive moments: a class is met once an epoch as its own and now and then as another, so that
    /// moments would be stale when they are used, and they would double or triple the file. A cosine's gradient is at most 1
    /// long, so there is no scale to adapt to either.
    pub fn learn(&mut self, classified: &Classified, share: f64) {
        let rate = (self.settings.centre_rate * share) as f32;
        self.centres.update(&classified.classes, &classified.gradient, rate);
    }

    /// See [`Centres::keep`].
    pub fn keep(&self, step: u64) -> Result<()> {
        self.centres.keep(step)
    }

    /// Removes what older checkpoints than that of `step` needed.
    pub fn kept(&self, step: u64) -> Result<()> {
        self.centres.forget_but(step)
    }
}

impl Classified {
    /// Whether the loss and the centres' gradient are numbers.
    pub fn is_finite(&self) -> bool {
        self.value.is_finite() && self.gradient.iter().all(|x| x.is_finite())
    }
}

fn check(shape: Shape) -> Result<()> {
    if shape.classes >= 2 && shape.dimension > 0 && u32::try_from(shape.classes).is_ok() {
        return Ok(());
    }
    let allowed = "at least 2, and at most 4294967295".to_string();
    Err(Error::Setting { name: "the number of classes", value: shape.classes.to_string(), allowed })
}

fn added(sum: Option<Tensor>, part: Tensor) -> Result<Tensor> {
    match sum {
        Some(sum) => sum.add(&part).during("sum over views"),
        None => Ok(part),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};
    use limbeck_training::losses::am_softmax;

    use super::super::settings::AmSoftmaxSettings;
    use super::*;

    const SHAPE: Shape = Shape { classes: 30, dimension: 6 };

    fn loss(folder: &Path, sampled_classes: usize, scale: f64) -> ClassLoss {
        let settings =
            ClassSettings { sampled_classes, scale, centre_rate: 1.0, ..AmSoftmaxSettings::default().classes() };
        let random = |rows: &mut Rows| (0..SHAPE.classes).try_for_each(|_| rows.push_random());
        ClassLoss::create(folder, SHAPE, (settings, 5), random).unwrap()
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
        let classified =
            sampled.classify::<f32>(&[one.as_tensor().clone(), two.as_tensor().clone()], &labels, 1).unwrap();

        let all: Vec<u32> = (0..30).collect();
        let centres = Tensor::from_vec(sampled.centres.rows(&all), (30, 6), &Device::Cpu).unwrap();
        let centres = Var::from_tensor(&centres).unwrap();
        let labels = Tensor::new(&labels, &Device::Cpu).unwrap();
        let of = |view: &Var| am_softmax(view.as_tensor(), centres.as_tensor(), &labels, 30.0, 0.35).unwrap();
        let whole = ((of(&one) + of(&two)).unwrap() / 2.0).unwrap();
        let (got, want) = (classified.loss.to_scalar::<f32>().unwrap(), whole.to_scalar::<f32>().unwrap());
        assert!((got - want).abs() < 1e-4 * want, "{got} instead of {want}");

        let (got, want) = (classified.loss.backward().unwrap(), whole.backward().unwrap());
        for view in [&one, &two] {
            assert_close(&numbers(got.get(view).unwrap()), &numbers(want.get(view).unwrap()));
        }
        let want: Vec<f32> = numbers(want.get(&centres).unwrap()).iter().map(|g| g * 4.0 / 30.0).collect();
        assert_close(&classified.gradient, &want);

        // A step goes down.
        sampled.learn(&classified, 0.1);
        let after = sampled.classify::<f32>(&[one.as_tensor().clone(), two.as_tensor().clone()], &[29, 0, 7, 7], 1);
        assert!(after.unwrap().value < classified.value);
    }

    #[test]
    fn with_some_classes_sampled_only_theirs_move_and_a_step_draws_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut some = loss(folder.path(), 10, 2.0);
        let views = [view(1).as_tensor().clone()];
        let first = some.classify::<f32>(&views, &[3, 4, 5, 6], 1).unwrap();
        let second = some.classify::<f32>(&views, &[3, 4, 5, 6], 2).unwrap();
        assert_eq!((first.classes.len(), second.classes.len()), (10, 10));
        assert_ne!(first.classes, second.classes);
        assert_eq!(first.classes, some.classify::<f32>(&views, &[3, 4, 5, 6], 1).unwrap().classes);
        let all: Vec<u32> = (0..30).collect();
        let before = some.centres.rows(&all);
        some.learn(&first, 1.0);
        let after = some.centres.rows(&all);
        for (class, (before, after)) in before.chunks(6).zip(after.chunks(6)).enumerate() {
            assert_eq!(before != after, first.classes.contains(&(class as u32)), "{class}");
        }
    }

    #[test]
    fn a_class_that_is_not_there_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let views = [view(1).as_tensor().clone()];
        assert!(loss(folder.path(), 10, 30.0).classify::<f32>(&views, &[0, 1, 2, 30], 1).is_err());
    }
}
