//! The named variables of a model, read as slices, and their gradients.

use std::collections::BTreeMap;
use std::ops::Deref;

use candle_core::{Device, Storage, Tensor, Var};
use rayon::prelude::*;

use super::number::{Real, dot, vectorised};
use crate::{BertConfig, Error, FindTensor, Result};

/// The variables of a model under BERT's names in Hugging Face's files, such as `encoder.layer.0.output.dense.weight`.
#[derive(Debug, Clone)]
pub struct Parameters {
    variables: BTreeMap<String, Var>,
}

impl Parameters {
    /// Makes a variable of each tensor that a model of this shape has, with `pooler.dense` if `with_pooler`. `find`
    /// returns the tensor of a name and a shape.
    ///
    /// # Errors
    /// A model that can't be trained here, such as MPNet, and those of `find`.
    pub fn new(config: &BertConfig, with_pooler: bool, find: FindTensor) -> Result<Self> {
        config.check_trainable("the model".as_ref())?;
        let variable = |(name, shape): (String, Vec<usize>)| {
            let variable = Var::from_tensor(&find(&name, &shape)?.detach());
            Ok((name, variable.map_err(Error::candle("making a variable"))?))
        };
        Ok(Self { variables: shapes(config, with_pooler).into_iter().map(variable).collect::<Result<_>>()? })
    }

    /// All variables by name, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.variables.iter().map(|(name, variable)| (name.as_str(), variable))
    }

    /// The variable of that name.
    pub fn get(&self, name: &str) -> Option<&Var> {
        self.variables.get(name)
    }

    /// Whether the dense layer of the pooler `cls` is among them.
    pub fn has_pooler(&self) -> bool {
        self.variables.contains_key("pooler.dense.weight")
    }

    /// Locks all variables for reading in host memory.
    pub(super) fn lock<T: Real>(&self) -> Result<LockedParameters<'_>> {
        let mut guards: BTreeMap<&str, Guard> = BTreeMap::new();
        for (name, variable) in &self.variables {
            let (guard, layout) = variable.storage_and_layout();
            let fits = matches!(&*guard, Storage::Cpu(storage) if storage.as_slice::<T>().is_ok());
            if !fits || layout.contiguous_offsets() != Some((0, variable.elem_count())) {
                let place = format!("{name} is not {} in host memory", <T as candle_core::WithDType>::DTYPE.as_str());
                return Err(Error::candle("reading a variable")(candle_core::Error::Msg(place)));
            }
            guards.insert(name.as_str(), Box::new(guard));
        }
        Ok(LockedParameters { guards })
    }
}

/// Every tensor of a BERT and its shape.
fn shapes(config: &BertConfig, with_pooler: bool) -> Vec<(String, Vec<usize>)> {
    let (width, inner) = (config.hidden_size, config.intermediate_size);
    let mut shapes = Vec::new();
    let mut pair = |name: String, weight: Vec<usize>| {
        shapes.push((format!("{name}.bias"), vec![weight[0]]));
        shapes.push((format!("{name}.weight"), weight));
    };
    pair("embeddings.LayerNorm".into(), vec![width]);
    for layer in 0..config.num_hidden_layers {
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        for part in ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"] {
            pair(name(part), vec![width, width]);
        }
        pair(name("intermediate.dense"), vec![inner, width]);
        pair(name("output.dense"), vec![width, inner]);
        pair(name("attention.output.LayerNorm"), vec![width]);
        pair(name("output.LayerNorm"), vec![width]);
    }
    if with_pooler {
        pair("pooler.dense".into(), vec![width, width]);
    }
    for (kind, rows) in
        [("word", config.vocab_size), ("position", config.position_rows), ("token_type", config.type_vocab_size)]
            .into_iter()
            .filter(|&(_, rows)| rows > 0)
    {
        shapes.push((format!("embeddings.{kind}_embeddings.weight"), vec![rows, width]));
    }
    shapes
}

