//! [`by_type!`](crate::by_type!): the same code for f32 and f64, the types of [`crate::number::Number`].

use candle_core::{DType, Result, bail};

/// Runs one expression for the type that a `DType` names, f32 or f64. The expression gives a `candle_core::Result`.
#[macro_export]
macro_rules! by_type {
    ($dtype:expr, $number:ident => $body:expr) => {
        match $dtype {
            candle_core::DType::F32 => {
                type $number = f32;
                $body
            }
            candle_core::DType::F64 => {
                type $number = f64;
                $body
            }
            other => $crate::by_type::unsupported(other),
        }
    };
}

/// The error for any other type.
pub fn unsupported<R>(dtype: DType) -> Result<R> {
    bail!("this is computed in f32 and f64, not in {dtype:?}")
}
