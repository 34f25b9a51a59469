use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

use super::in_place;
use crate::checkpoint::Stored;
use crate::error::{During, Error, Result};

/// The settings of AdamW (Loshchilov and Hutter 2019) as `torch.optim.AdamW` names them; the learning rate comes a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWSettings {
    /// Decay of the gradient's running mean.
    pub beta1: f64,
    /// Decay of the squared gradient's running mean.
    pub beta2: f64,
    /// Added to the root of the squared gradient's mean.
    pub epsilon: f64,
    /// Decoupled weight decay, times the learning rate a step.
    pub weight_decay: f64,
}

impl Default for AdamWSettings {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 }
    }
}

/// How the running means follow the gradient, which is multiplied by `scale` first.
#[derive(Clone, Copy)]
pub(super) struct Moments {
    pub beta1: f64,
    pub beta2: f64,
    pub scale: f64,
}

/// What is done to a number: `kept · value − rate · mean / (root · √square + epsilon)`.
#[derive(Clone, Copy)]
pub(super) struct Change {
    pub rate: f64,
    pub root: f64,
    pub epsilon: f64,
    pub kept: f64,
}

/// One variable and its moments.
struct Slot {
    variable: Var,
    mean: Tensor,
    square: Tensor,
    decays: bool,
}

/// AdamW over named dense variables. Its whole state can be stored and put back ([`AdamW::moments`], [`AdamW::restore`]).
pub struct AdamW {
    settings: AdamWSettings,
    slots: BTreeMap<String, Slot>,
}

impl AdamW {
    /// An optimiser of `variables`; those for which `decays` answers no are spared the weight decay.
    pub fn new(
        variables: impl IntoIterator<Item = (String, Var)>,
        settings: AdamWSettings,
        decays: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        let mut slots = BTreeMap::new();
        for (name, variable) in variables {
            // Two tensors of their own: they are written in place.
            let (mean, square) = (variable.zeros_like().during("AdamW")?, variable.zeros_like().during("AdamW")?);
            let decays = decays(&name);
            slots.insert(name, Slot { variable, mean, square, decays });
        }
        Ok(Self { settings, slots })
    }

    /// One update with the gradients of `step` (counted from 1). A variable without a gradient stays as it is.
    ///
    /// # Errors
    /// Tensor errors.
    pub fn step(&mut self, gradients: &GradStore, learning_rate: f64, step: u64) -> Result<()> {
        self.update(|_, variable| gradients.get(variable), 1.0, learning_rate, step)
    }

