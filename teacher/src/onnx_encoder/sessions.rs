//! Several sessions of one model, which take batches in turn.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crossbeam_channel::bounded;
use ort::ep::ExecutionProvider;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions, Session};

use super::{OnnxOptions, signature::Signature};
use crate::{Error, OnnxDevice, Result, Runtime};

/// More sessions would cost more memory than their speed is worth.
const MOST: usize = 4;

/// How the threads of an encoder are shared: the number of sessions, and the threads of each within an operation.
///
/// Two threads that share each operation wait for each other at its end; two sessions of one thread don't.
pub(super) fn thread_shares(options: &OnnxOptions) -> (usize, usize) {
    let threads = options.threads.max(1);
    let sessions = match options.device {
        OnnxDevice::Cpu => threads.min(MOST),
        OnnxDevice::Cuda(_) => 1,
    };
    (sessions, threads / sessions)
}

/// How a session runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct SessionSettings {
    pub device: OnnxDevice,
    pub threads: usize,
    /// The sums that int8 products may have.
    pub int8_sums: Int8Sums,
}

/// The sums that int8 products may have on an x86 processor without VNNI, which adds two products in 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Int8Sums {
    /// Sums fit: limbeck's exports keep their weights small enough.
    Fit,
    /// Sums may saturate, which other exporters leave to ONNX Runtime to avoid.
    MaySaturate,
}

/// Loads the model at `path` into a session.
pub(super) fn load(runtime: &Runtime, path: &Path, settings: SessionSettings) -> Result<Session> {
    let SessionSettings { device, threads, int8_sums } = settings;
    let library = || runtime.library.clone();
    let on_cpu = || -> ort::Result<SessionBuilder> {
        Ok(Session::builder(&runtime.environment)?
            .with_intra_threads(threads)?
            .with_inter_threads(1)?
            // Threads that spin while they wait take the cores from tokenizing and writing, and from everyone else:
            // measured beside other work, not spinning is 1.3 to 2 times as fast.
            .with_intra_op_spinning(false)?
            .with_optimization_level(GraphOptimizationLevel::All)?)
    };
    let mut builder = on_cpu().map_err(Error::model(path))?;
    if int8_sums == Int8Sums::MaySaturate {
        // Without it such a processor's vectors are wrong, without a word; one with VNNI ignores it.
        let exact = builder.with_config_entry("session.x64quantprecision", "1");
        builder = exact.map_err(|error| Error::model(path)(error.into()))?;
    }
    if let OnnxDevice::Cuda(number) = device {
        let available = ort::ep::CUDA::is_available();
        if !available.map_err(|source| Error::NoCuda { library: library(), source })? {
            return Err(Error::NoCudaInLibrary { library: library() });
        }
        // Without error_on_failure the session would run on the CPU and say nothing.
        let cuda = ort::ep::CUDA::default().with_device_id(number as i32).build().error_on_failure();
        let with_cuda = builder.with_execution_providers([cuda]);
        builder = with_cuda.map_err(|error| Error::NoCuda { library: library(), source: error.into() })?;
    }
    builder.commit_from_file(path).map_err(Error::model(path))
}

/// A session and the output that its runs make. ONNX Runtime allows one run at a time in a session.
pub(super) struct SessionState {
    pub session: Session,
    pub options: RunOptions<HasSelectedOutputs>,
}

impl SessionState {
    pub(super) fn new(session: Session, signature: &Signature, path: &Path) -> Result<Self> {
        let selected = OutputSelector::no_default().with(&signature.output);
        let options = RunOptions::new().map_err(Error::model(path))?.with_outputs(selected);
        Ok(Self { session, options })
    }
}

/// At least one session.
pub(super) struct Sessions(Vec<Mutex<SessionState>>);

impl Sessions {
    pub(super) fn new(states: Vec<SessionState>) -> Self {
        Self(states.into_iter().map(Mutex::new).collect())
    }

    /// Calls `work` with the first session.
    pub(super) fn first<R>(&self, work: impl FnOnce(&mut SessionState) -> R) -> R {
        work(&mut lock(&self.0[0]))
    }

    /// Calls `work` for every item, in all sessions at once, and `done` with the results, on this thread and in any
    /// order. The first error of either ends the work.
    pub(super) fn each<I: Copy + Send + Sync, R: Send>(
        &self,
        items: &[I],
        work: impl Fn(&mut SessionState, I) -> Result<R> + Sync,
        mut done: impl FnMut(I, R) -> Result<()>,
    ) -> Result<()> {
        let states = &self.0[..self.0.len().min(items.len())];
        if states.len() < 2 {
            return self.first(|state| items.iter().try_for_each(|&item| done(item, work(state, item)?)));
        }
        let (next, work) = (AtomicUsize::new(0), &work);
        thread::scope(|scope| {
            let (to, results) = bounded(2 * states.len());
            for state in states {
                let (to, next) = (to.clone(), &next);
                scope.spawn(move || {
                    let mut state = lock(state);
                    while let Some(&item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                        // After an error the receiver is gone.
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

/// A panic leaves nothing behind that the next run doesn't overwrite.
fn lock(state: &Mutex<SessionState>) -> MutexGuard<'_, SessionState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
