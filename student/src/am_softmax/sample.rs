//! The classes of a step's softmax, as in Partial FC (An et al. 2021): every class of the batch and a random sample of
//! the others.

use std::collections::HashSet;

use limbeck_training::random::Random;

/// `wanted` of `classes` classes, ascending: all of `own` (ascending, distinct), and others drawn evenly without
/// repetition. All of `own` even when `wanted` is less, and all classes when there are fewer.
pub(super) fn sample(own: &[u32], classes: usize, wanted: usize, random: &mut Random) -> Vec<u32> {
    if wanted >= classes {
        return (0..classes as u32).collect();
    }
    let others = classes - own.len();
    let count = wanted.saturating_sub(own.len());
    // Floyd's method: `count` different numbers below `others`.
    let mut drawn = HashSet::with_capacity(count);
    for last in others - count..others {
        let at = random.below(last + 1) as u32;
        if !drawn.insert(at) {
            drawn.insert(last as u32);
        }
    }
    let mut sampled: Vec<u32> = drawn.into_iter().collect();
    sampled.sort_unstable();
    // A number among the other classes becomes one among all: shifted past each own class before it.
    let mut passed = 0;
    for class in &mut sampled {
        while own.get(passed).is_some_and(|&own| own <= *class + passed as u32) {
            passed += 1;
        }
        *class += passed as u32;
    }
    sampled.extend_from_slice(own);
    sampled.sort_unstable();
    sampled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_classes_of_the_batch_are_sampled_and_none_twice() {
        for seed in 0..50 {
            let own = [0, 1, 7, 30, 98, 99];
            let sampled = sample(&own, 100, 40, &mut Random::new(seed, &[]));
            assert_eq!(sampled.len(), 40);
            assert!(sampled.windows(2).all(|pair| pair[0] < pair[1]) && sampled[39] < 100);
            assert!(own.iter().all(|class| sampled.binary_search(class).is_ok()));
        }
    }

    #[test]
    fn the_other_classes_are_equally_frequent() {
        let mut counts = [0usize; 20];
        for seed in 0..4000 {
            let sampled = sample(&[4, 5], 20, 8, &mut Random::new(seed, &[]));
            sampled.iter().for_each(|&class| counts[class as usize] += 1);
        }
        // 6 of 18 others a draw: 1333 of 4000, give or take five standard deviations.
        let others = counts.iter().enumerate().filter(|(class, _)| ![4, 5].contains(class));
        assert!(others.clone().all(|(_, &count)| count.abs_diff(1333) < 150), "{counts:?}");
        assert_eq!((counts[4], counts[5]), (4000, 4000));
    }

    #[test]
    fn more_than_there_are_gives_all_and_fewer_than_the_batch_s_gives_those() {
        let mut random = Random::new(1, &[]);
        assert_eq!(sample(&[2], 5, 9, &mut random), [0, 1, 2, 3, 4]);
        assert_eq!(sample(&[1, 3, 4], 9, 2, &mut random), [1, 3, 4]);
    }
}
