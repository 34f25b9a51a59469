//! [`ApiTeacher`]: texts in, unit vectors out, through requests.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crossbeam_channel::bounded;
use limbeck_data::cache::Fingerprint;
use limbeck_data::progress::Silent;
use limbeck_data::{Interrupt, Monitor};
use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo};

use super::answer::{self, Vectors};
use super::client::{ApiClient, Reply};
use super::error::ApiError;
use super::ledger::{Ledger, Spending};
use super::requests::plan;
use super::retry::{RetryPolicy, jitter};
use super::settings::ApiSettings;
use crate::Result;
use crate::embed::TextTeacher;

/// Characters of a text that an error shows.
const SHOWN: usize = 80;

/// An embedding model behind an API.
///
/// Requests are counted in the ledger, and caps hold for all of them.
pub struct ApiTeacher {
    settings: ApiSettings,
    client: ApiClient,
    ledger: Ledger,
    retry: RetryPolicy,
    interrupt: Interrupt,
    dimension: usize,
    /// Whether a batch that was too large has been noted.
    noted: AtomicBool,
}

/// Texts of a call, with the prefix, and the place of the first among all texts.
struct Request<'a> {
    texts: &'a [String],
    first_row: u64,
}

impl Request<'_> {
    fn characters(&self) -> u64 {
        self.texts.iter().map(|text| text.chars().count() as u64).sum()
    }

    /// The request in words.
    fn named(&self, endpoint: &str) -> String {
        let (first, last) = (self.first_row + 1, self.first_row + self.texts.len() as u64);
        match first == last {
            true => format!("POST {endpoint}, text {first}"),
            false => format!("POST {endpoint}, texts {first} to {last}"),
        }
    }
}

impl ApiTeacher {
    /// Asks for the vector of one short text, which tells the width of the vectors, and whether address, key and model
    /// are right. `ledger` is the file that keeps what is spent; without one, caps hold for this process alone.
    ///
    /// # Errors
    /// Settings that can't be, a key that is missing, a server that doesn't answer or refuses.
    pub fn open(settings: ApiSettings, ledger: Option<&Path>, monitor: Monitor) -> Result<Self> {
        Self::open_with(settings, ledger, RetryPolicy::default(), monitor)
    }

    pub(super) fn open_with(
        settings: ApiSettings,
        ledger: Option<&Path>,
        retry: RetryPolicy,
        monitor: Monitor,
    ) -> Result<Self> {
        settings.check()?;
        let mut teacher = Self {
            client: ApiClient::new(&settings)?,
            ledger: Ledger::open(ledger, &settings)?,
            retry,
            interrupt: monitor.interrupt.clone(),
            dimension: 0,
            noted: AtomicBool::new(false),
            settings,
        };
        let probe = [format!("{}a", teacher.settings.prefix)];
        let probe = Request { texts: &probe, first_row: 0 };
        let values = teacher.vectors(&probe, teacher.settings.dimensions, monitor)?;
        teacher.dimension = values.len();
        Ok(teacher)
    }

    /// The fingerprint of a cache that this model fills: all that the vectors depend on, but not the key. `text` is a
    /// hash of the text and of how it was prepared.
    pub fn cache_fingerprint(&self, text: String) -> Fingerprint {
        let dimensions = self.settings.dimensions.map_or(String::new(), |width| format!(", {width} dimensions"));
        Fingerprint {
            teacher: format!("{}{dimensions}", self.settings.name()),
            text,
            prefix: self.settings.prefix.clone(),
            ..Fingerprint::default()
        }
    }

    /// What was spent so far, by the ledger.
    pub fn spent(&self) -> Spending {
        self.ledger.spent()
    }

    /// The vectors of the request's texts; where the server can't take so many, of its halves.
    fn vectors(&self, request: &Request, width: Option<usize>, monitor: Monitor) -> Result<Vec<f32>> {
        let (status, message) = match self.ask(request, width, monitor)? {
            Asked::Vectors(vectors) => return Ok(vectors.values),
            Asked::TooMuch { status, message } => (status, message),
        };
        let texts = request.texts;
        if let [text] = texts {
            let (request, row) = (request.named(self.client.endpoint()), request.first_row + 1);
            let text = text.chars().take(SHOWN).collect();
            return Err(ApiError::TextRefused { request, row, status, message, text }.into());
        }
        if !self.noted.swap(true, Ordering::Relaxed) {
            let count = texts.len();
            monitor.note(&format!("the server refuses {count} texts at once ({status}): they are halved; lower batch"));
        }
        let (left, right) = texts.split_at(texts.len() / 2);
        let second = request.first_row + left.len() as u64;
        let mut all = self.vectors(&Request { texts: left, ..*request }, width, monitor)?;
        let width = all.len() / left.len();
        all.extend(self.vectors(&Request { texts: right, first_row: second }, Some(width), monitor)?);
        Ok(all)
    }

