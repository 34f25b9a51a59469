//! The TextCNN: an embedding table that learns where it is touched, dense parameters, and the way from tokens to vectors.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var, WithDType};
use limbeck_encoder::TokenBatch;
use limbeck_training::checkpoint::Stored;
use limbeck_training::optimiser::{Number, SparseTable};
use limbeck_training::random::Random;

use crate::config::StudentConfig;
use crate::error::{During, Error, Result};
use crate::graph::{DistinctTokens, Graph, Pooled, pool};

/// The dense parameters by name; names and shapes are those of [`StudentConfig::dense_shapes`].
#[derive(Clone)]
pub struct Dense(BTreeMap<String, Var>);

impl Dense {
    /// Takes `tensors`, which must be of the config's names and shapes.
    pub fn new(config: &StudentConfig, mut tensors: impl FnMut(&str) -> Option<Tensor>) -> Result<Self> {
        let mut variables = BTreeMap::new();
        for (name, shape) in config.dense_shapes() {
            let tensor = tensors(&name).filter(|tensor| tensor.dims() == shape);
            let tensor = tensor.ok_or_else(|| Error::Setting {
                name: "the student's weights",
                value: format!("without a {name} of shape {shape:?}"),
                allowed: "what config.json describes".into(),
            })?;
            variables.insert(name, Var::from_tensor(&tensor).during("student's weights")?);
        }
        Ok(Self(variables))
    }

    /// Fresh parameters: uniform within `1/√fan-in`, as PyTorch's layers begin; `heads` and `linear` begin at zero, so that a
    /// student begins as what its skip makes of it.
    pub fn fresh(config: &StudentConfig, seed: u64, dtype: DType, device: &Device) -> Result<Self> {
        let zero = |name: &str| config.skip && matches!(name, "heads.weight" | "linear.weight");
        Self::drawn(config, &zero, (seed, dtype), device)
    }

    /// The same without a zero but for biases: for a student whose skip has nothing to begin with either.
    pub fn random(config: &StudentConfig, seed: u64, dtype: DType, device: &Device) -> Result<Self> {
        Self::drawn(config, &|_| false, (seed, dtype), device)
    }

    fn drawn(
        config: &StudentConfig,
        zero: &dyn Fn(&str) -> bool,
        (seed, dtype): (u64, DType),
        device: &Device,
    ) -> Result<Self> {
        let mut failed = None;
        let dense = Self::new(config, |name| {
            let (at, (_, shape)) = config.dense_shapes().into_iter().enumerate().find(|(_, (n, _))| n == name)?;
            let fan_in: usize = shape[1..].iter().product();
            let bound = if zero(name) || shape.len() == 1 { 0.0 } else { 1.0 / (fan_in as f64).sqrt() };
            let mut random = Random::new(seed, &[INITIAL, at as u64]);
            random.uniform_tensor(&shape, bound, dtype, device).map_err(|error| failed = Some(error)).ok()
        });
        match failed {
            Some(error) => Err(error.into()),
            None => dense,
        }
    }

    /// The parameter `name`.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        self.0.get(name).map(Var::as_tensor).ok_or_else(|| Error::Setting {
            name: "the student's weights",
            value: format!("without {name}"),
            allowed: "what config.json describes".into(),
        })
    }

    /// The numbers of the parameter `name`, row-major.
    pub fn numbers(&self, name: &str) -> Result<Vec<f32>> {
        let flat = |tensor: &Tensor| tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1();
        flat(self.get(name)?).during("student's weights")
    }

    /// All parameters with their names, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.0.iter().map(|(name, variable)| (name.as_str(), variable))
    }

    /// Replaces the values of `name`.
    pub fn set(&self, name: &str, value: &Tensor) -> Result<()> {
        let variable = self.0.get(name).map(|v| v.set(value));
        variable
            .unwrap_or_else(|| Err(candle_core::Error::Msg(format!("no parameter {name}"))))
            .during("student's weights")
    }
}

/// The random streams of a student, by number.
const INITIAL: u64 = 1;

/// Whether a tensor of floats holds finite numbers only: nothing times another one is not 0.
pub(crate) fn is_finite(tensor: &Tensor) -> candle_core::Result<bool> {
    let nothing = tensor.affine(0.0, 0.0)?.sum_all()?.to_dtype(DType::F64)?;
    Ok(nothing.to_scalar::<f64>()? == 0.0)
}

/// The name of the embedding table in files.
pub const TABLE: &str = "embedding.weight";

/// A TextCNN with its parameters.
pub struct TextCnn<T = f32> {
    pub config: StudentConfig,
    pub table: SparseTable<T>,
    pub dense: Dense,
    pub device: Device,
}

/// One batch on its way through a [`TextCnn`]: the rows of its distinct tokens, as a variable that gets a gradient.
pub struct Rows {
    pub tokens: Arc<DistinctTokens>,
    pub variable: Var,
}

/// Dropout masks for the pooled features, drawn once a view.
pub struct FeatureMasks {
    max_pooled: Option<Tensor>,
    attended: Option<Tensor>,
}

