//! [`Query`].

/// A query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// The id, by which judgements name the query.
    pub id: String,
    /// The query.
    pub text: String,
}
