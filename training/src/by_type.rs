//! The same code for f32 and f64, the types of [`crate::optimiser::Number`].

use candle_core::{DType, Result, bail};

/// Runs the same expression with a name for the type of number that a `DType` is, f32 or f64; it gives a `candle_core::Result`.
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

/// The error for any other type of number.
pub fn unsupported<R>(dtype: DType) -> Result<R> {
    bail!("this is computed in f32 and f64, not in {dtype:?}")
}
