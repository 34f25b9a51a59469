//! The TextCNN: an embedding table updated row by row, dense parameters, and the way from tokens to vectors.

use std::sync::Arc;

use candle_core::{Device, Tensor, Var, WithDType};
use limbeck_encoder::TokenBatch;
use limbeck_training::checkpoint::Stored;
use limbeck_training::optimiser::{Number, SparseTable};
use limbeck_training::random::Random;

use crate::config::StudentConfig;
use crate::dense::DenseParameters;
use crate::error::{Error, Result};
use crate::graph::{Backend, DistinctTokens, PooledTexts, pool};

pub use limbeck_fold::folder::TABLE;

/// A TextCNN with its parameters.
pub struct TextCnn<T = f32> {
    /// The student's shape.
    pub config: StudentConfig,
    /// The embedding table, in host memory; a training step updates only the rows that its batch used.
    pub table: SparseTable<T>,
    /// All other parameters.
    pub dense: DenseParameters,
    /// Where the student computes.
    pub device: Device,
}

/// The embedding rows of one batch's distinct tokens, as a variable that gets a gradient.
pub struct TokenRows {
    /// The batch's distinct tokens.
    pub tokens: Arc<DistinctTokens>,
    /// Their rows of the table: `[distinct, embedding]`.
    pub variable: Var,
}

/// Dropout masks for the pooled features; each view of a batch has its own.
pub struct FeatureMasks {
    max_pooled: Option<Tensor>,
    attended: Option<Tensor>,
}

impl<T: Number> TextCnn<T> {
    /// A student of `table` (`vocabulary · embedding` values, row after row) and `dense`.
    pub fn new(config: StudentConfig, table: Vec<T>, dense: DenseParameters, device: Device) -> Result<Self> {
        config.check()?;
        let (rows, width) = (config.vocabulary, config.embedding);
        Error::require(
            table.len() == rows * width,
            "the embedding table's size",
            table.len(),
            format!("{rows} · {width}"),
        )?;
        let table = SparseTable::new(table, config.embedding)?;
        Ok(Self { config, table, dense, device })
    }

    /// All weights by their names in files.
    pub fn weights(&self) -> Vec<(String, Stored<'_>)> {
        let stored = |(name, variable): (&str, &Var)| (name.to_string(), Stored::Tensor(variable.as_tensor().clone()));
        std::iter::once((TABLE.to_string(), self.table.stored())).chain(self.dense.iter().map(stored)).collect()
    }

    /// Restores weights that [`TextCnn::weights`] gave; the moments of the table are reset.
    ///
    /// # Errors
    /// The result of `missing` for a weight that `find` doesn't give in the right shape; tensor errors.
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

    /// Copies the rows of the batch's distinct tokens out of the table. Every text of the batch needs a token: a text
    /// without any has [`StudentConfig::empty_token`].
    pub fn rows(&self, batch: &TokenBatch) -> Result<TokenRows> {
        let tokens = Arc::new(DistinctTokens::new(batch));
        let variable = self.table.rows(tokens.tokens(), &self.device)?;
        Ok(TokenRows { tokens, variable })
    }

    /// Pools the texts of a batch.
    pub fn pool(&self, rows: &TokenRows, backend: Backend) -> Result<PooledTexts> {
        pool(backend, &self.config, &self.dense, rows.variable.as_tensor(), &rows.tokens)
    }

    /// Draws dropout masks of `rate` for a batch of `texts` texts; none at rate 0.
    pub fn masks(&self, texts: usize, rate: f64, random: &mut Random) -> Result<Option<FeatureMasks>> {
        if rate == 0.0 {
            return Ok(None);
        }
        let mut draw = |width: usize| {
            let mask = || random.dropout_mask(&[texts, width], rate, <T as WithDType>::DTYPE, &self.device);
            (width > 0).then(mask).transpose()
        };
        Ok(Some(FeatureMasks { max_pooled: draw(self.config.filters())?, attended: draw(self.config.attended())? }))
    }

    /// From pooled features to output vectors, not normalised: `[texts, dimension]`.
    pub fn project(&self, pooled: &PooledTexts, masks: Option<&FeatureMasks>) -> Result<Tensor> {
        self.output(pooled, masks).map_err(Error::tensor("the student's output"))
    }

    fn output(&self, pooled: &PooledTexts, masks: Option<&FeatureMasks>) -> candle_core::Result<Tensor> {
        let linear = |features: &Tensor, mask: Option<&Tensor>, name: &str| {
            let masked = mask.map(|mask| features.mul(mask)).transpose()?;
            masked.as_ref().unwrap_or(features).matmul(&self.dense.get(name)?.t()?)
        };
        let mut parts = Vec::with_capacity(3);
        if let Some(features) = &pooled.max_pooled {
            let product = linear(features, masks.and_then(|masks| masks.max_pooled.as_ref()), "linear.weight")?;
            parts.push(product.broadcast_add(self.dense.get("linear.bias")?)?);
        }
        if let Some(features) = &pooled.attended {
            parts.push(linear(features, masks.and_then(|masks| masks.attended.as_ref()), "heads.weight")?);
        }
        if let Some(mean) = &pooled.mean {
            parts.push(linear(mean, None, "skip.weight")?);
        }
        let Some(last) = parts.pop() else { candle_core::bail!("the student has no part that gives an output") };
        parts.iter().try_fold(last, |sum, part| sum.add(part))
    }

    /// The normalised vectors of `batch`, `[texts, dimension]`; every text needs a token, as for [`TextCnn::rows`].
    pub fn embed(&self, batch: &TokenBatch, backend: Backend) -> Result<Tensor> {
        let rows = self.rows(batch)?;
        let output = self.project(&self.pool(&rows, backend)?, None)?;
        limbeck_training::losses::normalise(&output).map_err(Error::tensor("normalise"))
    }
}

#[cfg(test)]
#[path = "model_golden.rs"]
mod golden;
