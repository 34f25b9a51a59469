//! The folded student: one memory-mapped file, and a few table rows for each token instead of matrix products.
//!
//! A convolution over embeddings is a sum of table rows. With `U = E · W` (a row for each token, a block for each tap),
//! `conv(i) = Σ_t U[token(i + t), t]`. [`write()`] folds a student's tables, given as [`Parts`], into a file;
//! [`Student`] opens the file and encodes texts.
//!
//! ```text
//! Parts ──► rows, panels (quantise) ──► write ──► file        layout, sections, header: where everything lies
//! file  ──► map ──► block: gather, attend (table, score) ──► head ──► vectors        simd: the instructions
//! ```

mod attend;
mod block;
mod file;
mod gather;
mod head;
mod header;
mod layout;
mod lexical;
mod map;
mod mapped;
mod math;
mod panels;
mod parts;
mod quantise;
mod rows;
mod score;
mod sections;
mod shape;
mod simd;
mod student;
mod table;
#[cfg(test)]
mod tests;
mod token_ids;
mod write;

pub use file::is_folded;
pub use parts::{Attention, Convolution, MaxPooled, Parts};
pub use shape::{AttentionShape, ConvolutionShape, Shape};
pub use student::Student;
pub use write::{to_bytes, write};

/// The type of the numbers in a folded file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats: within 1e-5 of exact arithmetic.
    #[default]
    F32,
    /// 16-bit floats in the tables and 32-bit floats in the output head: half the size, cosine above 0.99999 to f32.
    F16,
    /// 8-bit integers with scales: a quarter of the size, cosine above 0.999 to f32.
    Int8,
}

impl Precision {
    /// All precisions, the widest first.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Int8];

    /// The precision's name: `f32`, `f16` or `int8`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        }
    }
}
