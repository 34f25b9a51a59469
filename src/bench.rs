//! Speed: sentences per second of several encoders side by side, and how long one sentence alone takes.
//!
//! All models read the same text in the same shuffled order, tokenizing included. Each is first warmed up with 1, 2, 4, …
//! sentences until that takes a quarter of a round; from its speed then follows how many sentences fill a round, a number
//! kept for all rounds. So a teacher of 200 sentences a second is timed on 400 of them where a student is timed on
//! 200,000, and both rounds last about as long (text that is too short is read over and over). Rounds go through the models
//! in turn, each beginning with another, so that a machine that slows down slows all of them; medians are reported.

use std::time::{Duration, Instant};

use limbeck_training::random::Random;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::evaluate::{Model, Watch};

/// Texts in one call: enough for an engine to sort by length, and no more vectors in memory than 4,096.
const CALL: usize = 4_096;
/// A round's sentences at most, whatever the clock says.
const MOST: usize = 1 << 24;
/// Sentences alone before timing begins in each round: after batches, caches and threads settle.
const ALONE_WARM_UP: usize = 3;
/// Sentences alone in a round at most; they suffice for a p99.
const ALONE_MOST: usize = 2_000;

/// How long to measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How often each model has its turn.
    pub rounds: usize,
    /// About how long a turn lasts, in batches.
    pub round: Duration,
    /// About how long a turn goes on with sentences alone.
    pub alone: Duration,
    /// Shuffles the text.
    pub seed: u64,
}

impl Default for Settings {
    /// Five rounds of two seconds, and half a second alone: about 15 seconds a model.
    fn default() -> Self {
        Self { rounds: 5, round: Duration::from_secs(2), alone: Duration::from_millis(500), seed: 1 }
    }
}

/// What was measured of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The model's name.
    pub model: String,
    /// The median of the rounds.
    pub sentences_per_second: f64,
    /// How many sentences it encoded in each round.
    pub sentences: usize,
    /// How many threads it used.
    pub threads: usize,
    /// How long one sentence takes that comes alone.
    pub milliseconds_alone: Alone,
}

/// Milliseconds for a sentence that comes alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Alone {
    /// The median.
    pub p50: f64,
    /// Only one in a hundred takes longer; with fewer than 100 timed, the longest.
    pub p99: f64,
}

/// Measures `models` on `texts`; a measurement a model, in their order.
///
/// Errors where there is no text or an engine fails; an interrupt is heard between calls.
pub fn bench(models: &[Model<'_>], texts: &[&str], settings: &Settings, watch: Watch<'_>) -> Result<Vec<Measurement>> {
    let start = Instant::now();
    bench_by(&|| start.elapsed(), models, texts, settings, watch)
}

/// A clock: the time since some moment.
type Clock<'a> = &'a dyn Fn() -> Duration;

fn bench_by(
    clock: Clock<'_>,
    models: &[Model<'_>],
    texts: &[&str],
    settings: &Settings,
    watch: Watch<'_>,
) -> Result<Vec<Measurement>> {
    if texts.is_empty() {
        return Err(Error::TooFew { what: "texts for a bench".into(), found: 0, needed: 1 });
    }
    let mut shuffled = texts.to_vec();
    Random::new(settings.seed, &[]).shuffle(&mut shuffled);
    // A short text is repeated, so that calls aren't cut small.
    let length = shuffled.len().max(CALL);
    let texts: Vec<&str> = shuffled.into_iter().cycle().take(length).collect();

    let rounds = settings.rounds.max(1);
    let bar = watch.progress.stage("bench", Some((models.len() * (rounds + 1)) as u64), "turns");
    let mut turns = Vec::with_capacity(models.len());
    for model in models {
        bar.set(&format!("{}: warm-up", model.name));
        turns.push(Turn::warm_up(*model, &texts, settings.round, Surroundings { clock, watch })?);
        bar.add(1);
    }
    for round in 0..rounds {
        for place in 0..turns.len() {
            let place = (place + round) % models.len();
            let turn = &mut turns[place];
            bar.set(&format!("{}: round {} of {rounds}", turn.model.name, round + 1));
            turn.take(settings.alone)?;
            bar.add(1);
        }
    }
    Ok(turns.into_iter().map(Turn::finish).collect())
}

#[derive(Clone, Copy)]
struct Surroundings<'a> {
    clock: Clock<'a>,
    watch: Watch<'a>,
}

/// One model's texts, its round and what was timed so far.
struct Turn<'a> {
    model: Model<'a>,
    around: Surroundings<'a>,
    texts: Texts<'a>,
    sentences: usize,
    per_second: Vec<f64>,
    next_alone: usize,
    alone: Vec<f64>,
}

