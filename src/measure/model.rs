//! The model under test, and how texts go through it.

use std::borrow::Cow;

use limbeck_data::Monitor;
use limbeck_encoder::{Embeddings, Encoder, SearchSide};

use crate::error::{Error, Result};
use crate::halves::{texts_without_known_words, unknown_words_line};

/// Texts per call: some seconds of a slow teacher, so that an interrupt is noticed.
const TEXTS_PER_CALL: usize = 1_024;

/// An encoder with the name that tables show and the prefix that goes before every text.
#[derive(Clone, Copy)]
pub struct NamedModel<'a> {
    /// The model's name in tables and errors.
    pub name: &'a str,
    /// The engine that encodes.
    pub encoder: &'a dyn Encoder,
    /// Put before every text unchanged (`query: `); empty for most models.
    pub prefix: &'a str,
    /// The side of a search that the texts are on, where the model has a prompt for each side.
    pub side: Option<SearchSide>,
}

impl<'a> NamedModel<'a> {
    /// A model without a prefix.
    pub fn new(name: &'a str, encoder: &'a dyn Encoder) -> Self {
        Self { name, encoder, prefix: "", side: None }
    }

    /// The same model with `prefix` before every text.
    pub fn with_prefix(self, prefix: &'a str) -> Self {
        Self { prefix, ..self }
    }

    /// The same model with texts on one side of a search.
    pub fn on_side(self, side: SearchSide) -> Self {
        Self { side: Some(side), ..self }
    }

    /// Refuses a model of documents whose vectors cannot be compared with this model's.
    pub(super) fn check_width(&self, documents: &NamedModel<'_>) -> Result<()> {
        let (left, right) = (self.encoder.info().dimension, documents.encoder.info().dimension);
        if left == right {
            return Ok(());
        }
        let what = format!("values in a vector of {} against one of {}", self.name, documents.name);
        Err(Error::Lengths { what, left, right })
    }

    /// The vectors of `texts`, a row each; `what` names the texts in progress and errors.
    ///
    /// # Errors
    /// Where the engine fails, gives another number of rows, or gives a value that is not finite.
    pub fn encode(&self, texts: &[&str], what: &str, monitor: Monitor<'_>) -> Result<Embeddings> {
        let bar = monitor.stage(&format!("{}: {what}", self.name), Some(texts.len() as u64), "texts");
        let mut all: Option<Embeddings> = None;
        for call in texts.chunks(TEXTS_PER_CALL) {
            monitor.check()?;
            let vectors = self.call(call, what)?;
            match &mut all {
                None => all = Some(vectors),
                Some(all) => all.extend(&vectors),
            }
            bar.add(call.len() as u64);
        }
        if let (Some(half), Some(vectors)) = (self.encoder.lexical(), &all) {
            let unknown = texts_without_known_words(vectors, half);
            if unknown > 0 {
                monitor.note(&format!("{what}: {}", unknown_words_line(self.name, unknown, texts.len())));
            }
        }
        Ok(all.unwrap_or_else(|| Embeddings::new(Vec::new(), self.encoder.info().dimension.max(1))))
    }

    /// As [`NamedModel::encode`], without a bar.
    pub(super) fn call(&self, texts: &[&str], what: &str) -> Result<Embeddings> {
        let (model, what) = (|| self.name.to_owned(), || what.to_owned());
        let prefixed = self.prefixed(texts);
        let prefixed: Vec<&str> = prefixed.iter().map(|text| &**text).collect();
        let vectors = match self.side {
            None => self.encoder.encode(&prefixed),
            Some(side) => self.encoder.encode_side(side, &prefixed),
        };
        let vectors = vectors.map_err(|source| Error::Encode { model: model(), what: what(), source })?;
        if vectors.rows() != texts.len() {
            let (rows, texts) = (vectors.rows(), texts.len());
            return Err(Error::Rows { model: model(), what: what(), rows, texts });
        }
        for (row, text) in vectors.iter().zip(texts) {
            if let Some(&value) = row.iter().find(|value| !value.is_finite()) {
                let text = text.chars().take(80).collect();
                return Err(Error::NotFinite { model: model(), what: what(), value, text });
            }
        }
        Ok(vectors)
    }

    /// `texts` with the prefix before each.
    pub(super) fn prefixed<'t>(&self, texts: &[&'t str]) -> Vec<Cow<'t, str>> {
        let prefixed = |text: &&'t str| {
            if self.prefix.is_empty() { Cow::from(*text) } else { (self.prefix.to_owned() + text).into() }
        };
        texts.iter().map(prefixed).collect()
    }
}

#[cfg(test)]
mod tests {
    use limbeck_data::Interrupt;
    use limbeck_data::progress::Silent;

    use super::*;
    use crate::measure::test_support::{FakeEncoder, silent};

    #[test]
    fn many_texts_keep_their_order_over_several_calls() {
        let fake = FakeEncoder::new(|text| vec![text.len() as f32, 1.0]);
        let texts: Vec<String> = (0..2 * TEXTS_PER_CALL + 5).map(|length| "x".repeat(length % 300)).collect();
        let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
        let vectors = NamedModel::new("fake", &fake).encode(&refs, "texts", silent()).unwrap();
        assert_eq!(vectors.rows(), texts.len());
        assert!(vectors.iter().zip(&texts).all(|(row, text)| row[0] == text.len() as f32));
        assert_eq!(fake.calls(), [TEXTS_PER_CALL, TEXTS_PER_CALL, 5]);
    }

    #[test]
    fn the_prefix_stands_before_every_text() {
        let fake =
            FakeEncoder::new(|text| vec![if text.starts_with("query: ") { 1.0 } else { -1.0 }, text.len() as f32]);
        let model = NamedModel::new("fake", &fake).with_prefix("query: ");
        let vectors = model.encode(&["", "abc"], "texts", silent()).unwrap();
        assert_eq!(vectors.as_slice(), [1.0, 7.0, 1.0, 10.0]);
    }

    #[test]
    fn a_value_that_is_not_finite_is_named_with_its_text() {
        let fake = FakeEncoder::new(|text| vec![1.0, if text == "bad" { f32::NAN } else { 0.0 }]);
        let error = NamedModel::new("fake", &fake).encode(&["good", "bad"], "two texts", silent()).unwrap_err();
        assert_eq!(error.to_string(), "fake gave NaN in the vector of \"bad\" (two texts)");
        assert!(error.hint().is_some());
    }

    #[test]
    fn an_interrupt_stops_before_the_next_call() {
        let interrupt = Interrupt::new();
        interrupt.set();
        let fake = FakeEncoder::new(|_| vec![1.0]);
        let error =
            NamedModel::new("fake", &fake).encode(&["a"], "texts", Monitor::new(&Silent, &interrupt)).unwrap_err();
        assert!(matches!(error, Error::Interrupted(_)));
        assert!(fake.calls().is_empty());
    }

    #[test]
    fn no_text_gives_no_rows() {
        let fake = FakeEncoder::new(|_| vec![1.0, 2.0]);
        let vectors = NamedModel::new("fake", &fake).encode(&[], "texts", silent()).unwrap();
        assert_eq!((vectors.rows(), vectors.dimension()), (0, 2));
    }
}
