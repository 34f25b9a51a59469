//! Threads that encode parts of a call, and come back after a fork.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use limbeck_encoder::{Error, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// A pool of threads, made when it is first asked for. A fork copies no threads, so a child process makes its own.
pub(crate) struct Threads {
    count: usize,
    pool: Mutex<Option<(u32, Arc<ThreadPool>)>>,
}

impl Threads {
    /// `count` threads; 0 stands for one for each core of the machine.
    pub(crate) fn new(count: usize) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
        Self { count: if count == 0 { cores() } else { count }, pool: Mutex::default() }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The pool of this process; `None` for one thread, the caller's.
    ///
    /// # Errors
    /// When the system refuses to start the threads.
    pub(crate) fn pool(&self) -> Result<Option<Arc<ThreadPool>>> {
        if self.count == 1 {
            return Ok(None);
        }
        let process = std::process::id();
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pool)) = pool.as_ref().filter(|(owner, _)| *owner == process) {
            return Ok(Some(Arc::clone(pool)));
        }
        let builder = ThreadPoolBuilder::new().num_threads(self.count).thread_name(|i| format!("student-{i}"));
        let made = builder.build().map_err(|source| Error::Threads { threads: self.count, source })?;
        let made = Arc::new(made);
        // The parent's pool has no threads here that could end, so it is not dropped.
        mem::forget(pool.replace((process, Arc::clone(&made))));
        Ok(Some(made))
    }
}
