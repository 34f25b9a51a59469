//! The dense parameters of a student: all of its weights but the embedding table.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};
use limbeck_training::random::Random;

use crate::config::StudentConfig;
use crate::error::{Error, Result};

/// The random stream that fresh parameters are drawn from.
const INITIAL: u64 = 1;

/// The dense parameters by name; names and shapes are those of [`StudentConfig::dense_shapes`].
#[derive(Clone)]
pub struct DenseParameters(BTreeMap<String, Var>);

impl DenseParameters {
    /// Asks `tensors` for each parameter that the config describes.
    ///
    /// # Errors
    /// A parameter that `tensors` doesn't have, or has in another shape.
    pub fn new(config: &StudentConfig, mut tensors: impl FnMut(&str) -> Option<Tensor>) -> Result<Self> {
        let mut parameters = BTreeMap::new();
        for (name, shape) in config.dense_shapes() {
            let tensor = tensors(&name).filter(|tensor| tensor.dims() == shape);
            let tensor = tensor.ok_or_else(|| {
                let value = format!("without a {name} of shape {shape:?}");
                Error::setting("the student's weights", value, "what config.json describes")
            })?;
            parameters.insert(name, variable(&tensor)?);
        }
        Ok(Self(parameters))
    }

    /// Parameters of an untrained student: uniform within `1/√fan-in`, as PyTorch's layers are initialised. With a
    /// skip, `heads` and `linear` are zero, so that the student's vectors are at first those of its skip alone.
    pub fn fresh(config: &StudentConfig, seed: u64, dtype: DType, device: &Device) -> Result<Self> {
        let is_zero = |name: &str| config.skip && matches!(name, "heads.weight" | "linear.weight");
        Self::draw(config, is_zero, seed, dtype, device)
    }

    /// As [`DenseParameters::fresh`], but only biases are zero: for a student whose skip is random too.
    pub fn random(config: &StudentConfig, seed: u64, dtype: DType, device: &Device) -> Result<Self> {
        Self::draw(config, |_| false, seed, dtype, device)
    }

    fn draw(
        config: &StudentConfig,
        is_zero: impl Fn(&str) -> bool,
        seed: u64,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let mut parameters = BTreeMap::new();
        for (index, (name, shape)) in config.dense_shapes().into_iter().enumerate() {
            let fan_in: usize = shape[1..].iter().product();
            let bound = if is_zero(&name) || shape.len() == 1 { 0.0 } else { 1.0 / (fan_in as f64).sqrt() };
            let mut random = Random::new(seed, &[INITIAL, index as u64]);
            parameters.insert(name, variable(&random.uniform_tensor(&shape, bound, dtype, device)?)?);
        }
        Ok(Self(parameters))
    }

    /// The parameter `name`.
    ///
    /// # Errors
    /// A name that the student's config doesn't have.
    pub fn get(&self, name: &str) -> candle_core::Result<&Tensor> {
        self.0.get(name).map(Var::as_tensor).ok_or_else(|| missing(name))
    }

    /// The parameter `name` in host memory.
    pub(crate) fn in_host_memory(&self, name: &str) -> candle_core::Result<Tensor> {
        self.get(name)?.to_device(&Device::Cpu)
    }

    /// The values of the parameter `name`, row-major.
    pub fn values(&self, name: &str) -> Result<Vec<f32>> {
        let values = |tensor: &Tensor| tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1();
        self.get(name).and_then(values).map_err(Error::tensor("reading the student's weights"))
    }

    /// All parameters, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.0.iter().map(|(name, variable)| (name.as_str(), variable))
    }

    /// Replaces the values of `name`.
    pub fn set(&self, name: &str, value: &Tensor) -> Result<()> {
        let variable = self.0.get(name).ok_or_else(|| missing(name));
        variable.and_then(|variable| variable.set(value)).map_err(Error::tensor("setting the student's weights"))
    }
}

fn variable(tensor: &Tensor) -> Result<Var> {
    Var::from_tensor(tensor).map_err(Error::tensor("making the student's weights"))
}

fn missing(name: &str) -> candle_core::Error {
    candle_core::Error::Msg(format!("the student has no parameter {name}"))
}
