//! [`Gate`]: how much is asked for at once. A request counts from its last byte in to the last byte of its answer out,
//! so that slow clients take no place; the bytes of their bodies count as they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::refusal::Refusal;
use crate::settings::Limits;

/// Counts the requests that are being answered, the bytes of their bodies, and their texts.
pub(crate) struct Gate {
    requests: Count,
    bytes: Count,
    texts: Count,
}

impl Gate {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            requests: Count::up_to(limits.requests),
            bytes: Count::up_to(limits.bytes_held()),
            texts: Count::up_to(limits.texts_held()),
        }
    }

    /// The place of a request of which nothing is counted yet.
    pub(crate) fn place(self: &Arc<Self>) -> Place {
        Place { gate: self.clone(), requests: 0, bytes: 0, texts: 0 }
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.now.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.now.load(Ordering::Relaxed)
    }

    pub(crate) fn texts(&self) -> usize {
        self.texts.now.load(Ordering::Relaxed)
    }
}

/// What is counted of a request; dropped, it leaves its place to others.
pub(crate) struct Place {
    gate: Arc<Gate>,
    requests: usize,
    bytes: usize,
    texts: usize,
}

impl Place {
    /// Counts the request.
    ///
    /// # Errors
    /// There are as many as may be.
    pub(crate) fn add_request(&mut self) -> Result<(), Refusal> {
        self.gate.requests.add(1).ok_or_else(|| Refusal::busy("requests"))?;
        self.requests += 1;
        Ok(())
    }

    /// Counts more bytes of the body.
    ///
    /// # Errors
    /// There are as many as may be.
    pub(crate) fn add_bytes(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.gate.bytes.add(bytes).ok_or_else(|| Refusal::busy("bytes"))?;
        self.bytes += bytes;
        Ok(())
    }

    /// Counts the texts.
    ///
    /// # Errors
    /// There are as many as may be.
    pub(crate) fn add_texts(&mut self, texts: usize) -> Result<(), Refusal> {
        self.gate.texts.add(texts).ok_or_else(|| Refusal::busy("texts"))?;
        self.texts += texts;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.requests.remove(self.requests);
        self.gate.bytes.remove(self.bytes);
        self.gate.texts.remove(self.texts);
    }
}

/// A number with a bound.
struct Count {
    now: AtomicUsize,
    most: usize,
}

impl Count {
    fn up_to(most: usize) -> Self {
        Self { now: AtomicUsize::new(0), most }
    }

    /// Adds `more`; `None`, and nothing is added, where that passes the bound.
    fn add(&self, more: usize) -> Option<()> {
        let sum = |now: usize| now.checked_add(more).filter(|&sum| sum <= self.most);
        self.now.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum).ok().map(|_| ())
    }

    fn remove(&self, less: usize) {
        self.now.fetch_sub(less, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_gate_refuses_until_a_request_is_done() {
        let gate = Arc::new(Gate::new(&Limits { requests: 2, ..Limits::default() }));
        let mut places = [(); 3].map(|()| gate.place());
        assert!(places[0].add_request().is_ok() && places[1].add_request().is_ok());
        assert_eq!(places[2].add_request().unwrap_err().status.as_u16(), 429);
        places[0] = gate.place();
        assert!(places[2].add_request().is_ok());
    }

    #[test]
    fn bytes_and_texts_are_counted_over_all_requests_and_given_back() {
        let gate = Arc::new(Gate::new(&Limits { body_bytes: 10, texts: 10, ..Limits::default() }));
        let (mut first, mut second) = (gate.place(), gate.place());
        first.add_bytes(70).unwrap();
        first.add_texts(260).unwrap();
        assert!(second.add_bytes(11).is_err() && second.add_texts(61).is_err());
        second.add_bytes(10).unwrap();
        drop((first, second));
        assert_eq!((gate.requests(), gate.bytes(), gate.texts()), (0, 0, 0));
    }
}
