//! The queue before the model, and the thread that empties it.
//!
//! A round takes what waits: whole requests, and of large ones a part, so that no request waits for more than a round
//! and its turn. Nothing waits for more requests to come: where there is one, it is a round.

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use limbeck_encoder::EncodeError;
use tokio::sync::oneshot;

use crate::gate::Place;
use crate::host::Host;
use crate::input::{Input, Rows};
use crate::metrics::Metrics;
use crate::model::{Encoded, Model};
use crate::refusal::Refusal;

/// How long a round should take.
const ROUND: Duration = Duration::from_millis(40);
/// Texts of a round for each thread of the model, at least and at most.
const TEXTS: Range<usize> = 64..1_024;

/// A request in the queue. It keeps its place as long as it is there, though its client may have left: what the queue
/// holds is bounded too.
pub(crate) struct Job {
    pub(crate) input: Input,
    pub(crate) place: Place,
    pub(crate) reply: oneshot::Sender<Result<(Vectors, Place), Refusal>>,
}

/// The vectors of a request, row after row, and the number of its tokens.
#[derive(Debug, Default)]
pub(crate) struct Vectors {
    pub(crate) values: Vec<f32>,
    pub(crate) width: usize,
    pub(crate) tokens: u64,
}

/// A request of which some rows may be encoded already.
struct Waiting {
    job: Job,
    done: usize,
    vectors: Vectors,
}

impl Waiting {
    fn new(job: Job) -> Self {
        Self { job, done: 0, vectors: Vectors::default() }
    }

    /// Takes the `place` and the rows after it of what a round gave, as many as `rows` has.
    fn take(&mut self, encoded: &Encoded, place: usize, rows: &Range<usize>) {
        let (width, values) = (encoded.vectors.dimension(), encoded.vectors.as_slice());
        if self.vectors.values.is_empty() {
            self.vectors.values.reserve_exact(self.job.input.rows() * width);
        }
        self.vectors.values.extend_from_slice(&values[place * width..(place + rows.len()) * width]);
        self.vectors.width = width;
        let tokens = encoded.tokens.get(place..place + rows.len()).unwrap_or_default();
        self.vectors.tokens += tokens.iter().sum::<usize>() as u64;
        self.done = rows.end;
    }

    fn answer(self, with: Result<(), Refusal>) {
        // A client that has left takes no answer.
        let _ = self.job.reply.send(with.map(|()| (self.vectors, self.job.place)));
    }
}

/// Empties the queue until nobody can put anything into it.
pub(crate) fn run(model: &Model, jobs: &Receiver<Job>, metrics: &Metrics, host: &dyn Host) {
    let mut queue: VecDeque<Waiting> = VecDeque::new();
    let mut most = TEXTS.start * model.threads;
    loop {
        if queue.is_empty() {
            let Ok(job) = jobs.recv() else { return };
            queue.push_back(Waiting::new(job));
        }
        queue.extend(jobs.try_iter().map(Waiting::new));
        let before = queue.len();
        queue.retain(|waiting| !waiting.job.reply.is_closed());
        metrics.abandoned.fetch_add((before - queue.len()) as u64, Ordering::Relaxed);
        let round = next_round(&mut queue, most);
        if round.is_empty() {
            continue;
        }
        let begun = Instant::now();
        let texts = round.iter().map(|(_, rows)| rows.len()).sum();
        let (unfinished, tokens) = encode_round(model, round, host);
        queue.extend(unfinished);
        let taken = begun.elapsed();
        metrics.round(texts, tokens, taken);
        most = texts_of(ROUND, texts, taken).clamp(TEXTS.start * model.threads, TEXTS.end * model.threads);
    }
}

/// How many texts take `time`, where `texts` took `taken`.
fn texts_of(time: Duration, texts: usize, taken: Duration) -> usize {
    (texts as f64 * time.as_secs_f64() / taken.as_secs_f64().max(1e-9)) as usize
}

/// The requests of the next round, each with the rows that are its turn: at most `most` rows, of one kind.
fn next_round(queue: &mut VecDeque<Waiting>, most: usize) -> Vec<(Waiting, Range<usize>)> {
    let mut round: Vec<(Waiting, Range<usize>)> = Vec::new();
    let mut room = most;
    while let Some(next) = queue.front() {
        let same = round.first().is_none_or(|(first, _)| {
            std::mem::discriminant(&first.job.input) == std::mem::discriminant(&next.job.input)
        });
        if room == 0 || !same {
            break;
        }
        let Some(waiting) = queue.pop_front() else { break };
        let rows = waiting.done..waiting.job.input.rows().min(waiting.done + room);
        room -= rows.len();
        round.push((waiting, rows));
    }
    round
}

/// Encodes a round and answers what is finished. Gives the rest, and the number of the round's tokens.
fn encode_round(model: &Model, round: Vec<(Waiting, Range<usize>)>, host: &dyn Host) -> (Vec<Waiting>, u64) {
    let encoded = encode(model, &round);
    match encoded {
        Ok(encoded) => {
            let tokens = encoded.tokens.iter().sum::<usize>() as u64;
            let (mut place, mut unfinished) = (0, Vec::new());
            for (mut waiting, rows) in round {
                waiting.take(&encoded, place, &rows);
                place += rows.len();
                match waiting.done < waiting.job.input.rows() {
                    true => unfinished.push(waiting),
                    false => waiting.answer(Ok(())),
                }
            }
            (unfinished, tokens)
        }
        Err(error) if round.len() == 1 => {
            host.note(&format!("a request of {} texts failed: {}", round[0].0.job.input.rows(), in_full(&*error)));
            round.into_iter().for_each(|(waiting, _)| waiting.answer(Err(refusal(&*error))));
            (Vec::new(), 0)
        }
        // One request must not fail for another's text: each is encoded alone.
        Err(_) => round.into_iter().map(|one| encode_round(model, vec![one], host)).fold(
            (Vec::new(), 0),
            |(mut unfinished, tokens), (more, own)| {
                unfinished.extend(more);
                (unfinished, tokens + own)
            },
        ),
    }
}

fn encode(model: &Model, round: &[(Waiting, Range<usize>)]) -> Result<Encoded, EncodeError> {
    let Some((first, _)) = round.first() else { return Err("a round without a request".into()) };
    let mut rows = Rows::like(&first.job.input);
    for (waiting, part) in round {
        rows.add(&waiting.job.input, part.clone());
    }
    // The thread serves all requests, so a panic of the engine must not end it.
    catch_unwind(AssertUnwindSafe(|| model.encode(&rows))).unwrap_or_else(|_| Err("the engine panicked".into()))
}

/// An error with its sources, in one line.
fn in_full(error: &(dyn std::error::Error + 'static)) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |all, source| format!("{all}: {source}"))
}

/// What a client is told of the engine's error: no more than its own part in it.
fn refusal(error: &(dyn std::error::Error + 'static)) -> Refusal {
    match error.downcast_ref::<limbeck_encoder::Error>() {
        Some(limbeck_encoder::Error::Tokenise { .. }) => {
            Refusal::field(Some("input"), "a text of the input can't be cut into tokens")
        }
        _ => Refusal::internal(),
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
