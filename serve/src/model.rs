//! [`Model`]: the encoder that is served, and what it can be asked for.

use std::sync::Arc;

use limbeck_encoder::{Embeddings, EncodeError, Encoder, LexicalHalf, TokenBatch};

use crate::input::{Input, Rows};
use crate::refusal::Refusal;
use crate::request::EmbeddingsRequest;

/// The encoder that is served.
pub(crate) struct Model {
    encoder: Arc<dyn Encoder>,
    /// The names that it answers to; the first is told.
    pub(crate) names: Vec<String>,
    /// The width of its vectors.
    width: usize,
    /// The width of their lexical half.
    pub(crate) lexical: usize,
    /// How many threads it uses.
    pub(crate) threads: usize,
}

/// The vectors of some rows, and the number of each row's tokens; no numbers where the engine shows no tokens.
pub(crate) struct Encoded {
    pub(crate) vectors: Embeddings,
    pub(crate) tokens: Vec<usize>,
}

impl Model {
    pub(crate) fn new(encoder: Arc<dyn Encoder>, names: Vec<String>) -> Self {
        let (info, lexical) = (encoder.info(), encoder.lexical().map_or(0, LexicalHalf::dimension));
        Self { width: info.dimension, lexical, threads: info.threads.max(1), encoder, names }
    }

    /// The name that answers tell.
    pub(crate) fn name(&self) -> &str {
        &self.names[0]
    }

    /// Refuses a request for another model, for a width that this one does not have, or with token ids that it does not
    /// know. Gives the width of the vectors' dense half.
    pub(crate) fn check(&self, request: &EmbeddingsRequest) -> Result<usize, Refusal> {
        if let Some(asked) = request.model.as_ref().filter(|asked| !self.names.contains(asked)) {
            return Err(Refusal::model(asked, &self.names));
        }
        if let Input::Ids(ids) = &request.input {
            self.check_ids(ids)?;
        }
        let Self { width, lexical, .. } = *self;
        let asked = request.dimensions.unwrap_or(width);
        if asked <= lexical || asked > width {
            let message = format!("dimensions is {asked}; this model has {} to {width}", lexical + 1);
            return Err(Refusal::field(Some("dimensions"), message));
        }
        Ok(asked - lexical)
    }

    fn check_ids(&self, ids: &TokenBatch) -> Result<(), Refusal> {
        let refuse = |message: String| Err(Refusal::field(Some("input"), message));
        let Some(tokens) = self.encoder.token_encoder().filter(|_| self.lexical == 0) else {
            return refuse("this model reads texts and takes no token ids".into());
        };
        let vocabulary = tokens.vocabulary();
        match ids.ids().iter().find(|&&id| id as usize >= vocabulary) {
            Some(id) => refuse(format!("the token id {id} is outside this model's vocabulary of {vocabulary}")),
            None => Ok(()),
        }
    }

    /// The vectors of `rows`.
    ///
    /// # Errors
    /// When the engine fails, or gives another number of vectors than there are rows.
    pub(crate) fn encode(&self, rows: &Rows<'_>) -> Result<Encoded, EncodeError> {
        let encoded = match (rows, self.encoder.token_encoder()) {
            (Rows::Texts(texts), None) => Encoded { vectors: self.encoder.encode(texts)?, tokens: Vec::new() },
            (Rows::Texts(texts), Some(tokens)) => {
                let ids = tokens.ids_of(texts)?;
                // A lexical half is made of words.
                let vectors = match self.lexical {
                    0 => tokens.encode_ids(&ids)?,
                    _ => self.encoder.encode(texts)?,
                };
                Encoded { vectors, tokens: lengths(&ids) }
            }
            (Rows::Ids(own), Some(tokens)) => {
                let ids = tokens.ids_around(own)?;
                Encoded { vectors: tokens.encode_ids(&ids)?, tokens: lengths(&ids) }
            }
            (Rows::Ids(_), None) => return Err("the engine takes no token ids".into()),
        };
        let (found, width) = (encoded.vectors.rows(), encoded.vectors.dimension());
        if found != rows.len() || width != self.width {
            let what = format!("{found} vectors of {width} numbers for {} texts of {}", rows.len(), self.width);
            return Err(what.into());
        }
        Ok(encoded)
    }
}

fn lengths(ids: &TokenBatch) -> Vec<usize> {
    (0..ids.rows()).map(|row| ids.row_len(row)).collect()
}
