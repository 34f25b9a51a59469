//! Retrieval across models: one model embeds the queries, another the documents. A student learns its teacher's space,
//! so it can answer queries over an index that its teacher made; this measures how many of the teacher's own results it
//! finds.

use indexmap::IndexSet;
use limbeck_data::Monitor;
use serde::Serialize;

use super::fidelity::Reference;
use super::model::NamedModel;
use crate::error::Result;

/// What one model's queries find among another model's documents. As JSON:
/// `{"documents", "texts", "neighbours_at_10", "own_neighbours_at_10"}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SharedSpace {
    /// The name of the model that embeds the documents.
    pub documents: String,
    /// The number of texts; each is a query and a document.
    pub texts: usize,
    /// The share (0 to 1) of the ten nearest neighbours by the documents' model that the queries find in its index.
    pub neighbours_at_10: f64,
    /// The same share where the queries' model embeds the documents too.
    pub own_neighbours_at_10: f64,
}

/// Measures `queries` against `documents` on the distinct texts of `texts`.
///
/// # Errors
/// Vectors of two widths, which no index can hold; fewer than [`FEWEST`](super::fidelity::FEWEST) texts; what encoding
/// gives.
pub fn shared_space(
    queries: &NamedModel<'_>,
    documents: &NamedModel<'_>,
    texts: &[&str],
    monitor: Monitor<'_>,
) -> Result<SharedSpace> {
    queries.check_width(documents)?;
    let distinct: IndexSet<&str> = texts.iter().copied().collect();
    let texts: Vec<&str> = distinct.into_iter().collect();
    let index = Reference::new(documents.encode(&texts, "documents", monitor)?)?;
    let found = index.compare(&queries.encode(&texts, "queries", monitor)?)?;
    Ok(SharedSpace {
        documents: documents.name.to_owned(),
        texts: texts.len(),
        neighbours_at_10: found.shared_space_at_10.unwrap_or(0.0),
        own_neighbours_at_10: found.agreement.neighbours_at_10,
    })
}

#[cfg(test)]
mod tests {
    use limbeck_encoder::Encoder;

    use super::*;
    use crate::measure::test_support::{FakeEncoder, bag, silent};

    /// `queries` against documents of [`bag`], on 200 texts of which 50 come twice.
    fn found_by(queries: &dyn Encoder) -> SharedSpace {
        let texts: Vec<String> = (0..200).map(|at| format!("{} and {} words", at, at * 7 % 31)).collect();
        let refs: Vec<&str> = texts.iter().chain(&texts[..50]).map(String::as_str).collect();
        let teacher = FakeEncoder::new(bag);
        let (queries, documents) = (NamedModel::new("student", queries), NamedModel::new("teacher", &teacher));
        shared_space(&queries, &documents, &refs, silent()).unwrap()
    }

    #[test]
    fn queries_in_the_documents_space_find_their_neighbours() {
        let found = found_by(&FakeEncoder::new(bag));
        assert_eq!((found.texts, found.documents.as_str()), (200, "teacher"));
        assert!(found.neighbours_at_10 > 0.999);
    }

    #[test]
    fn queries_in_another_space_find_neighbours_only_among_their_own() {
        let found = found_by(&FakeEncoder::new(|text: &str| bag(text).into_iter().rev().collect()));
        assert!(found.neighbours_at_10 < 0.3 && found.own_neighbours_at_10 > 0.9, "{found:?}");
    }

    #[test]
    fn widths_that_differ_are_an_error() {
        let (wide, narrow) = (FakeEncoder::new(|_| vec![1.0; 4]), FakeEncoder::new(|_| vec![1.0; 3]));
        let (queries, documents) = (NamedModel::new("narrow", &narrow), NamedModel::new("wide", &wide));
        let error = shared_space(&queries, &documents, &["a", "b", "c"], silent()).unwrap_err();
        assert!(error.to_string().contains("narrow") && error.to_string().contains("3 against 4"), "{error}");
    }
}
