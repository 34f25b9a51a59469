//! Speed: sentences per second of several encoders side by side, and the latency of one sentence alone.
//!
//! All models read the same text in the same shuffled order, tokenizing included. The warm-up encodes 1, 2, 4, …
//! sentences until that takes a quarter of a round; the speed then decides how many sentences fill a round, the same
//! number in all rounds. So a teacher of 200 sentences a second is timed on 400 sentences and a student on 200,000, and
//! both rounds last about as long (a short text is repeated). In each round every model has one turn, and another model
//! begins, so that a machine that slows down slows all of them; medians are reported.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use limbeck_data::Monitor;
use limbeck_training::random::Random;
use serde::{Deserialize, Serialize};

use super::model::NamedModel;
use crate::error::{Error, Result};

/// Texts in one call: enough for an engine to sort by length, and a bound on the vectors in memory.
const TEXTS_PER_CALL: usize = 4_096;
/// The most sentences in a round, however fast the engine is.
const MOST_SENTENCES: usize = 1 << 24;
/// Sentences alone before the timing of latency begins in each round, so that caches and threads settle after the
/// batches.
const LATENCY_WARM_UP: usize = 3;
/// The most sentences alone in a round; they suffice for a p99.
const MOST_ALONE: usize = 2_000;

/// How often and how long to measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Turns of each model.
    pub rounds: usize,
    /// About how long the batches of a turn take.
    pub round: Duration,
    /// About how long the sentences alone of a turn take.
    pub alone: Duration,
    /// Seeds the shuffling of the text.
    pub seed: u64,
}

impl Default for Settings {
    /// Five rounds of two seconds, and half a second alone: about 15 seconds a model.
    fn default() -> Self {
        Self { rounds: 5, round: Duration::from_secs(2), alone: Duration::from_millis(500), seed: 1 }
    }
}

/// The speed of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// The model's name.
    pub model: String,
    /// The median over the rounds.
    pub sentences_per_second: f64,
    /// The number of sentences in each round.
    pub sentences: usize,
    /// The number of threads the model used.
    pub threads: usize,
    /// The latency of a sentence that comes alone.
    pub milliseconds_alone: Latency,
}

/// Milliseconds from a text to its vector.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// The 99th percentile; with fewer than 100 sentences timed, the longest.
    pub p99: f64,
}

