//! In which order the examples come: a function of seed, epoch and the cache alone.

use std::ops::Range;

use limbeck_training::random::Random;

/// Counted up when examples come in another order than before: a checkpoint made in the old one can't be gone on from.
pub const VERSION: u32 = 2;

/// Random streams, by number.
pub const SLICES: u64 = 10;
pub const ROWS: u64 = 11;
pub const DROPOUT: u64 = 12;

/// Some slices of the cache that are shuffled together, and the steps they give.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    pub epoch: usize,
    /// The number of this window in its epoch.
    pub index: usize,
    /// Their numbers, ascending.
    pub slices: Vec<usize>,
    pub rows: usize,
    /// Steps, counted from 1 over the whole run.
    pub steps: Range<u64>,
}

/// All windows of a run, of about `most` rows; `train_rows` are those of the cache's slices. Batches of a window have about `batch`
/// rows, all alike to one row.
///
/// Text often comes source after source. So slices that follow one another go to different windows, in every epoch to others: each
/// window is a sample of the whole cache, and what kinds of text it holds is left to chance only within a few slices.
pub fn windows(train_rows: &[usize], epochs: usize, batch: usize, most: usize, seed: u64) -> Vec<Window> {
    let count = train_rows.iter().sum::<usize>().div_ceil(most.max(1));
    let filled: Vec<usize> = (0..train_rows.len()).filter(|&slice| train_rows[slice] > 0).collect();
    let mut windows = Vec::new();
    let mut step = 1;
    for epoch in 0..epochs {
        let mut random = Random::new(seed, &[SLICES, epoch as u64]);
        let mut dealt = vec![Vec::new(); count];
        let mut order: Vec<usize> = (0..count).collect();
        for neighbours in filled.chunks(count.max(1)) {
            random.shuffle(&mut order);
            neighbours.iter().zip(&order).for_each(|(&slice, &window)| dealt[window].push(slice));
        }
        for (index, slices) in dealt.into_iter().filter(|slices| !slices.is_empty()).enumerate() {
            let rows: usize = slices.iter().map(|&slice| train_rows[slice]).sum();
            let steps = (rows as f64 / batch as f64).round().max(1.0) as u64;
            windows.push(Window { epoch, index, slices, rows, steps: step..step + steps });
            step += steps;
        }
    }
    windows
}

impl Window {
    /// The rows of the window in the order in which they come.
    pub fn permutation(&self, seed: u64) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.rows as u32).collect();
        Random::new(seed, &[ROWS, self.epoch as u64, self.index as u64]).shuffle(&mut order);
        order
    }

    /// The numbers of the window's rows among all rows to train on, in the order in which its slices are read.
    pub fn numbers(&self, train_rows: &[usize]) -> Vec<u32> {
        let (mut before, mut at) = (0, 0);
        let of_slice = |&slice: &usize| {
            before += train_rows[at..slice].iter().sum::<usize>();
            at = slice;
            before as u32..(before + train_rows[slice]) as u32
        };
        self.slices.iter().flat_map(of_slice).collect()
    }

    /// The part of the permutation that `step` takes.
    pub fn batch(&self, step: u64) -> Range<usize> {
        let count = (self.steps.end - self.steps.start) as usize;
        let at = (step - self.steps.start) as usize;
        self.rows * at / count..self.rows * (at + 1) / count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_comes_once_an_epoch_in_batches_of_about_the_size() {
        let train_rows = [1000, 0, 700, 1000, 333];
        let windows = windows(&train_rows, 2, 100, 1_700, 7);
        assert_eq!(windows.len(), 4);
        for epoch in 0..2 {
            let of_epoch: Vec<&Window> = windows.iter().filter(|w| w.epoch == epoch).collect();
            let mut slices: Vec<usize> = of_epoch.iter().flat_map(|w| w.slices.clone()).collect();
            slices.sort_unstable();
            assert_eq!(slices, [0, 2, 3, 4]);
            for window in of_epoch {
                let batches: Vec<Range<usize>> = window.steps.clone().map(|step| window.batch(step)).collect();
                assert_eq!((batches[0].start, batches[batches.len() - 1].end), (0, window.rows));
                assert!(batches.windows(2).all(|pair| pair[0].end == pair[1].start));
                assert!(batches.iter().all(|batch| (90..=112).contains(&batch.len())));
                let mut rows = window.permutation(7);
                rows.sort_unstable();
                assert!(rows.iter().enumerate().all(|(at, &row)| at as u32 == row));
            }
        }
        assert!(windows.windows(2).all(|pair| pair[0].steps.end == pair[1].steps.start));
        assert_eq!(windows[0].steps.start, 1);
    }

    #[test]
    fn every_window_has_its_share_of_every_stretch_of_the_cache() {
        let train_rows = [100; 96];
        let windows = windows(&train_rows, 2, 50, 1_200, 3);
        assert_eq!(windows.len(), 2 * 8);
        for window in &windows {
            assert_eq!(window.slices.len(), 12);
            for (stretch, &slice) in window.slices.iter().enumerate() {
                assert_eq!(slice / 8, stretch, "one of every eight that follow one another");
            }
        }
        assert_ne!(windows[0].slices, windows[8].slices);
    }

    #[test]
    fn a_slice_larger_than_a_window_is_one() {
        let windows = windows(&[50_000, 10], 1, 100, 1_000, 1);
        let mut slices: Vec<_> = windows.iter().map(|window| window.slices.clone()).collect();
        slices.sort();
        assert_eq!(slices, [[0], [1]]);
    }

    #[test]
    fn a_row_has_the_same_number_in_every_epoch() {
        let train_rows = [3, 0, 2, 4];
        for seed in 0..5 {
            let mut all = Vec::new();
            for window in windows(&train_rows, 1, 2, 5, seed) {
                let numbers = window.numbers(&train_rows);
                assert_eq!(numbers.len(), window.rows);
                let first = numbers[0];
                assert_eq!(first, [0, 3, 3, 5][window.slices[0]]);
                all.extend(numbers);
            }
            all.sort_unstable();
            assert_eq!(all, (0..9).collect::<Vec<_>>());
        }
    }

    #[test]
    fn another_seed_gives_another_order() {
        let order = |seed| windows(&[10; 8], 1, 5, 10, seed).iter().map(|w| w.slices[0]).collect::<Vec<_>>();
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}