    /// Makes one request, again and again as long as another try may succeed.
    fn ask(&self, request: &Request, width: Option<usize>, monitor: Monitor) -> Result<Asked> {
        let characters = request.characters();
        let reserved = self.ledger.reserve(request.texts.len() as u64, characters)?;
        let reply = self.persist(request, monitor).inspect_err(|_| self.ledger.release(reserved))?;
        let body = match reply {
            Ok(body) => body,
            Err(too_much) => {
                self.ledger.release(reserved);
                return Ok(too_much);
            }
        };
        match answer::read(&body, request.texts.len(), width) {
            Ok(vectors) => {
                self.ledger.settle(reserved, characters, vectors.tokens)?;
                Ok(Asked::Vectors(vectors))
            }
            Err(problem) => {
                // The server has been paid for a useless answer too.
                self.ledger.settle(reserved, characters, None)?;
                Err(ApiError::Answer { request: request.named(self.client.endpoint()), problem }.into())
            }
        }
    }

    /// The body of an answer, or that the request is too large.
    fn persist(&self, request: &Request, monitor: Monitor) -> Result<std::result::Result<Vec<u8>, Asked>> {
        let body = answer::body(&self.settings, request.texts);
        let named = || request.named(self.client.endpoint());
        for failures in 1.. {
            self.interrupt.check()?;
            let (why, after) = match self.client.post(&body) {
                Reply::Answer(body) => return Ok(Ok(body)),
                Reply::TooMuch { status, message } => return Ok(Err(Asked::TooMuch { status, message })),
                Reply::Redirect { to } => return Err(ApiError::Redirected { request: named(), to }.into()),
                Reply::Unsendable { why } => return Err(ApiError::Unsendable { request: named(), why }.into()),
                Reply::Refused { status, message, hint } => {
                    return Err(ApiError::Refused { request: named(), status, message, hint }.into());
                }
                Reply::Later { why, after } => (why, after),
            };
            let Some(pause) = self.retry.pause(failures, after, jitter()) else {
                let why = match after.filter(|after| *after > self.retry.longest_asked) {
                    Some(after) => format!("{why}, and asks to wait {} seconds", after.as_secs()),
                    None => why,
                };
                return Err(ApiError::GaveUp { request: named(), tries: failures, why }.into());
            };
            monitor.note(&format!("{}: {why}; trying again in {:.1} s", named(), pause.as_secs_f64()));
            self.interrupt.wait(pause)?;
        }
        unreachable!("the loop ends after the last try")
    }
}

/// What came of a request and its repetitions.
enum Asked {
    Vectors(Vectors),
    TooMuch { status: u16, message: String },
}

impl TextTeacher for ApiTeacher {
    fn dimension(&self) -> usize {
        self.dimension
    }

    fn encode_texts(
        &self,
        texts: &[&str],
        first_row: u64,
        monitor: Monitor,
        done: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Embeddings> {
        // Servers refuse an empty text; a blank one stands for it.
        let sent = |text: &&str| match format!("{}{text}", self.settings.prefix) {
            text if text.is_empty() => " ".to_owned(),
            text => text,
        };
        let texts: Vec<String> = texts.iter().map(sent).collect();
        // A cap that the whole call would pass is known before its first request is paid for.
        let whole = Request { texts: &texts, first_row };
        self.ledger.check(texts.len() as u64, whole.characters())?;
        let plan = plan(&texts, self.settings.batch);
        let mut all = vec![0.0; texts.len() * self.dimension];
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            let (to, results) = bounded(2 * self.settings.concurrency);
            for _ in 0..self.settings.concurrency.min(plan.len()) {
                let (to, next, plan, texts) = (to.clone(), &next, &plan, &texts);
                scope.spawn(move || {
                    while let Some(rows) = plan.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let request = Request { texts: &texts[rows.clone()], first_row: first_row + rows.start as u64 };
                        let vectors = self.vectors(&request, Some(self.dimension), monitor);
                        // After an error the receiver is gone.
                        if to.send((rows.clone(), vectors)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(to);
            for (rows, vectors) in results {
                let count = rows.len();
                all[rows.start * self.dimension..rows.end * self.dimension].copy_from_slice(&vectors?);
                done(count)?;
            }
            Ok(())
        })
        .map(|()| Embeddings::new(all, self.dimension))
    }
}

impl Encoder for ApiTeacher {
    fn encode(&self, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        let monitor = Monitor::new(&Silent, &self.interrupt);
        Ok(self.encode_texts(texts, 0, monitor, &mut |_| Ok(()))?)
    }

    fn info(&self) -> EncoderInfo {
        EncoderInfo {
            dimension: self.dimension,
            parameters: 0,
            bytes: 0,
            engine: "api",
            precision: "f32",
            threads: self.settings.concurrency,
        }
    }
}

#[cfg(test)]
#[path = "teacher_tests.rs"]
mod tests;
