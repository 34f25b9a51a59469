//! The batches of a distillation: in which order a cache's texts come, and the windows in which they are read.

use std::ops::Range;

use candle_core::Tensor;
use limbeck_data::cache::{SHARD_ROWS, Shard};
use limbeck_encoder::TokenBatch;
use limbeck_training::random::Random;
use limbeck_training::{Batches, Span};
use serde_json::{Value, json};

use super::job::DistilJob;
use super::targets::{Examples, Survey};
use crate::error::{Error, Result};

/// Raised when the examples come in another order than before: a checkpoint of the old order can't be resumed from.
const ORDER_VERSION: u32 = 2;

/// Random streams, by number.
const SLICES: u64 = 10;
const ROWS: u64 = 11;

/// Slices of the cache that are shuffled together, and the steps that draw from them.
#[derive(Debug, Clone, PartialEq)]
struct SliceWindow {
    span: Span,
    /// The number of this window in its epoch.
    index: usize,
    /// The slices' numbers, ascending.
    slices: Vec<usize>,
    /// The rows to train on in all of them.
    rows: usize,
    /// The examples that these rows give: more where some come more than once.
    examples: usize,
}

/// What a slice gives to train on.
#[derive(Debug, Clone, Copy)]
struct SliceRows {
    rows: usize,
    examples: usize,
}

/// All windows of a training, of about `most` rows each. The batches of a window have about `batch` examples and differ
/// by one at most.
///
/// Text often comes sorted by source. So neighbouring slices go to different windows, and to others in every epoch:
/// each window is a sample of the whole cache, and only among a few slices does chance decide which kinds of text it
/// holds.
fn windows(of_slices: &[SliceRows], epochs: usize, batch: usize, most: usize, seed: u64) -> Vec<SliceWindow> {
    let count = of_slices.iter().map(|slice| slice.rows).sum::<usize>().div_ceil(most.max(1));
    let filled: Vec<usize> = (0..of_slices.len()).filter(|&slice| of_slices[slice].rows > 0).collect();
    let mut windows = Vec::new();
    let mut step = 1;
    for epoch in 0..epochs as u64 {
        let mut random = Random::new(seed, &[SLICES, epoch]);
        let mut dealt = vec![Vec::new(); count];
        let mut order: Vec<usize> = (0..count).collect();
        for neighbours in filled.chunks(count.max(1)) {
            random.shuffle(&mut order);
            neighbours.iter().zip(&order).for_each(|(&slice, &window)| dealt[window].push(slice));
        }
        for (index, slices) in dealt.into_iter().filter(|slices| !slices.is_empty()).enumerate() {
            let sum = |of: fn(SliceRows) -> usize| slices.iter().map(|&slice| of(of_slices[slice])).sum::<usize>();
            let (rows, examples) = (sum(|slice| slice.rows), sum(|slice| slice.examples));
            let steps = (examples as f64 / batch as f64).round().max(1.0) as u64;
            let span = Span { window: windows.len(), epoch, steps: step..step + steps };
            windows.push(SliceWindow { span, index, slices, rows, examples });
            step += steps;
        }
    }
    windows
}

impl SliceWindow {
    /// The rows of the window in the order in which they come, each as often as `times` says of it.
    fn permutation(&self, times: &[usize], seed: u64) -> Vec<u32> {
        let of_row = |(row, &times)| std::iter::repeat_n(row, times);
        let mut order: Vec<u32> = (0..).zip(times).flat_map(of_row).collect();
        Random::new(seed, &[ROWS, self.span.epoch, self.index as u64]).shuffle(&mut order);
        order
    }

    /// The classes of the window's rows, in the order in which its slices are read. A text's class is its number among
    /// all texts to train on.
    fn classes(&self, train_rows: &[usize]) -> Vec<u32> {
        let (mut before, mut at) = (0, 0);
        let of_slice = |&slice: &usize| {
            before += train_rows[at..slice].iter().sum::<usize>();
            at = slice;
            before as u32..(before + train_rows[slice]) as u32
        };
        self.slices.iter().flat_map(of_slice).collect()
    }

    /// The part of the permutation that `step` takes.
    fn batch(&self, step: u64) -> Range<usize> {
        let count = (self.span.steps.end - self.span.steps.start) as usize;
        let at = (step - self.span.steps.start) as usize;
        self.examples * at / count..self.examples * (at + 1) / count
    }
}

