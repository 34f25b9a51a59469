//! The folded student: one memory-mapped file, and a few table rows a token instead of matrices.
//!
//! A convolution over embeddings is a sum of table rows: with `U = E · W` (a row a token, a block a tap), `conv(i) = Σ_t U[token(i +
//! t), t]`. [`write()`] takes such tables as [`Parts`]; [`Student`] opens the file and encodes texts.

mod attend;
mod file;
mod gather;
mod head;
mod layout;
mod math;
mod parts;
mod quantise;
mod score;
mod sentence;
mod simd;
mod student;
mod table;
#[cfg(test)]
mod tests;
mod write;

pub use file::is_folded;
pub use layout::{AttentionShape, ConvolutionShape, Shape};
pub use parts::{Attention, Convolution, MaxPooled, Parts};
pub use student::Student;
pub use write::write;

/// How a folded file keeps its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats: within 1e-5 of exact arithmetic.
    #[default]
    F32,
    /// 16-bit floats in the tables and 32-bit ones in the head: half the size, cosine above 0.99999 to f32.
    F16,
    /// 8-bit integers with scales: a quarter of the size, cosine above 0.999 to f32.
    Int8,
}

impl Precision {
    /// All of them, the widest first.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Int8];

    /// `f32`, `f16` or `int8`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        }
    }
}