impl<T: Number> TextCnn<T> {
    /// A student of `table` (`vocabulary · embedding` numbers) and `dense`.
    pub fn new(config: StudentConfig, table: Vec<T>, dense: Dense, device: Device) -> Result<Self> {
        config.check()?;
        if table.len() != config.vocabulary * config.embedding {
            return Err(Error::Setting {
                name: "the embedding table's size",
                value: table.len().to_string(),
                allowed: format!("{} · {}", config.vocabulary, config.embedding),
            });
        }
        let table = SparseTable::new(table, config.embedding)?;
        Ok(Self { config, table, dense, device })
    }

    /// All weights by the names that they have in files.
    pub fn weights(&self) -> Vec<(String, Stored<'_>)> {
        let stored = |(name, variable): (&str, &Var)| (name.to_string(), Stored::Tensor(variable.as_tensor().clone()));
        std::iter::once((TABLE.to_string(), self.table.stored())).chain(self.dense.iter().map(stored)).collect()
    }

    /// Puts weights back that [`TextCnn::weights`] gave; the table's moments begin anew.
    ///
    /// # Errors
    /// What `missing` makes of a name that `find` gives no fitting tensor for, and tensor errors.
    pub fn set_weights(
        &mut self,
        find: impl Fn(&str) -> Option<Tensor>,
        missing: impl Fn(&str) -> Error,
    ) -> Result<()> {
        for (name, variable) in self.dense.iter() {
            let tensor = find(name).filter(|tensor| tensor.dims() == variable.dims()).ok_or_else(|| missing(name))?;
            self.dense.set(name, &tensor)?;
        }
        let table = find(TABLE).filter(|table| table.elem_count() == self.table.values().len());
        let values = table.and_then(|table| table.flatten_all().and_then(|table| table.to_vec1()).ok());
        self.table = SparseTable::new(values.ok_or_else(|| missing(TABLE))?, self.config.embedding)?;
        Ok(())
    }

    /// Takes the rows of the batch's distinct tokens out of the table. Every text of the batch has a token: the config's
    /// [`StudentConfig::empty_token`] where it has no other.
    pub fn rows(&self, batch: &TokenBatch) -> Result<Rows> {
        let tokens = Arc::new(DistinctTokens::new(batch));
        let variable = self.table.rows(tokens.tokens(), &self.device)?;
        Ok(Rows { tokens, variable })
    }

    /// Pools the batch with `graph`.
    pub fn pool(&self, rows: &Rows, graph: Graph) -> Result<Pooled> {
        pool(graph, &self.config, &self.dense, rows.variable.as_tensor(), &rows.tokens)
    }

    /// Draws dropout masks of `rate` for a batch of `texts`; none at rate 0.
    pub fn masks(&self, texts: usize, rate: f64, random: &mut Random) -> Result<Option<FeatureMasks>> {
        if rate == 0.0 {
            return Ok(None);
        }
        let mut draw = |width: usize| -> Result<Option<Tensor>> {
            let drawn =
                (width > 0).then(|| random.dropout_mask(&[texts, width], rate, <T as WithDType>::DTYPE, &self.device));
            Ok(drawn.transpose()?)
        };
        Ok(Some(FeatureMasks { max_pooled: draw(self.config.filters())?, attended: draw(self.config.attended())? }))
    }

    /// Pooled features to the output before it is normalised, `[texts, dimension]`.
    pub fn project(&self, pooled: &Pooled, masks: Option<&FeatureMasks>) -> Result<Tensor> {
        let masked = |features: &Tensor, mask: Option<&Tensor>| match mask {
            Some(mask) => features.mul(mask),
            None => Ok(features.clone()),
        };
        let linear = |features: &Tensor, name: &str| -> Result<Tensor> {
            let weight = self.dense.get(name)?;
            weight.t().and_then(|weight| features.matmul(&weight)).during("linear map")
        };
        let mut parts = Vec::with_capacity(3);
        if let Some(features) = &pooled.max_pooled {
            let features = masked(features, masks.and_then(|m| m.max_pooled.as_ref())).during("dropout")?;
            let bias = self.dense.get("linear.bias")?;
            parts.push(linear(&features, "linear.weight")?.broadcast_add(bias).during("linear map")?);
        }
        if let Some(features) = &pooled.attended {
            let features = masked(features, masks.and_then(|m| m.attended.as_ref())).during("dropout")?;
            parts.push(linear(&features, "heads.weight")?);
        }
        if let Some(mean) = &pooled.mean {
            parts.push(linear(mean, "skip.weight")?);
        }
        let first = parts.pop().ok_or_else(|| candle_core::Error::Msg("a student of no part".into()));
        parts.iter().try_fold(first.during("output")?, |sum, part| sum.add(part).during("output"))
    }

    /// The normalised vectors of `batch`, `[texts, dimension]`; its texts have tokens, as for [`TextCnn::rows`].
    pub fn embed(&self, batch: &TokenBatch, graph: Graph) -> Result<Tensor> {
        let rows = self.rows(batch)?;
        let output = self.project(&self.pool(&rows, graph)?, None)?;
        limbeck_training::losses::normalise(&output).during("normalise")
    }
}

#[cfg(test)]
#[path = "model_golden.rs"]
mod golden;
