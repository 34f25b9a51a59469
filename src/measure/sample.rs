//! Samples that are the same on every machine: uniform, without replacement, by a fixed seed.

use std::collections::HashSet;

use limbeck_training::random::Random;

/// At most `most` different indices below `n`, ascending (Floyd's algorithm).
pub(super) fn indices(n: usize, most: usize, seed: u64) -> Vec<usize> {
    if n <= most {
        return (0..n).collect();
    }
    let mut random = Random::new(seed, &[]);
    let mut chosen = HashSet::with_capacity(most);
    for bound in n - most..n {
        let candidate = random.below(bound + 1);
        if !chosen.insert(candidate) {
            chosen.insert(bound);
        }
    }
    let mut chosen: Vec<usize> = chosen.into_iter().collect();
    chosen.sort_unstable();
    chosen
}

/// At most `most` different pairs `(i, j)` with `i < j < n`.
pub(super) fn pairs(n: usize, most: usize, seed: u64) -> Vec<(usize, usize)> {
    let all = n.saturating_sub(1) * n / 2;
    indices(all, most, seed).into_iter().map(pair_at).collect()
}

/// The pair at `place` in the row-by-row walk over a triangle: (0,1), (0,2), (1,2), (0,3), …
fn pair_at(place: usize) -> (usize, usize) {
    // The largest j with j(j-1)/2 <= place; the square root may be off by one.
    let mut j = ((1.0 + (1.0 + 8.0 * place as f64).sqrt()) / 2.0) as usize;
    while j * (j - 1) / 2 > place {
        j -= 1;
    }
    while (j + 1) * j / 2 <= place {
        j += 1;
    }
    (place - j * (j - 1) / 2, j)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_holds_different_indices_and_depends_on_the_seed_alone() {
        let sample = indices(1_000, 100, 7);
        assert_eq!(sample.len(), 100);
        assert!(sample.is_sorted_by(|a, b| a < b) && sample[99] < 1_000);
        assert_eq!(sample, indices(1_000, 100, 7));
        assert_ne!(sample, indices(1_000, 100, 8));
        assert_eq!(indices(3, 100, 7), [0, 1, 2]);
    }

    #[test]
    fn a_small_set_gives_all_its_pairs() {
        assert_eq!(pairs(4, 100, 1), [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]);
        assert!(pairs(0, 9, 1).is_empty() && pairs(1, 9, 1).is_empty());
    }

    #[test]
    fn a_pair_is_found_by_its_place_in_the_triangle() {
        for j in [2usize, 3, 94_906_267, 1 << 30] {
            for i in [0, j - 1] {
                assert_eq!(pair_at(j * (j - 1) / 2 + i), (i, j));
            }
        }
    }
}
