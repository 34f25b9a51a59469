use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

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

/// One variable and its moments.
struct Slot {
    variable: Var,
    mean: Tensor,
    square: Tensor,
    decays: bool,
}

/// AdamW over named dense variables. Its whole state can be taken out and put back ([`AdamW::state`], [`AdamW::restore`]).
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
            let zeros = variable.zeros_like().during("AdamW")?;
            let decays = decays(&name);
            slots.insert(name, Slot { variable, mean: zeros.clone(), square: zeros, decays });
        }
        Ok(Self { settings, slots })
    }

    /// One update with the gradients of `step` (counted from 1). A variable without a gradient stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFinite`] when the learning rate is not, and tensor errors.
    pub fn step(&mut self, gradients: &GradStore, learning_rate: f64, step: u64) -> Result<()> {
        let AdamWSettings { beta1, beta2, epsilon, weight_decay } = self.settings;
        let (correct1, correct2) = (1.0 - beta1.powf(step as f64), 1.0 - beta2.powf(step as f64));
        for slot in self.slots.values_mut() {
            let Some(gradient) = gradients.get(&slot.variable) else { continue };
            let update = || -> candle_core::Result<(Tensor, Tensor, Tensor)> {
                let mean = (slot.mean.affine(beta1, 0.0)? + gradient.affine(1.0 - beta1, 0.0)?)?;
                let square = (slot.square.affine(beta2, 0.0)? + gradient.sqr()?.affine(1.0 - beta2, 0.0)?)?;
                let root = square.affine(1.0 / correct2, 0.0)?.sqrt()?.affine(1.0, epsilon)?;
                let change = mean.affine(learning_rate / correct1, 0.0)?.div(&root)?;
                let kept = if slot.decays { 1.0 - learning_rate * weight_decay } else { 1.0 };
                let value = (slot.variable.as_tensor().affine(kept, 0.0)? - change)?;
                Ok((mean, square, value))
            };
            let (mean, square, value) = update().during("AdamW step")?;
            slot.variable.set(&value.detach()).during("AdamW step")?;
            (slot.mean, slot.square) = (mean.detach(), square.detach());
        }
        Ok(())
    }

    /// The moments, named `NAME.mean` and `NAME.square`.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let both = |(name, slot): (&String, &Slot)| {
            [(format!("{name}.mean"), slot.mean.clone()), (format!("{name}.square"), slot.square.clone())]
        };
        self.slots.iter().flat_map(both).collect()
    }

    /// Puts moments back that [`AdamW::state`] gave.
    ///
    /// # Errors
    /// When one is missing or has another shape than its variable.
    pub fn restore(&mut self, find: impl Fn(&str) -> Option<Tensor>) -> Result<()> {
        for (name, slot) in &mut self.slots {
            for (kind, target) in [("mean", &mut slot.mean), ("square", &mut slot.square)] {
                let found = find(&format!("{name}.{kind}"));
                let fits = found.filter(|t| t.dims() == target.dims() && t.dtype() == target.dtype());
                *target = fits.ok_or_else(|| Error::Setting {
                    name: "optimiser state",
                    value: format!("without a fitting {name}.{kind}"),
                    allowed: "what an earlier run of the same settings left",
                })?;
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
