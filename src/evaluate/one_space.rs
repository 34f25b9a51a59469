//! One space: queries embedded by one model, documents by another. A student learns its teacher's space, so it can serve
//! the queries of an index that its teacher made; this measures how many of the teacher's own finds it makes there.

use serde::Serialize;

use super::fidelity::fidelity;
use super::model::{Distinct, Model, Watch};
use crate::error::{Error, Result};

/// What queries of one model find among documents of another. As JSON it's
/// `{"documents", "texts", "neighbours_at_10", "own_neighbours_at_10"}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OneSpace {
    /// The name of the model that embeds the documents.
    pub documents: String,
    /// How many texts there are; each is a query and a document.
    pub texts: usize,
    /// The share (0 to 1) of the ten nearest neighbours by the documents' model that the other's queries find in its index.
    pub neighbours_at_10: f64,
    /// The same where the other model embeds queries and documents.
    pub own_neighbours_at_10: f64,
}

/// Measures `queries` against `documents` on the distinct ones of `texts`.
///
/// # Errors
/// Vectors of two widths, which no index holds; fewer than [`FEWEST`](super::fidelity::FEWEST) texts; what encoding gives.
pub fn one_space(queries: &Model<'_>, documents: &Model<'_>, texts: &[&str], watch: Watch<'_>) -> Result<OneSpace> {
    let mut distinct = Distinct::default();
    for text in texts {
        distinct.place(text);
    }
    let (left, right) = (queries.encoder.info().dimension, documents.encoder.info().dimension);
    if left != right {
        return Err(Error::Lengths {
            what: format!("numbers in a vector of {} against one of {}", queries.name, documents.name),
            left,
            right,
        });
    }
    let index = documents.encode(distinct.texts(), "documents", watch)?;
    let found = fidelity(&index, &queries.encode(distinct.texts(), "queries", watch)?)?;
    Ok(OneSpace {
        documents: documents.name.to_owned(),
        texts: found.sentences,
        neighbours_at_10: found.one_space_at_10.unwrap_or(0.0),
        own_neighbours_at_10: found.neighbours_at_10,
    })
}

#[cfg(test)]
mod tests {
    use limbeck_data::Interrupt;

    use super::*;
    use crate::evaluate::toy::{Toy, bag};

    #[test]
    fn queries_in_the_documents_space_find_what_those_turned_away_do_not() {
        let (teacher, same) = (Toy::new(bag), Toy::new(bag));
        let turned = Toy::new(|text: &str| bag(text).into_iter().rev().collect());
        let interrupt = Interrupt::new();
        let texts: Vec<String> = (0..200).map(|at| format!("{} and {} words", at, at * 7 % 31)).collect();
        // A text twice is one text.
        let refs: Vec<&str> = texts.iter().chain(&texts[..50]).map(String::as_str).collect();
        let documents = Model::new("teacher", &teacher);
        let measure = |toy: &dyn limbeck_encoder::Encoder| {
            one_space(&Model::new("student", toy), &documents, &refs, Watch::silent(&interrupt)).unwrap()
        };
        let found = measure(&same);
        assert_eq!((found.texts, found.documents.as_str()), (200, "teacher"));
        assert!(found.neighbours_at_10 > 0.999);
        let lost = measure(&turned);
        assert!(lost.neighbours_at_10 < 0.3 && lost.own_neighbours_at_10 > 0.9, "{lost:?}");
    }

    #[test]
    fn widths_that_differ_are_an_error() {
        let (wide, narrow) = (Toy::new(|_| vec![1.0; 4]), Toy::new(|_| vec![1.0; 3]));
        let interrupt = Interrupt::new();
        let (queries, documents) = (Model::new("narrow", &narrow), Model::new("wide", &wide));
        let error = one_space(&queries, &documents, &["a", "b", "c"], Watch::silent(&interrupt)).unwrap_err();
        assert!(error.to_string().contains("narrow") && error.to_string().contains("3 against 4"), "{error}");
    }
}
