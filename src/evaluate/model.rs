//! The model under test, and how texts go through it.

use std::collections::HashMap;

use limbeck_data::Interrupt;
use limbeck_data::progress::{Progress, Silent};
use limbeck_encoder::{Embeddings, Encoder};
use ndarray::Array2;

use crate::error::{Error, Result};

/// Texts per call: some seconds of a slow teacher, so that an interrupt is heard.
const CALL: usize = 1_024;

/// An encoder with the name that tables show and the prefix that goes before every text.
#[derive(Clone, Copy)]
pub struct Model<'a> {
    /// Its name in tables and errors.
    pub name: &'a str,
    /// What encodes.
    pub encoder: &'a dyn Encoder,
    /// Put before every text as it is (`query: `); empty for most models.
    pub prefix: &'a str,
}

/// Who watches the work: shows its progress and may stop it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Where progress is shown.
    pub progress: &'a dyn Progress,
    /// The flag that stops the work.
    pub interrupt: &'a Interrupt,
}

impl<'a> Watch<'a> {
    /// Shows nothing; `interrupt` may stop the work.
    pub fn silent(interrupt: &'a Interrupt) -> Self {
        Self { progress: &Silent, interrupt }
    }
}

impl<'a> Model<'a> {
    /// A model without a prefix.
    pub fn new(name: &'a str, encoder: &'a dyn Encoder) -> Self {
        Self { name, encoder, prefix: "" }
    }

    /// The same model with `prefix` before every text.
    pub fn with_prefix(self, prefix: &'a str) -> Self {
        Self { prefix, ..self }
    }

    /// The vectors of `texts`, a row each; `what` says in progress and errors which texts they are.
    ///
    /// Errors where the engine fails, gives another number of rows, or a number that isn't finite.
    pub fn encode(&self, texts: &[&str], what: &str, watch: Watch<'_>) -> Result<Embeddings> {
        let bar = watch.progress.stage(&format!("{}: {what}", self.name), Some(texts.len() as u64), "texts");
        let mut all: Option<Embeddings> = None;
        for call in texts.chunks(CALL) {
            watch.interrupt.check()?;
            let vectors = self.call(call, what)?;
            match &mut all {
                None => all = Some(vectors),
                Some(all) => all.extend(&vectors),
            }
            bar.add(call.len() as u64);
        }
        Ok(all.unwrap_or_else(|| Embeddings::new(Vec::new(), self.encoder.info().dimension.max(1))))
    }

    fn call(&self, texts: &[&str], what: &str) -> Result<Embeddings> {
        let prefixed = self.prefixed(texts);
        let refs: Vec<&str>;
        let input = match &prefixed {
            None => texts,
            Some(prefixed) => {
                refs = prefixed.iter().map(String::as_str).collect();
                &refs
            }
        };
        let vectors = self.encoder.encode(input).map_err(|source| Error::Encode {
            model: self.name.to_owned(),
            what: what.to_owned(),
            source,
        })?;
        if vectors.rows() != texts.len() {
            let (rows, texts) = (vectors.rows(), texts.len());
            return Err(Error::Rows { model: self.name.to_owned(), what: what.to_owned(), rows, texts });
        }
        for (row, text) in vectors.iter().zip(texts) {
            if let Some(&value) = row.iter().find(|value| !value.is_finite()) {
                let text = text.chars().take(80).collect();
                return Err(Error::NotFinite { model: self.name.to_owned(), what: what.to_owned(), value, text });
            }
        }
        Ok(vectors)
    }

    /// `texts` with the prefix before each, or `None` where there is no prefix.
    pub(crate) fn prefixed(&self, texts: &[&str]) -> Option<Vec<String>> {
        (!self.prefix.is_empty()).then(|| texts.iter().map(|text| format!("{}{text}", self.prefix)).collect())
    }
}

/// Texts without their repetitions, in the order they first came in.
#[derive(Default)]
pub(crate) struct Distinct<'a> {
    texts: Vec<&'a str>,
    places: HashMap<&'a str, usize>,
}

impl<'a> Distinct<'a> {
    /// The place of `text`, which is added where it is new.
    pub fn place(&mut self, text: &'a str) -> usize {
        *self.places.entry(text).or_insert_with(|| {
            self.texts.push(text);
            self.texts.len() - 1
        })
    }