    /// One update with the gradients that `find` gives for names and variables, each multiplied by `scale` (below 1 where
    /// they are clipped).
    ///
    /// # Errors
    /// Tensor errors.
    pub fn update<'g>(
        &mut self,
        find: impl Fn(&str, &Var) -> Option<&'g Tensor>,
        scale: f64,
        learning_rate: f64,
        step: u64,
    ) -> Result<()> {
        let AdamWSettings { beta1, beta2, epsilon, weight_decay } = self.settings;
        let (correct1, correct2) = (1.0 - beta1.powf(step as f64), 1.0 - beta2.powf(step as f64));
        for (name, slot) in &mut self.slots {
            let Some(gradient) = find(name, &slot.variable) else { continue };
            let kept = if slot.decays { 1.0 - learning_rate * weight_decay } else { 1.0 };
            let moments = Moments { beta1, beta2, scale };
            let change = Change { rate: learning_rate / correct1, root: 1.0 / correct2.sqrt(), epsilon, kept };
            if slot.variable.device().is_cpu() {
                let gradient = gradient.contiguous().during("AdamW step")?;
                in_place::step(&slot.variable, &slot.mean, &slot.square, &gradient, moments, change)
                    .during("AdamW step")?;
                continue;
            }
            let update = || -> candle_core::Result<(Tensor, Tensor, Tensor)> {
                let gradient = gradient.affine(scale, 0.0)?;
                let mean = (slot.mean.affine(beta1, 0.0)? + gradient.affine(1.0 - beta1, 0.0)?)?;
                let square = (slot.square.affine(beta2, 0.0)? + gradient.sqr()?.affine(1.0 - beta2, 0.0)?)?;
                let root = square.sqrt()?.affine(change.root, epsilon)?;
                let moved = mean.affine(change.rate, 0.0)?.div(&root)?;
                Ok(((slot.variable.as_tensor().affine(kept, 0.0)? - moved)?, mean, square))
            };
            let (value, mean, square) = update().during("AdamW step")?;
            slot.variable.set(&value.detach()).during("AdamW step")?;
            (slot.mean, slot.square) = (mean.detach(), square.detach());
        }
        Ok(())
    }

    /// The moments, named `NAME.mean` and `NAME.square`; the next step changes them.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let both = |(name, slot): (&String, &Slot)| {
            [(format!("{name}.mean"), slot.mean.clone()), (format!("{name}.square"), slot.square.clone())]
        };
        self.slots.iter().flat_map(both).collect()
    }

    /// The same, to be stored.
    pub fn moments(&self) -> impl Iterator<Item = (String, Stored<'_>)> {
        self.state().into_iter().map(|(name, tensor)| (name, Stored::Tensor(tensor)))
    }

    /// Puts moments back that [`AdamW::moments`] gave. They are copied: the next step writes in place.
    ///
    /// # Errors
    /// When one is missing or has another shape than its variable.
    pub fn restore(&mut self, find: impl Fn(&str) -> Option<Tensor>) -> Result<()> {
        for (name, slot) in &mut self.slots {
            for (kind, target) in [("mean", &mut slot.mean), ("square", &mut slot.square)] {
                let found = find(&format!("{name}.{kind}"));
                let fits = found.filter(|t| t.dims() == target.dims() && t.dtype() == target.dtype());
                let fits = fits.ok_or_else(|| Error::Setting {
                    name: "optimiser state",
                    value: format!("without a fitting {name}.{kind}"),
                    allowed: "what an earlier run of the same settings left",
                })?;
                *target = fits.copy().during("AdamW")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    fn variable(value: f64) -> Var {
        Var::from_tensor(&Tensor::new(&[value], &Device::Cpu).unwrap()).unwrap()
    }

    fn loss(v: &Var) -> Tensor {
        (v.as_tensor() - 3.0).unwrap().sqr().unwrap().sum_all().unwrap()
    }

    #[test]
    fn the_first_step_moves_by_the_learning_rate_and_decays() {
        let v = variable(1.0);
        let mut optimiser = AdamW::new([("v".to_string(), v.clone())], AdamWSettings::default(), |_| true).unwrap();
        optimiser.step(&loss(&v).backward().unwrap(), 0.1, 1).unwrap();
        let got = v.to_vec1::<f64>().unwrap()[0];
        assert!((got - (1.0 - 0.1 * 0.01 + 0.1)).abs() < 1e-9, "{got}");
    }

    #[test]
    fn state_taken_out_and_put_back_goes_on_alike() {
        let run = |interrupt: bool| {
            let v = variable(0.5);
            let named = || [("v".to_string(), v.clone())];
            let mut optimiser = AdamW::new(named(), AdamWSettings::default(), |_| true).unwrap();
            for step in 1..=6 {
                if interrupt && step == 4 {
                    let state: BTreeMap<String, Tensor> = optimiser.state().into_iter().collect();
                    optimiser = AdamW::new(named(), AdamWSettings::default(), |_| true).unwrap();
                    optimiser.restore(|name| state.get(name).cloned()).unwrap();
                }
                optimiser.step(&loss(&v).backward().unwrap(), 0.1, step).unwrap();
            }
            v.to_vec1::<f64>().unwrap()[0].to_bits()
        };
        assert_eq!(run(false), run(true));
    }

    #[test]
    fn state_of_another_shape_is_refused() {
        let v = variable(0.5);
        let mut optimiser = AdamW::new([("v".to_string(), v)], AdamWSettings::default(), |_| true).unwrap();
        let other = Tensor::zeros(2, DType::F64, &Device::Cpu).unwrap();
        assert!(optimiser.restore(|_| Some(other.clone())).unwrap_err().to_string().contains("v.mean"));
    }
}
