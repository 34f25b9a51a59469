//! [`Number`]: the types that are computed in.

use candle_core::WithDType;

/// f32, and f64 for tests against golden values.
pub trait Number: WithDType + num_traits::Float + bytemuck::Pod + Send + Sync {}
impl Number for f32 {}
impl Number for f64 {}