    /// The texts by place.
    pub fn texts(&self) -> &[&'a str] {
        &self.texts
    }
}

/// The cosine of two vectors of one width, in f64; 0 where either is zero.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a), f64::from(b));
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    let scale = aa.sqrt() * bb.sqrt();
    if scale > 0.0 { (ab / scale).clamp(-1.0, 1.0) } else { 0.0 }
}

/// A similarity without its last digits (to 1e-5), so that what differs by rounding alone is a tie among ranks.
///
/// A bag of words sums the same numbers in another order and gets 1 ± 1e-7: ranked as it is, that would be noise.
pub(crate) fn without_jitter(similarity: f64) -> f64 {
    (similarity * 1e5).round()
}

/// The vectors brought to length 1, rows × dimension; a zero vector stays zero.
pub(crate) fn unit_rows(vectors: &Embeddings) -> Array2<f32> {
    let mut rows = vectors.as_slice().to_vec();
    for row in rows.chunks_exact_mut(vectors.dimension()) {
        limbeck_encoder::normalise(row);
    }
    Array2::from_shape_vec((vectors.rows(), vectors.dimension()), rows)
        .expect("Embeddings hold rows × dimension numbers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::toy::Toy;

    fn silent() -> Interrupt {
        Interrupt::new()
    }

    #[test]
    fn many_texts_keep_their_order_over_several_calls() {
        let toy = Toy::new(|text| vec![text.len() as f32, 1.0]);
        let texts: Vec<String> = (0..2 * CALL + 5).map(|length| "x".repeat(length % 300)).collect();
        let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
        let vectors = Model::new("toy", &toy).encode(&refs, "texts", Watch::silent(&silent())).unwrap();
        assert_eq!(vectors.rows(), texts.len());
        assert!(vectors.iter().zip(&texts).all(|(row, text)| row[0] == text.len() as f32));
        assert_eq!(toy.calls(), [CALL, CALL, 5]);
    }

    #[test]
    fn the_prefix_stands_before_every_text() {
        let toy = Toy::new(|text| vec![if text.starts_with("query: ") { 1.0 } else { -1.0 }, text.len() as f32]);
        let model = Model::new("toy", &toy).with_prefix("query: ");
        let vectors = model.encode(&["", "abc"], "texts", Watch::silent(&silent())).unwrap();
        assert_eq!(vectors.as_slice(), [1.0, 7.0, 1.0, 10.0]);
    }

    #[test]
    fn a_number_that_is_none_is_named_with_its_text() {
        let toy = Toy::new(|text| vec![1.0, if text == "bad" { f32::NAN } else { 0.0 }]);
        let error =
            Model::new("toy", &toy).encode(&["good", "bad"], "two texts", Watch::silent(&silent())).unwrap_err();
        assert_eq!(error.to_string(), "toy gave NaN in the vector of \"bad\" (two texts)");
        assert!(error.hint().is_some());
    }

    #[test]
    fn an_interrupt_stops_before_the_next_call() {
        let interrupt = Interrupt::new();
        interrupt.set();
        let toy = Toy::new(|_| vec![1.0]);
        let error = Model::new("toy", &toy).encode(&["a"], "texts", Watch::silent(&interrupt)).unwrap_err();
        assert!(matches!(error, Error::Interrupted(_)));
        assert!(toy.calls().is_empty());
    }

    #[test]
    fn no_text_gives_no_rows() {
        let toy = Toy::new(|_| vec![1.0, 2.0]);
        let vectors = Model::new("toy", &toy).encode(&[], "texts", Watch::silent(&silent())).unwrap();
        assert_eq!((vectors.rows(), vectors.dimension()), (0, 2));
    }

    #[test]
    fn a_zero_vector_is_like_nothing() {
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 0.0]), 0.0);
        assert_eq!(cosine(&[3.0, 0.0], &[0.5, 0.0]), 1.0);
        let rows = unit_rows(&Embeddings::new(vec![0.0, 0.0, 3.0, 4.0], 2));
        assert_eq!(rows.as_slice().unwrap(), [0.0, 0.0, 0.6, 0.8]);
    }

    #[test]
    fn jitter_makes_no_rank() {
        assert_eq!(without_jitter(1.0 - 3e-7), without_jitter(1.0));
        assert_ne!(without_jitter(0.9998), without_jitter(1.0));
    }
}
