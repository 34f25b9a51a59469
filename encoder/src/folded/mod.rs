//! The folded student: one memory-mapped file, a few table rows a token.

mod parts;
mod student;

pub use parts::{Attention, Convolution, MaxPooled, Parts};
pub use student::{Student, write};

/// How a folded file keeps its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 8-bit integers with scales.
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
