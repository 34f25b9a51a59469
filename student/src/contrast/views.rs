//! Views of a text that differ by dropout.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use limbeck_encoder::TokenBatch;
use limbeck_training::random::Random;

use super::ContrastSettings;
use crate::error::{During, Result};
use crate::graph::{Backend, DistinctTokens, pool};
use crate::model::{TextCnn, TokenRows};

/// `count` views of each text of `batch`, not yet normalised: `[count · texts, dimension]`, one view after another. `rows` are
/// those of the batch.
pub(crate) fn views(
    model: &TextCnn,
    graph: Backend,
    (batch, rows): (&TokenBatch, &TokenRows),
    count: usize,
    settings: &ContrastSettings,
    random: &mut Random,
) -> Result<Tensor> {
    let texts = batch.rows();
    if settings.embedding_dropout == 0.0 {
        // Masks over one pooling: every view after the first is nearly free.
        let pooled = model.pool(rows, graph)?;
        let mut view = || -> Result<Tensor> {
            let masks = model.masks(texts, settings.dropout, random)?;
            model.project(&pooled, masks.as_ref())
        };
        let views = (0..count).map(|_| view()).collect::<Result<Vec<_>>>()?;
        return Tensor::cat(&views, 0).during("views");
    }
    let repeated: TokenBatch = (0..count * texts).map(|row| batch.row(row % texts)).collect();
    let tokens = DistinctTokens::new(&repeated);
    let (table, tokens) = dropped_embeddings(rows, &tokens, count, settings.embedding_dropout, random)?;
    let pooled = pool(graph, &model.config, &model.dense, &table, &Arc::new(tokens))?;
    let masks = model.masks(count * texts, settings.dropout, random)?;
    model.project(&pooled, masks.as_ref())
}

/// The batch with a token of its own for each token of each view, and their embeddings: those of `rows` (`[distinct, d]`),
/// dropped from by a mask of the view's own. `tokens` holds `views` views of the same number of texts.
pub(crate) fn dropped_embeddings(
    rows: &TokenRows,
    tokens: &DistinctTokens,
    views: usize,
    rate: f64,
    random: &mut Random,
) -> Result<(Tensor, DistinctTokens)> {
    let rows = rows.variable.as_tensor();
    let device: &Device = rows.device();
    let mut masked = || -> Result<Tensor> {
        let mask = random.dropout_mask(rows.dims(), rate, DType::F32, device)?;
        rows.mul(&mask).during("dropout of embeddings")
    };
    let tables = (0..views).map(|_| masked()).collect::<Result<Vec<_>>>()?;
    let (each, distinct) = (tokens.texts() / views, tokens.tokens().len() as u32);
    let own = |text: usize| -> Vec<u32> {
        let shift = (text / each) as u32 * distinct;
        tokens.local()[tokens.span(text)].iter().map(|local| local + shift).collect()
    };
    let batch: Vec<Vec<u32>> = (0..tokens.texts()).map(own).collect();
    let tokens = DistinctTokens::new(&batch.iter().map(Vec::as_slice).collect());
    let which = Tensor::new(tokens.tokens(), device);
    let table = which.and_then(|which| Tensor::cat(&tables, 0)?.index_select(&which, 0));
    Ok((table.during("dropout of embeddings")?, tokens))
}