/// The examples of a step.
pub(super) struct DistilBatch {
    pub(super) tokens: TokenBatch,
    /// `[texts, dimension]`
    pub(super) targets: Tensor,
    /// The classes of the texts; the last text is the empty one, which has none.
    pub(super) classes: Vec<u32>,
}

/// The examples of a window, and their order.
pub(super) struct ReadWindow {
    examples: Examples,
    permutation: Vec<u32>,
    classes: Vec<u32>,
}

/// A cache's texts and vectors, window after window.
pub(super) struct CacheBatches<'a> {
    job: &'a DistilJob<'a>,
    survey: &'a Survey,
    windows: Vec<SliceWindow>,
    /// What the student is to make of the empty text.
    empty_target: Vec<f32>,
}

impl<'a> CacheBatches<'a> {
    /// The batches of a distillation; the empty text, with `empty_target`, is the last of every batch.
    pub(super) fn new(job: &'a DistilJob<'a>, survey: &'a Survey, empty_target: Vec<f32>) -> Self {
        let settings = job.settings;
        let most = settings.window.saturating_mul(SHARD_ROWS);
        let passes = settings.passes(survey.train_rows.iter().sum());
        let further = settings.documents - 1;
        let of_slice = |(&rows, documents): (&usize, &usize)| SliceRows { rows, examples: rows + further * documents };
        let of_slices: Vec<SliceRows> = survey.train_rows.iter().zip(&survey.documents).map(of_slice).collect();
        let windows = windows(&of_slices, passes, settings.batch, most, settings.seed);
        Self { job, survey, windows, empty_target }
    }

    /// How often these rows of `shard` come in a pass.
    fn times(&self, shard: &Shard, rows: &[usize]) -> Vec<usize> {
        let of = |is_document| if is_document { self.job.settings.documents } else { 1 };
        self.job.documents.map_or_else(|| vec![1; rows.len()], |all| all.among(shard, rows).map(of).collect())
    }

    fn window_of(&self, step: u64) -> &SliceWindow {
        &self.windows[self.windows.partition_point(|window| window.span.steps.end <= step)]
    }

    /// The rows of `step` in its window.
    fn rows<'w>(&self, window: &'w ReadWindow, step: u64) -> &'w [u32] {
        &window.permutation[self.window_of(step).batch(step)]
    }
}

