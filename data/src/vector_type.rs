//! [`VectorType`]: the number type of vectors that are stored or given out.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// The number type of vectors that are stored or given out. All are made from unit vectors in f32.
///
/// Its name, in files and on the command line, is the variant in lower case.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum VectorType {
    /// Single precision, as computed; 4 bytes a number. In a cache: for readers without half precision, such as Spark.
    #[default]
    F32,
    /// Half precision, 2 bytes a number. A unit vector's cosine to the exact one is above 0.999999.
    F16,
    /// 127 times the number, rounded; 1 byte a number. A cosine of such vectors needs no scale. Not for caches.
    Int8,
    /// The sign of each number: 1 above 0, eight to a byte, the first in the highest bit, the last byte filled with
    /// zeros. NumPy's `packbits`, and `ubinary` of sentence-transformers' `quantize_embeddings`. Not for caches.
    Binary,
}

impl VectorType {
    /// NumPy's name of the type.
    pub fn numpy(self) -> &'static str {
        match self {
            Self::F32 => "<f4",
            Self::F16 => "<f2",
            Self::Int8 => "|i1",
            Self::Binary => "|u1",
        }
    }

    /// How many elements of this type hold a vector of `dimension` numbers.
    pub fn width(self, dimension: usize) -> usize {
        match self {
            Self::Binary => dimension.div_ceil(8),
            _ => dimension,
        }
    }

    /// Whether an embedding cache can store this type.
    pub fn fits_cache(&self) -> bool {
        matches!(self, Self::F16 | Self::F32)
    }

    /// For serde's `deserialize_with`: the name of a type that a cache can store.
    pub fn deserialize_for_cache<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let found = name.parse().ok().filter(Self::fits_cache);
        found.ok_or_else(|| D::Error::unknown_variant(&name, &["f16", "f32"]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_lower_case_everywhere() {
        for (kind, name) in [(VectorType::F32, "f32"), (VectorType::Int8, "int8"), (VectorType::Binary, "binary")] {
            assert_eq!(kind.to_string(), name);
            assert_eq!(name.parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
        }
    }

    #[test]
    fn a_binary_vector_takes_an_eighth_of_the_elements() {
        assert_eq!((VectorType::Binary.width(10), VectorType::Int8.width(10)), (2, 10));
    }

    #[test]
    fn what_a_cache_cannot_store_is_refused_by_name() {
        let read = |name: &str| VectorType::deserialize_for_cache(serde_json::Value::from(name));
        assert_eq!(read("f16").unwrap(), VectorType::F16);
        for name in ["int8", "f64"] {
            let expected = format!("unknown variant `{name}`, expected `f16` or `f32`");
            assert_eq!(read(name).unwrap_err().to_string(), expected);
        }
    }
}
