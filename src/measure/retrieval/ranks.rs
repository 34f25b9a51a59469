//! Documents by their scores: the highest first, of equal ones the first in the collection.

use std::cmp::Ordering;

/// The places of the `count` highest scores.
pub fn best(scores: &[f32], count: usize) -> Vec<u32> {
    best_of(scores, count, |_, _| true)
}

/// The places of the `count` highest scores among the documents that `wanted` takes by place and score.
pub fn best_of(scores: &[f32], count: usize, wanted: impl Fn(usize, f32) -> bool) -> Vec<u32> {
    let of_wanted = scores.iter().enumerate().filter(|&(place, score)| wanted(place, *score));
    first(of_wanted.map(|(place, _)| place as u32).collect(), count, order(scores))
}

/// The first `count` of `places` in this order.
pub(super) fn first(mut places: Vec<u32>, count: usize, order: impl Fn(&u32, &u32) -> Ordering) -> Vec<u32> {
    if count == 0 || places.is_empty() {
        return Vec::new();
    }
    if count < places.len() {
        places.select_nth_unstable_by(count - 1, &order);
        places.truncate(count);
    }
    places.sort_unstable_by(&order);
    places
}

/// The rank of every document from 1 on.
pub fn ranks(scores: &[f32]) -> Vec<u32> {
    let mut ranks = vec![0; scores.len()];
    for (rank, place) in (1..).zip(best(scores, scores.len())) {
        ranks[place as usize] = rank;
    }
    ranks
}

fn order(scores: &[f32]) -> impl Fn(&u32, &u32) -> Ordering {
    |a, b| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_those_that_sorting_puts_first() {
        let scores: Vec<f32> = (0..300).map(|place| ((place * 37) % 101) as f32).collect();
        let all = best(&scores, 300);
        assert!(all.is_sorted_by(|a, b| scores[*a as usize] >= scores[*b as usize]));
        assert_eq!(best(&scores, 10), all[..10]);
        assert_eq!(best(&scores, 1_000), all);
    }

    #[test]
    fn of_equal_scores_the_first_document_is_the_better() {
        assert_eq!(best(&[0.5, 0.9, 0.5, 0.9], 3), [1, 3, 0]);
        assert_eq!(ranks(&[0.5, 0.9, 0.5, 0.9]), [3, 1, 4, 2]);
    }

    #[test]
    fn unwanted_documents_are_passed_over() {
        assert_eq!(best_of(&[3.0, 0.0, 1.0, 0.0], 10, |_, score| score > 0.0), [0, 2]);
        assert!(best_of(&[1.0], 10, |_, _| false).is_empty() && best(&[], 3).is_empty() && best(&[1.0], 0).is_empty());
    }
}
