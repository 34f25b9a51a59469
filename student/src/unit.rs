//! Vectors of length 1.

pub(crate) use limbeck_encoder::normalise as to_unit;
