//! MPNet's bias on attention scores: one number a head and bucket of distances, the same in all layers (Raffel et al.
//! 2020, as in T5).

/// How many buckets of distances there are: half of them for tokens behind, half for tokens before.
pub(crate) const BUCKETS: usize = 32;
/// The distance from which on all are in one bucket, in each direction.
pub(crate) const FARTHEST: i64 = 128;

/// The bucket of a key's position minus the query's.
///
/// Of the 16 buckets of a direction 8 are for the distances 0 to 7; the others grow by √2, up to 128.
pub(crate) fn bucket(distance: i64) -> u32 {
    let half = BUCKETS as u32 / 2;
    let size = distance.unsigned_abs();
    let within = match size {
        0..8 => size as u32,
        // 8 + ⌊2·log2(size/8)⌋, in whole numbers: 2·log2(size/8) ≥ n where size² ≥ 64·2ⁿ.
        _ => (8 + (size.min(FARTHEST as u64).pow(2) / 64).ilog2()).min(half - 1),
    };
    if distance > 0 { half + within } else { within }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn buckets_are_transformers() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/architectures/mpnet/states.safetensors");
        let golden = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
        let expected: Vec<u32> = golden["buckets"].to_dtype(DType::U32).unwrap().to_vec1().unwrap();
        let found: Vec<u32> = (-200..=200).map(bucket).collect();
        assert_eq!(found, expected);
    }
}
