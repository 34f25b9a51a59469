//! [`EncodingStudent`]: a student in training that reads texts itself, and so can be measured on a dev set.

use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo, TokenBatch, Tokenizer};
use limbeck_training::Measurement;
use limbeck_training::contrastive::{Dev, measure};
use serde_json::{Value, json};

use crate::config::StudentConfig;
use crate::encoder::{embed, info};
use crate::error::Result;
use crate::folder::StudentFolder;
use crate::tokenise::tokenise;
use crate::trainable::TrainableStudent;

/// A student in training, its tokenizer and its dev set.
pub(crate) struct EncodingStudent<'a> {
    pub(crate) student: TrainableStudent,
    pub(crate) tokenizer: Tokenizer,
    dev: Option<&'a dyn Dev>,
}

impl<'a> EncodingStudent<'a> {
    /// The student of a folder before its first step.
    pub(crate) fn new(folder: StudentFolder, weight_decay: f64, dev: Option<&'a dyn Dev>) -> Result<Self> {
        let StudentFolder { model, tokenizer, .. } = folder;
        Ok(Self { student: TrainableStudent::new(model, weight_decay)?, tokenizer, dev })
    }

    /// The student as it is, to be saved with its `origin`.
    pub(crate) fn into_folder(self, origin: Value) -> StudentFolder {
        StudentFolder { model: self.student.model, tokenizer: self.tokenizer, lexical: None, origin }
    }

    /// The student's shape.
    pub(crate) fn config(&self) -> &StudentConfig {
        &self.student.model.config
    }

    /// What a checkpoint depends on.
    pub(crate) fn identity(&self) -> Value {
        json!({"config": self.config(), "start": self.student.start_hash, "dev": self.dev.map(Dev::hash)})
    }

    /// The tokens of texts as the student reads them.
    pub(crate) fn tokenise(&self, texts: &[&str]) -> Result<TokenBatch> {
        tokenise(&self.tokenizer, texts, self.config().max_tokens, self.config().empty_token())
    }

    /// The vectors of texts, row after row.
    pub(crate) fn embed(&self, texts: &[&str]) -> Result<Vec<f32>> {
        embed(&self.student.model, &self.tokenizer, self.student.backend, texts)
    }

    /// The scores on the dev set, if there is one.
    pub(crate) fn measure(&self) -> Result<Option<Measurement>> {
        Ok(measure(self.dev, &StudentSnapshot { student: &self.student, tokenizer: &self.tokenizer })?)
    }
}

/// A student in training as an encoder.
struct StudentSnapshot<'a> {
    student: &'a TrainableStudent,
    tokenizer: &'a Tokenizer,
}

impl Encoder for StudentSnapshot<'_> {
    fn encode(&self, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        let TrainableStudent { model, backend, .. } = self.student;
        let vectors = embed(model, self.tokenizer, *backend, texts)?;
        Ok(Embeddings::new(vectors, model.config.dimension))
    }

    fn info(&self) -> EncoderInfo {
        info(&self.student.model.config)
    }
}
