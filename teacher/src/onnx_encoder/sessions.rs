//! Several sessions of one model, which take batches in turn.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crossbeam_channel::bounded;
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions, Session};

use super::{OnnxOptions, signature::Signature};
use crate::inference_error::InferenceError;
use crate::{OnnxDevice, Result};

/// More sessions than this would cost more memory than they are worth.
const MOST: usize = 4;

/// How many sessions there are to be, and how many threads each has within an operation.
///
/// Two threads that share each operation wait for each other at its end; two sessions of one thread don't.
pub fn share(options: &OnnxOptions) -> (usize, usize) {
    let threads = options.threads.max(1);
    let sessions = match options.device {
        OnnxDevice::Cpu => threads.min(MOST),
        OnnxDevice::Cuda(_) => 1,
    };
    (sessions, threads / sessions)
}

/// What a run changes: ONNX Runtime wants one run at a time in a session.
pub struct State {
    pub session: Session,
    pub options: RunOptions<HasSelectedOutputs>,
    pub wide: [Vec<i64>; 4],
    pub narrow: [Vec<i32>; 4],
    pub numbers: Vec<f32>,
}

impl State {
    pub fn new(session: Session, signature: &Signature, path: &Path) -> Result<Self> {
        let selected = OutputSelector::no_default().with(&signature.output);
        let options = RunOptions::new().map_err(InferenceError::model(path))?.with_outputs(selected);
        Ok(Self { session, options, wide: Default::default(), narrow: Default::default(), numbers: Vec::new() })
    }
}

/// At least one session.
pub struct Sessions(Vec<Mutex<State>>);

impl Sessions {
    pub fn new(states: Vec<State>) -> Self {
        Self(states.into_iter().map(Mutex::new).collect())
    }

    /// Works with the first session.
    pub fn one<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        work(&mut lock(&self.0[0]))
    }

    /// `work` on every item, by all sessions at once, and `done` with what comes of it, here and in no order. The first error of
    /// either ends it.
    pub fn each<I: Copy + Send + Sync, R: Send>(
        &self,
        items: &[I],
        work: impl Fn(&mut State, I) -> Result<R> + Sync,
        mut done: impl FnMut(I, R) -> Result<()>,
    ) -> Result<()> {
        let states = &self.0[..self.0.len().min(items.len())];
        if states.len() < 2 {
            return self.one(|state| items.iter().try_for_each(|&item| done(item, work(state, item)?)));
        }
        let (next, work) = (AtomicUsize::new(0), &work);
        thread::scope(|scope| {
            let (to, results) = bounded(2 * states.len());
            for state in states {
                let (to, next) = (to.clone(), &next);
                scope.spawn(move || {
                    let mut state = lock(state);
                    while let Some(&item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                        // Nobody listens after an error.
                        if to.send((item, work(&mut state, item))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(to);
            results.iter().try_for_each(|(item, result)| done(item, result?))
        })
    }
}

/// What a panic left behind is overwritten by the next run.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
