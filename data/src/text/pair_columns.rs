//! The names that data sets give to the two sentences of a pair.

/// The first and the second sentence: of most sets and GLUE, of SICK, of Quora's questions, of MRPC.
pub(crate) const PAIR_COLUMNS: [(&str, &str); 4] =
    [("sentence1", "sentence2"), ("sentence_A", "sentence_B"), ("question1", "question2"), ("#1 String", "#2 String")];
