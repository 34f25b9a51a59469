//! Three levels of x86-64.

/// Calls intrinsics that take and give values only, in a method of a level.
macro_rules! intrinsics {
    ($($calls:tt)*) => {
        // SAFETY: `self` is a value that only `detect` makes, after it saw that the machine has the level's
        // instructions; the intrinsics touch no memory.
        unsafe { $($calls)* }
    };
}

mod avx2;
mod avx512;

use super::{Level, Simd, SimdWork};

/// AVX2 and F16C were detected.
#[derive(Debug, Clone, Copy)]
pub(in crate::folded) struct Avx2(());
/// AVX2, F16C and AVX-VNNI were detected.
#[derive(Debug, Clone, Copy)]
pub(in crate::folded) struct AvxVnni(());
/// AVX2, F16C, and AVX-512 F, BW, DQ, VL and VNNI were detected.
#[derive(Debug, Clone, Copy)]
pub(in crate::folded) struct Avx512(());

/// The levels that this machine has, the best last.
pub(super) fn detect() -> Vec<Level> {
    let mut levels = Vec::new();
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("f16c") {
        levels.push(Level::Avx2(Avx2(())));
        if is_x86_feature_detected!("avxvnni") {
            levels.push(Level::AvxVnni(AvxVnni(())));
        }
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni")
        {
            levels.push(Level::Avx512(Avx512(())));
        }
    }
    levels
}

#[target_feature(enable = "avx2,f16c")]
pub(super) fn run_avx2(work: impl SimdWork, level: Avx2) {
    work.run(level);
}

#[target_feature(enable = "avx2,f16c,avxvnni")]
pub(super) fn run_avx_vnni(work: impl SimdWork, level: AvxVnni) {
    work.run(level);
}

#[target_feature(enable = "avx2,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn run_avx512(work: impl SimdWork, level: Avx512) {
    work.run(level);
}

/// Four bytes as one number, to be repeated.
#[inline(always)]
fn four(activations: [i8; 4]) -> i32 {
    i32::from_le_bytes(activations.map(|activation| activation as u8))
}

/// Two weights as one number, to be repeated.
#[inline(always)]
fn two([a, b]: [i16; 2]) -> i32 {
    i32::from(a) & 0xffff | i32::from(b) << 16
}