/// The shuffled text, with the model's prefix where it has one.
enum Texts<'a> {
    AsTheyAre(&'a [&'a str]),
    Prefixed(Vec<String>),
}

impl<'a> Turn<'a> {
    fn warm_up(model: Model<'a>, texts: &'a [&'a str], round: Duration, around: Surroundings<'a>) -> Result<Self> {
        let texts = model.prefixed(texts).map_or(Texts::AsTheyAre(texts), Texts::Prefixed);
        let mut turn =
            Self { model, around, texts, sentences: 1, per_second: Vec::new(), next_alone: 0, alone: Vec::new() };
        loop {
            let seconds = turn.batches()?.as_secs_f64();
            if seconds >= round.as_secs_f64() / 4.0 || turn.sentences >= MOST {
                let fill = turn.sentences as f64 * round.as_secs_f64() / seconds.max(1e-9);
                turn.sentences = (fill.round() as usize).clamp(1, MOST);
                return Ok(turn);
            }
            turn.sentences *= 2;
        }
    }

    fn take(&mut self, alone: Duration) -> Result<()> {
        let seconds = self.batches()?.as_secs_f64();
        self.per_second.push(self.sentences as f64 / seconds.max(1e-9));
        for _ in 0..ALONE_WARM_UP {
            self.one_alone()?;
        }
        let begin = (self.around.clock)();
        for _ in 0..ALONE_MOST {
            let took = self.one_alone()?;
            self.alone.push(took.as_secs_f64() * 1e3);
            if (self.around.clock)() - begin >= alone {
                break;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Measurement {
        Measurement {
            model: self.model.name.to_owned(),
            sentences_per_second: median(&mut self.per_second),
            sentences: self.sentences,
            threads: self.model.encoder.info().threads,
            milliseconds_alone: Alone { p50: percentile(&mut self.alone, 50), p99: percentile(&mut self.alone, 99) },
        }
    }

    /// Encodes the first `sentences` texts, over and over where there are fewer; how long it took.
    fn batches(&self) -> Result<Duration> {
        match &self.texts {
            Texts::AsTheyAre(texts) => self.calls(texts),
            Texts::Prefixed(texts) => self.calls(&texts.iter().map(String::as_str).collect::<Vec<_>>()),
        }
    }

    fn calls(&self, texts: &[&str]) -> Result<Duration> {
        let begin = (self.around.clock)();
        let mut left = self.sentences;
        for call in texts.chunks(CALL).cycle() {
            self.around.watch.interrupt.check()?;
            let call = &call[..left.min(call.len())];
            self.encode(call)?;
            left -= call.len();
            if left == 0 {
                break;
            }
        }
        Ok((self.around.clock)() - begin)
    }

    /// Encodes the next text alone; how long it took.
    fn one_alone(&mut self) -> Result<Duration> {
        self.around.watch.interrupt.check()?;
        let text = match &self.texts {
            Texts::AsTheyAre(texts) => texts[self.next_alone % texts.len()],
            Texts::Prefixed(texts) => &texts[self.next_alone % texts.len()],
        };
        let begin = (self.around.clock)();
        self.encode(&[text])?;
        let took = (self.around.clock)() - begin;
        self.next_alone += 1;
        Ok(took)
    }

    fn encode(&self, texts: &[&str]) -> Result<()> {
        let vectors = self.model.encoder.encode(texts).map_err(|source| Error::Encode {
            model: self.model.name.to_owned(),
            what: "the bench's texts".into(),
            source,
        })?;
        std::hint::black_box(&vectors);
        Ok(())
    }
}

/// The middle of `values`, or the mean of the two in the middle; 0 of none.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    match (values.get(upper.wrapping_sub(1)), values.get(upper)) {
        (Some(below), Some(above)) if values.len().is_multiple_of(2) => (below + above) / 2.0,
        (_, Some(middle)) => *middle,
        _ => 0.0,
    }
}

/// The smallest of `values` that at least `percent` % of them don't exceed (the nearest rank); 0 of none.
fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests;