/// A lock of candle, whose type candle doesn't export.
type Guard<'a> = Box<dyn Deref<Target = Storage> + 'a>;

/// Variables locked for reading.
pub(super) struct LockedParameters<'a> {
    guards: BTreeMap<&'a str, Guard<'a>>,
}

impl LockedParameters<'_> {
    /// The values of the tensor `name`. Panics when there is none, or when it has another type than was locked.
    pub(super) fn values<T: Real>(&self, name: &str) -> &[T] {
        match &**self.guards[name] {
            Storage::Cpu(storage) => storage.as_slice().unwrap_or_else(|_| unreachable!("checked when it was locked")),
            _ => unreachable!("checked when it was locked"),
        }
    }

    /// The values of `{module}.weight` and `{module}.bias`, see [`LockedParameters::values`].
    pub(super) fn weight_and_bias<T: Real>(&self, module: &str) -> [&[T]; 2] {
        ["weight", "bias"].map(|kind| self.values(&format!("{module}.{kind}")))
    }
}

/// The gradients of a module's weight and bias; a table has no bias.
#[derive(Debug, Clone)]
pub(super) struct ModuleGradients<T> {
    pub weight: Vec<T>,
    pub bias: Vec<T>,
}

impl<T> ModuleGradients<T> {
    fn part(&mut self, kind: &str) -> &mut Vec<T> {
        if kind == "bias" { &mut self.bias } else { &mut self.weight }
    }
}

/// The gradients of all parameters that learn, summed over the backward passes of a step.
#[derive(Debug, Clone)]
pub struct Gradients<T> {
    /// By the names of the modules that learn.
    pub(super) modules: BTreeMap<String, ModuleGradients<T>>,
    shapes: Vec<(String, Vec<usize>)>,
}

impl<T: Real> Gradients<T> {
    /// Zeros for those of `parameters` whose names `learns` accepts.
    pub fn new(parameters: &Parameters, learns: &dyn Fn(&str) -> bool) -> Self {
        let learning = parameters.iter().filter(|(name, _)| learns(name));
        let shapes: Vec<_> = learning.map(|(name, variable)| (name.to_owned(), variable.dims().to_vec())).collect();
        let mut modules: BTreeMap<String, ModuleGradients<T>> = BTreeMap::new();
        for (name, shape) in &shapes {
            let (module, kind) = split(name);
            let empty = ModuleGradients { weight: Vec::new(), bias: Vec::new() };
            *modules.entry(module.to_owned()).or_insert(empty).part(kind) = vec![T::zero(); shape.iter().product()];
        }
        Self { modules, shapes }
    }

    /// The gradients of the module `name`. Panics when there are none.
    pub(super) fn module(&mut self, name: &str) -> &mut ModuleGradients<T> {
        self.modules.get_mut(name).unwrap_or_else(|| panic!("there are no gradients of {name}"))
    }

    /// The L2 norm of all gradients as one vector.
    pub fn norm(&self) -> f64 {
        const TASK: usize = 16_384;
        let square = |part: &[T]| vectorised(|| dot(part, part)).to_f64();
        let parts = self.modules.values().flat_map(|pair| [&pair.weight, &pair.bias]);
        let sums = parts.map(|values| values.par_chunks(TASK).map(square).collect::<Vec<f64>>().iter().sum::<f64>());
        sums.sum::<f64>().sqrt()
    }

    /// The gradients as tensors, under the names of the variables.
    pub fn into_tensors(mut self) -> Result<BTreeMap<String, Tensor>> {
        let mut tensors = BTreeMap::new();
        for (name, shape) in std::mem::take(&mut self.shapes) {
            let (module, kind) = split(&name);
            let values = std::mem::take(self.module(module).part(kind));
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu).map_err(Error::candle("making a gradient"))?;
            tensors.insert(name, tensor);
        }
        Ok(tensors)
    }
}

/// `encoder.layer.0.output.dense` and `weight` of `encoder.layer.0.output.dense.weight`.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or((name, ""))
}
