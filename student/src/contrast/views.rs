//! Views of a text that differ by dropout.

use std::sync::Arc;

use candle_core::{DType, Result as TensorResult, Tensor};
use limbeck_encoder::TokenBatch;
use limbeck_training::random::Random;

use super::ContrastSettings;
use crate::error::{Error, Result};
use crate::graph::{DistinctTokens, pool};
use crate::model::TokenRows;
use crate::trainable::TrainableStudent;

/// `count` views of each text of `batch`, not yet normalised: `[count · texts, dimension]`, one view after another.
/// `rows` are those of the batch.
pub(crate) fn views(
    student: &TrainableStudent,
    (batch, rows): (&TokenBatch, &TokenRows),
    count: usize,
    settings: &ContrastSettings,
    random: &mut Random,
) -> Result<Tensor> {
    let texts = batch.rows();
    if settings.embedding_dropout == 0.0 {
        // Masks over one pooling: every view after the first costs little.
        let pooled = student.model.pool(rows, student.backend)?;
        let views = (0..count).map(|_| student.masked(&pooled, texts, settings.dropout, random));
        let views = views.collect::<Result<Vec<_>>>()?;
        return Tensor::cat(&views, 0).map_err(Error::tensor("dropout views"));
    }
    let repeated: TokenBatch = (0..count * texts).map(|row| batch.row(row % texts)).collect();
    pooled_apart(student, rows, &Arc::new(DistinctTokens::new(&repeated)), count, settings, random)
}

/// The vectors of `tokens`, which hold `views` views of the same number of texts, each pooled by itself; `rows` are
/// those of the same distinct tokens.
pub(super) fn pooled_apart(
    student: &TrainableStudent,
    rows: &TokenRows,
    tokens: &Arc<DistinctTokens>,
    views: usize,
    settings: &ContrastSettings,
    random: &mut Random,
) -> Result<Tensor> {
    let (table, tokens) = match settings.embedding_dropout {
        0.0 => (rows.variable.as_tensor().clone(), tokens.clone()),
        rate => dropped_embeddings(rows, tokens, views, rate, random)?,
    };
    let pooled = pool(student.backend, &student.model.config, &student.model.dense, &table, &tokens)?;
    student.masked(&pooled, tokens.texts(), settings.dropout, random)
}

/// The batch with a token of its own for each token of each view, and their embeddings: those of `rows` (`[distinct,
/// d]`) under a mask of the view's own. `tokens` holds `views` views of the same number of texts.
fn dropped_embeddings(
    rows: &TokenRows,
    tokens: &DistinctTokens,
    views: usize,
    rate: f64,
    random: &mut Random,
) -> Result<(Tensor, Arc<DistinctTokens>)> {
    let rows = rows.variable.as_tensor();
    let masks = (0..views).map(|_| random.dropout_mask(rows.dims(), rate, DType::F32, rows.device()));
    let masks = masks.collect::<limbeck_training::Result<Vec<_>>>()?;
    let (each, distinct) = (tokens.texts() / views, tokens.tokens().len() as u32);
    let own = |text: usize| -> Vec<u32> {
        let shift = (text / each) as u32 * distinct;
        tokens.local()[tokens.span(text)].iter().map(|local| local + shift).collect()
    };
    let batch: Vec<Vec<u32>> = (0..tokens.texts()).map(own).collect();
    let tokens = Arc::new(DistinctTokens::new(&batch.iter().map(Vec::as_slice).collect()));
    let table = || -> TensorResult<Tensor> {
        let tables = masks.iter().map(|mask| rows.mul(mask)).collect::<TensorResult<Vec<_>>>()?;
        Tensor::cat(&tables, 0)?.index_select(&Tensor::new(tokens.tokens(), rows.device())?, 0)
    };
    Ok((table().map_err(Error::tensor("dropout of embeddings"))?, tokens))
}