/// Measures `models` on `texts` side by side; the speeds come in the order of the models.
///
/// # Errors
/// No text, or an engine that fails. An interrupt is noticed between calls.
pub fn measure_speed(
    models: &[NamedModel<'_>],
    texts: &[&str],
    settings: &Settings,
    monitor: Monitor<'_>,
) -> Result<Vec<Speed>> {
    let start = Instant::now();
    measure_with_clock(&|| start.elapsed(), models, texts, settings, monitor)
}

/// A clock: the time since some moment.
type Clock<'a> = &'a dyn Fn() -> Duration;

fn measure_with_clock(
    clock: Clock<'_>,
    models: &[NamedModel<'_>],
    texts: &[&str],
    settings: &Settings,
    monitor: Monitor<'_>,
) -> Result<Vec<Speed>> {
    if texts.is_empty() {
        return Err(Error::TooFew { what: "texts for a bench".into(), found: 0, needed: 1 });
    }
    let mut shuffled = texts.to_vec();
    Random::new(settings.seed, &[]).shuffle(&mut shuffled);
    // A short text is repeated, so that no call is small.
    let length = shuffled.len().max(TEXTS_PER_CALL);
    let texts: Vec<&str> = shuffled.into_iter().cycle().take(length).collect();
    let prefixed: Vec<Vec<Cow<'_, str>>> = models.iter().map(|model| model.prefixed(&texts)).collect();

    let rounds = settings.rounds.max(1);
    let bar = monitor.stage("bench", Some((models.len() * (rounds + 1)) as u64), "turns");
    let mut contestants = Vec::with_capacity(models.len());
    for (model, prefixed) in models.iter().zip(&prefixed) {
        bar.set(&format!("{}: warm-up", model.name));
        let mut contestant = Contestant {
            model: *model,
            clock,
            monitor,
            texts: prefixed.iter().map(|text| &**text).collect(),
            sentences: 1,
            per_second: Vec::new(),
            next_alone: 0,
            milliseconds_alone: Vec::new(),
        };
        contestant.warm_up(settings.round)?;
        contestants.push(contestant);
        bar.add(1);
    }
    for round in 0..rounds {
        for place in 0..contestants.len() {
            let contestant = &mut contestants[(place + round) % models.len()];
            bar.set(&format!("{}: round {} of {rounds}", contestant.model.name, round + 1));
            contestant.take_turn(settings.alone)?;
            bar.add(1);
        }
    }
    Ok(contestants.into_iter().map(Contestant::finish).collect())
}

/// One model, and the times taken so far.
struct Contestant<'a> {
    model: NamedModel<'a>,
    clock: Clock<'a>,
    monitor: Monitor<'a>,
    /// The shuffled text, with the model's prefix where it has one.
    texts: Vec<&'a str>,
    /// The number of sentences in a round.
    sentences: usize,
    per_second: Vec<f64>,
    next_alone: usize,
    milliseconds_alone: Vec<f64>,
}

impl Contestant<'_> {
    /// Finds how many sentences fill a round.
    fn warm_up(&mut self, round: Duration) -> Result<()> {
        loop {
            let seconds = self.encode_batches()?.as_secs_f64();
            if seconds >= round.as_secs_f64() / 4.0 || self.sentences >= MOST_SENTENCES {
                let fill = self.sentences as f64 * round.as_secs_f64() / seconds.max(1e-9);
                self.sentences = (fill.round() as usize).clamp(1, MOST_SENTENCES);
                return Ok(());
            }
            self.sentences *= 2;
        }
    }

    /// Times a round of batches, then sentences alone for about `alone`.
    fn take_turn(&mut self, alone: Duration) -> Result<()> {
        let seconds = self.encode_batches()?.as_secs_f64();
        self.per_second.push(self.sentences as f64 / seconds.max(1e-9));
        for _ in 0..LATENCY_WARM_UP {
            self.encode_one_alone()?;
        }
        let begin = (self.clock)();
        for _ in 0..MOST_ALONE {
            let took = self.encode_one_alone()?;
            self.milliseconds_alone.push(took.as_secs_f64() * 1e3);
            if (self.clock)() - begin >= alone {
                break;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Speed {
        let alone = &mut self.milliseconds_alone;
        Speed {
            model: self.model.name.to_owned(),
            sentences_per_second: median(&mut self.per_second),
            sentences: self.sentences,
            threads: self.model.encoder.info().threads,
            milliseconds_alone: Latency { p50: percentile(alone, 50), p99: percentile(alone, 99) },
        }
    }

    /// Encodes `sentences` texts, repeated where there are fewer, and returns the time taken.
    fn encode_batches(&self) -> Result<Duration> {
        let begin = (self.clock)();
        let mut left = self.sentences;
        for call in self.texts.chunks(TEXTS_PER_CALL).cycle() {
            let call = &call[..left.min(call.len())];
            self.encode(call)?;
            left -= call.len();
            if left == 0 {
                break;
            }
        }
        Ok((self.clock)() - begin)
    }

    /// Encodes the next text alone and returns the time taken.
    fn encode_one_alone(&mut self) -> Result<Duration> {
        let text = self.texts[self.next_alone % self.texts.len()];
        let begin = (self.clock)();
        self.encode(&[text])?;
        let took = (self.clock)() - begin;
        self.next_alone += 1;
        Ok(took)
    }

    fn encode(&self, texts: &[&str]) -> Result<()> {
        self.monitor.check()?;
        let vectors = self.model.encoder.encode(texts).map_err(|source| Error::Encode {
            model: self.model.name.to_owned(),
            what: "the bench's texts".into(),
            source,
        })?;
        std::hint::black_box(&vectors);
        Ok(())
    }
}

/// The median of `values`, of an even number the mean of the two in the middle; 0 of none.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    if values.is_empty() { 0.0 } else { (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0 }
}

/// The percentile of `values` by nearest rank: the smallest that at least `percent` % of them do not exceed; 0 of none.
fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests;
