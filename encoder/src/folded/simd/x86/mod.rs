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

/// AVX2 and F16C were detected, and AVX-VNNI too where `VNNI` is true.
#[derive(Debug, Clone, Copy)]
pub(in crate::folded) struct Avx2<const VNNI: bool>(());
/// AVX2, F16C, and AVX-512 F, BW, DQ, VL and VNNI were detected.
#[derive(Debug, Clone, Copy)]
pub(in crate::folded) struct Avx512(());

/// Appends the levels that this machine has, the best last.
pub(super) fn detect(levels: &mut Vec<Level>) {
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("f16c") {
        levels.push(Level::Avx2(Avx2(())));
        if is_x86_feature_detected!("avxvnni") {
            levels.push(Level::AvxVnni(Avx2(())));
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
}

#[target_feature(enable = "avx2,f16c")]
pub(super) fn run_avx2(work: impl SimdWork, level: Avx2<false>) {
    work.run(level);
}

#[target_feature(enable = "avx2,f16c,avxvnni")]
pub(super) fn run_avx_vnni(work: impl SimdWork, level: Avx2<true>) {
    work.run(level);
}

#[target_feature(enable = "avx2,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn run_avx512(work: impl SimdWork, level: Avx512) {
    work.run(level);
}
