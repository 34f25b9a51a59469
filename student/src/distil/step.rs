//! One step: forward, losses, gradients, update.

use candle_core::Tensor;
use limbeck_encoder::TokenBatch;
use limbeck_training::losses::{centred_distance, contrastive_kd, cosine_distance, infonce, matryoshka, relational_kl};
use limbeck_training::optimiser::{AdamW, AdamWSettings};
use limbeck_training::random::Random;

use super::order::DROPOUT;
use super::settings::DistilSettings;
use crate::am_softmax::ClassLoss;
use crate::error::{During, Error, Result};
use crate::graph::Backend;
use crate::model::TextCnn;

/// What a step needs beside the student.
pub struct Stepper<'a> {
    pub settings: &'a DistilSettings,
    pub optimiser: AdamW,
    pub adam: AdamWSettings,
    pub graph: Backend,
    /// There where AM-softmax has a weight.
    pub classes: Option<ClassLoss>,
    /// The mean of all targets, `[1, dimension]`.
    pub mean: Tensor,
}

/// What a step is taken on.
pub struct Batch {
    pub tokens: TokenBatch,
    /// `[texts, dimension]`.
    pub targets: Tensor,
    /// The classes of the first texts, where AM-softmax has a weight; a text past them has none.
    pub classes: Vec<u32>,
}

impl Stepper<'_> {
    /// Step number `step` (from 1) on `batch`; gives the loss.
    pub fn step(&mut self, model: &mut TextCnn, batch: &Batch, learning_rate: f64, step: u64) -> Result<f64> {
        let Batch { tokens, targets, .. } = batch;
        let mut random = Random::new(self.settings.seed, &[DROPOUT, step]);
        let rows = model.rows(tokens)?;
        let pooled = model.pool(&rows, self.graph)?;
        let mask = model.masks(tokens.rows(), self.settings.dropout, &mut random)?;
        let output = model.project(&pooled, mask.as_ref())?;
        let losses = &self.settings.losses;
        let mut parts: Vec<(f64, Tensor)> = Vec::with_capacity(5);
        if losses.cosine > 0.0 {
            parts.push((losses.cosine, cosine_distance(&output, targets)?));
        }
        if losses.centred > 0.0 {
            parts.push((losses.centred, centred_distance(&output, targets, &self.mean)?));
        }
        if losses.infonce.weight > 0.0 {
            // The second view shares the pooling: another mask, another linear map.
            let mask = model.masks(tokens.rows(), self.settings.dropout, &mut random)?;
            let second = model.project(&pooled, mask.as_ref())?;
            let infonce = infonce(&output, &second, losses.infonce.temperature, losses.infonce.denominator)?;
            parts.push((losses.infonce.weight, infonce));
        }
        if losses.relational_kl.weight > 0.0 {
            let divergence = relational_kl(&output, targets, losses.relational_kl.temperature)?;
            parts.push((losses.relational_kl.weight, divergence));
        }
        if losses.contrastive_kd.weight > 0.0 {
            let contrastive = contrastive_kd(&output, targets, losses.contrastive_kd.temperature)?;
            parts.push((losses.contrastive_kd.weight, contrastive));
        }
        let mut classified = None;
        if let Some(classes) = &self.classes {
            let texts = batch.classes.len();
            let own = |output: &Tensor| output.narrow(0, 0, texts).during("views");
            let mut views = vec![own(&output)?];
            for _ in 1..losses.am_softmax.views {
                let mask = model.masks(tokens.rows(), self.settings.dropout, &mut random)?;
                views.push(own(&model.project(&pooled, mask.as_ref())?)?);
            }
            let found = classes.classify::<f32>(&views, &batch.classes, step)?;
            if !found.is_finite() {
                return Err(Error::NotFinite { what: "AM-softmax", step });
            }
            parts.push((losses.am_softmax.weight, found.loss.clone()));
            classified = Some(found);
        }
        let first = &losses.matryoshka;
        if first.weight > 0.0 {
            parts.push((first.weight, matryoshka(&output, targets, &first.dimensions, first.temperature)?));
        }
        let mut total: Option<Tensor> = None;
        for (weight, part) in parts {
            let part = part.affine(weight, 0.0).during("loss")?;
            total = Some(match total {
                Some(sum) => sum.add(&part).during("loss")?,
                None => part,
            });
        }
        let total = total.ok_or_else(|| Error::Setting {
            name: "the sum of the losses' weights",
            value: "0".into(),
            allowed: "above 0".into(),
        })?;
        let loss = f64::from(total.to_scalar::<f32>().during("loss")?);
        if !loss.is_finite() {
            return Err(Error::NotFinite { what: "the loss", step });
        }
        let gradients = total.backward().during("gradients")?;
        self.optimiser.step(&gradients, learning_rate, step)?;
        if let Some(gradient) = gradients.get(&rows.variable) {
            model.table.update(rows.tokens.tokens(), gradient, learning_rate, step, &self.adam)?;
        }
        if let (Some(classes), Some(classified)) = (&mut self.classes, classified) {
            classes.learn(&classified, learning_rate / self.settings.learning_rate);
        }
        Ok(loss)
    }
}