impl Batches for CacheBatches<'_> {
    type Window = ReadWindow;
    type Batch = DistilBatch;
    type Error = Error;

    fn steps(&self) -> u64 {
        self.windows.last().map_or(0, |window| window.span.steps.end - 1)
    }

    fn span(&self, step: u64) -> Span {
        self.window_of(step).span.clone()
    }

    fn read(&self, span: &Span) -> Result<ReadWindow> {
        let window = &self.windows[span.window];
        let (targets, cache) = (&self.job.targets, self.job.targets.cache);
        let vectors = Vec::with_capacity(window.rows * targets.dimension());
        let mut all = Examples { tokens: TokenBatch::new(), targets: vectors };
        let mut times = Vec::with_capacity(window.rows);
        for &slice in &window.slices {
            let shard = cache.read_slice(&self.survey.slices[slice])?;
            let (examples, rows) = targets.examples_and_rows(&shard)?;
            times.extend(self.times(&shard, &rows));
            examples.tokens.iter().for_each(|row| all.tokens.push(row));
            all.targets.extend_from_slice(&examples.targets);
        }
        if all.tokens.rows() != window.rows {
            let reason = format!("changed while it was read: {} texts instead of {}", all.tokens.rows(), window.rows);
            return Err(Error::targets(cache.path(), reason));
        }
        let permutation = window.permutation(&times, self.job.settings.seed);
        let classes = window.classes(&self.survey.train_rows);
        Ok(ReadWindow { examples: all, permutation, classes })
    }

    fn batch(&self, window: &ReadWindow, step: u64) -> Result<DistilBatch> {
        let (rows, dimension) = (self.rows(window, step), self.job.targets.dimension());
        let mut tokens = TokenBatch::new();
        let mut targets = Vec::with_capacity((rows.len() + 1) * dimension);
        for &row in rows {
            tokens.push(window.examples.tokens.row(row as usize));
            targets.extend_from_slice(&window.examples.targets[row as usize * dimension..][..dimension]);
        }
        tokens.push(&[self.job.targets.empty_token()]);
        targets.extend_from_slice(&self.empty_target);
        let targets = Tensor::from_vec(targets, (rows.len() + 1, dimension), &self.job.device);
        let classes = rows.iter().map(|&row| window.classes[row as usize]).collect();
        Ok(DistilBatch { tokens, targets: targets.map_err(Error::tensor("the targets of a batch"))?, classes })
    }

    /// A text a line: its number from 1 among the texts to train on, and the text. The texts are read again: a window
    /// keeps their tokens alone.
    fn describe(&self, window: &ReadWindow, step: u64) -> Result<String> {
        let mut rows = self.rows(window, step).to_vec();
        rows.sort_unstable();
        let (targets, mut texts) = (&self.job.targets, Vec::new());
        for &slice in &self.window_of(step).slices {
            texts.extend(targets.trained_texts(targets.cache.read_slice(&self.survey.slices[slice])?)?);
        }
        let line = |&row: &u32| {
            let text = texts.get(row as usize).map_or("", String::as_str).replace(['\n', '\r'], " ");
            format!("{}\t{text}\n", window.classes[row as usize] + 1)
        };
        Ok(rows.iter().map(line).collect())
    }

    fn identity(&self) -> Value {
        let (targets, survey) = (&self.job.targets, self.survey);
        let (rows, hash, dimension) = (&survey.train_rows, &survey.hash, targets.dimension());
        json!({"order": ORDER_VERSION, "rows": rows, "targets": hash, "dimension": dimension})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn once(train_rows: &[usize]) -> Vec<SliceRows> {
        train_rows.iter().map(|&rows| SliceRows { rows, examples: rows }).collect()
    }

    #[test]
    fn a_row_that_comes_more_often_does_so_within_its_window_in_batches_of_the_size() {
        let of_slices = [SliceRows { rows: 40, examples: 70 }, SliceRows { rows: 50, examples: 50 }];
        let windows = windows(&of_slices, 2, 10, 1_000, 7);
        assert_eq!(windows.len(), 2);
        let times: Vec<usize> = (0..90).map(|row| if row < 10 { 4 } else { 1 }).collect();
        for window in &windows {
            assert!(window.span.steps.clone().all(|step| window.batch(step).len() == 10));
            let order = window.permutation(&times, 7);
            let counts: Vec<usize> = (0..90).map(|row| order.iter().filter(|&&at| at == row).count()).collect();
            assert_eq!(counts, times);
        }
    }

    #[test]
    fn every_row_comes_once_an_epoch_in_batches_of_about_the_size() {
        let train_rows = [1000, 0, 700, 1000, 333];
        let windows = windows(&once(&train_rows), 2, 100, 1_700, 7);
        assert_eq!(windows.len(), 4);
        for epoch in 0..2u64 {
            let of_epoch: Vec<&SliceWindow> = windows.iter().filter(|w| w.span.epoch == epoch).collect();
            let mut slices: Vec<usize> = of_epoch.iter().flat_map(|w| w.slices.clone()).collect();
            slices.sort_unstable();
            assert_eq!(slices, [0, 2, 3, 4]);
            for window in of_epoch {
                let batches: Vec<Range<usize>> = window.span.steps.clone().map(|step| window.batch(step)).collect();
                assert_eq!((batches[0].start, batches[batches.len() - 1].end), (0, window.rows));
                assert!(batches.windows(2).all(|pair| pair[0].end == pair[1].start));
                assert!(batches.iter().all(|batch| (90..=112).contains(&batch.len())));
                let mut rows = window.permutation(&vec![1; window.rows], 7);
                rows.sort_unstable();
                assert!(rows.iter().enumerate().all(|(at, &row)| at as u32 == row));
            }
        }
        assert!(windows.windows(2).all(|pair| pair[0].span.steps.end == pair[1].span.steps.start));
        assert_eq!(windows[0].span.steps.start, 1);
    }

    #[test]
    fn every_window_has_its_share_of_every_stretch_of_the_cache() {
        let train_rows = [100; 96];
        let windows = windows(&once(&train_rows), 2, 50, 1_200, 3);
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
        let windows = windows(&once(&[50_000, 10]), 1, 100, 1_000, 1);
        let mut slices: Vec<_> = windows.iter().map(|window| window.slices.clone()).collect();
        slices.sort();
        assert_eq!(slices, [[0], [1]]);
    }

    #[test]
    fn a_text_has_the_same_class_in_every_epoch() {
        let train_rows = [3, 0, 2, 4];
        for seed in 0..5 {
            let mut all = Vec::new();
            for window in windows(&once(&train_rows), 1, 2, 5, seed) {
                let numbers = window.classes(&train_rows);
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
        let order = |seed| windows(&once(&[10; 8]), 1, 5, 10, seed).iter().map(|w| w.slices[0]).collect::<Vec<_>>();
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}
