//! The lexical half of a vector: what a text's words say of it, beside what the student has learned.
//!
//! ```text
//! text ──► WordTokenizer ──► distinct words ──► Σ √count · row(word), of length 1 ──► × √⅓ ┐
//! text ──► student ─────────────────────────────────────────► dense vector of length 1 ──► × √⅔ ┴──► one vector
//! ```
//!
//! A row is what latent semantic analysis makes of a word in a collection of documents, times the word's inverse
//! document frequency: `limbeck_student::lexical` fits it. The whole vector has length 1, and a dot product of two adds
//! two thirds of the dense cosine to one third of the lexical one, in any vector store. A text without a known word has
//! zeros in its lexical half, and length √⅔.

mod half;
mod index;
mod table;
mod write;

pub use half::{DENSE_WEIGHT, LEXICAL_WEIGHT, LexicalHalf};
pub use table::LexicalTable;

pub(super) use index::{LexicalSections, check_words};
pub(super) use table::LexicalShape;
