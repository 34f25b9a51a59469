//! The folded student: one memory-mapped file, and a few table rows a token instead of matrices.
//!
//! A convolution over embeddings is a sum of table rows: with `U = E · W` (a row a token, a block a tap), `conv(i) = Σ_t U[token(i +
//! t), t]`. [`write()`] takes such tables as [`Parts`]; [`Student`] opens the file and encodes texts.

mod file;
mod gather;
mod head;
mod layout;
mod math;
mod parts;
mod quantise;
mod simd;
mod student;
mod table;
#[cfg(test)]
mod tests;
mod write;

pub use parts::{Attention, Convolution, MaxPooled, Parts};
pub use student::Student;
pub use write::write;

/// How a folded file keeps its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats: within 1e-5 of exact arithmetic.
    F32,
    /// 8-bit integers with scales: a quarter of the size, cosine above 0.999 to f32.
    Int8,
}

impl Precision {
    /// `f32` or `int8`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Int8 => "int8",
        }
    }
}
