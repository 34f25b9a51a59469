//! Held-out fidelity: how close a student's vectors are to the teacher's on texts that it was not trained on.

use candle_core::{Result as TensorResult, Tensor};
use limbeck_data::Monitor;
use limbeck_encoder::TokenBatch;
use limbeck_training::{Measurement, Metric, space};
use ndarray::ArrayView2;

use super::job::DistilJob;
use super::targets::HeldOut;
use crate::error::{Error, Result};
use crate::graph::Backend;
use crate::model::TextCnn;

const HELD_OUT_COSINE: Metric = Metric { key: "fidelity_cosine", name: "held-out cosine", decimals: 4 };

/// How many texts are embedded at once.
const BATCH: usize = 512;

/// The held-out texts in batches, tokenised once.
pub(super) struct HeldOutBatches {
    batches: Vec<(TokenBatch, Tensor)>,
    texts: usize,
}

impl HeldOutBatches {
    pub(super) fn new(job: &DistilJob, held_out: &HeldOut) -> Result<Self> {
        let texts: Vec<&str> = held_out.texts.iter().map(String::as_str).collect();
        let mut batches = Vec::new();
        for (texts, vectors) in texts.chunks(BATCH).zip(held_out.vectors.chunks(BATCH * held_out.dimension)) {
            let targets = Tensor::from_slice(vectors, (texts.len(), held_out.dimension), &job.device);
            batches.push((job.targets.tokenise(texts)?, targets.map_err(Error::tensor("held-out targets"))?));
        }
        Ok(Self { batches, texts: texts.len() })
    }

    /// The mean cosine of the student's vectors to the teacher's, and the uniformity of the first batch.
    pub(super) fn measure(&self, model: &TextCnn, backend: Backend, monitor: Monitor) -> Result<Measurement> {
        let dot = |vectors: &Tensor, targets| vectors.mul(targets)?.sum_all()?.to_scalar::<f32>();
        let mut sum = 0.0;
        let mut uniformity = None;
        for (tokens, targets) in &self.batches {
            monitor.check()?;
            let vectors = model.embed(tokens, backend)?;
            sum += f64::from(dot(&vectors, targets).map_err(Error::tensor("held-out fidelity"))?);
            if uniformity.is_none() {
                uniformity = uniformity_of(&vectors).map_err(Error::tensor("uniformity"))?;
            }
        }
        let score = sum / self.texts as f64;
        // The student's and the teacher's vector of a text are the pair whose alignment this is.
        Ok(Measurement { metric: HELD_OUT_COSINE, score, alignment: Some(2.0 - 2.0 * score), uniformity })
    }
}

fn uniformity_of(vectors: &Tensor) -> TensorResult<Option<f64>> {
    let values = vectors.flatten_all()?.to_vec1::<f32>()?;
    Ok(ArrayView2::from_shape(vectors.dims2()?, &values).ok().and_then(space::uniformity))
}
