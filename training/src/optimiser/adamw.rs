use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

use super::in_place::{AdamWOp, MomentOp};
use crate::checkpoint::{NamedTensors, SavedTensors, Stored};
use crate::error::{Error, Result};

/// The settings of AdamW (Loshchilov and Hutter 2019) as `torch.optim.AdamW` names them; the learning rate is given
/// with each step.
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

/// A variable and its moments, named as in the paper.
struct Parameter {
    theta: Var,
    m: Tensor,
    v: Tensor,
    decays: bool,
}

impl Parameter {
    /// One update with the gradient `g`.
    fn update(&mut self, g: &Tensor, [first, second]: [MomentOp; 2], step: AdamWOp) -> candle_core::Result<()> {
        if self.theta.device().is_cpu() {
            let g = g.contiguous()?;
            self.m.inplace_op2(&g, &first)?;
            self.v.inplace_op2(&g, &second)?;
            return self.theta.inplace_op3(&self.m, &self.v, &step);
        }
        let g = g.affine(first.scale, 0.0)?;
        let m = (self.m.affine(first.beta, 0.0)? + g.affine(1.0 - first.beta, 0.0)?)?;
        let v = (self.v.affine(second.beta, 0.0)? + g.sqr()?.affine(1.0 - second.beta, 0.0)?)?;
        let root = v.sqrt()?.affine(step.root, step.epsilon)?;
        let change = m.affine(step.rate, 0.0)?.div(&root)?;
        self.theta.set(&(self.theta.as_tensor().affine(step.decay, 0.0)? - change)?.detach())?;
        (self.m, self.v) = (m.detach(), v.detach());
        Ok(())
    }
}

/// AdamW over named dense variables. Its state can be stored and put back ([`AdamW::moments`], [`AdamW::restore`]).
///
/// It is ours because candle-nn's keeps its moments to itself: they could not be stored in a checkpoint.
pub struct AdamW {
    settings: AdamWSettings,
    parameters: BTreeMap<String, Parameter>,
}

impl AdamW {
    /// An optimiser of `variables`; weight decay is for those for which `decays` is true.
    ///
    /// # Errors
    /// Tensor errors.
    pub fn new(
        variables: impl IntoIterator<Item = (String, Var)>,
        settings: AdamWSettings,
        decays: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        let parameter = |(name, theta): (String, Var)| -> candle_core::Result<(String, Parameter)> {
            // Two tensors of their own: they are written in place.
            let (m, v) = (theta.zeros_like()?, theta.zeros_like()?);
            let decays = decays(&name);
            Ok((name, Parameter { theta, m, v, decays }))
        };
        let parameters = variables.into_iter().map(parameter).collect::<candle_core::Result<_>>();
        Ok(Self { settings, parameters: parameters.map_err(Error::tensor("AdamW"))? })
    }

    /// One update with the gradients of `step` (counted from 1). A variable without a gradient stays as it is.
    ///
    /// # Errors
    /// Tensor errors.
    pub fn step(&mut self, gradients: &GradStore, learning_rate: f64, step: u64) -> Result<()> {
        self.update(|_, variable| gradients.get(variable), 1.0, learning_rate, step)
    }

    /// One update with the gradients that `find` returns for a name and its variable, each multiplied by `scale`, which
    /// is below 1 where gradients are clipped.
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
        let moments = [(beta1, false), (beta2, true)].map(|(beta, squared)| MomentOp { beta, scale, squared });
        for (name, parameter) in &mut self.parameters {
            let Some(gradient) = find(name, &parameter.theta) else { continue };
            let decay = if parameter.decays { 1.0 - learning_rate * weight_decay } else { 1.0 };
            let step = AdamWOp { rate: learning_rate / correct1, root: 1.0 / correct2.sqrt(), epsilon, decay };
            parameter.update(gradient, moments, step).map_err(Error::tensor("AdamW step"))?;
        }
        Ok(())
    }

    /// The moments, named `NAME.m` and `NAME.v`; the next step changes them.
    pub fn moments(&self) -> NamedTensors<'_> {
        let both = |(name, parameter): (&String, &Parameter)| {
            [("m", &parameter.m), ("v", &parameter.v)]
                .map(|(moment, tensor)| (format!("{name}.{moment}"), Stored::Tensor(tensor.clone())))
        };
        self.parameters.iter().flat_map(both).collect()
    }

    /// Puts back the moments that [`AdamW::moments`] returned. They are copied: the next step writes in place.
    ///
    /// # Errors
    /// A moment that is missing or of another shape than its variable.
    pub fn restore(&mut self, saved: &SavedTensors) -> Result<()> {
        for (name, parameter) in &mut self.parameters {
            for (moment, target) in [("m", &mut parameter.m), ("v", &mut parameter.v)] {
                let tensor = saved.fitting(&format!("{name}.{moment}"), target.dims(), target.dtype())?;
                let copy = tensor.to_device(target.device()).and_then(|tensor| tensor.copy());
                *target = copy.map_err(Error::tensor("AdamW"))?;
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
                    let saved = SavedTensors::copy_of(&optimiser.moments()).unwrap();
                    optimiser = AdamW::new(named(), AdamWSettings::default(), |_| true).unwrap();
                    optimiser.restore(&saved).unwrap();
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
        let saved = SavedTensors::copy_of(&[("v.m".into(), Stored::Tensor(other))]).unwrap();
        assert!(optimiser.restore(&saved).unwrap_err().to_string().contains("v.m"));
    }
}
