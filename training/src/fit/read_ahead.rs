//! [`ReadAhead`]: the window of the current step, while a thread reads the next.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

use super::batches::{Batches, Span};

/// Delivers the windows of a training in order. Memory holds two: the current one and the one that is read.
pub(super) struct ReadAhead<B: Batches> {
    #[expect(clippy::type_complexity, reason = "a window with its span, as the thread sends it")]
    windows: Receiver<(Span, Result<B::Window, B::Error>)>,
    current: Option<(Span, B::Window)>,
}

impl<B: Batches> ReadAhead<B> {
    /// Starts to read at the window of the step `from`.
    pub(super) fn new<'scope>(scope: &'scope Scope<'scope, '_>, batches: &'scope B, from: u64) -> Self
    where
        B::Window: 'scope,
        B::Error: 'scope,
    {
        let (sender, windows) = sync_channel(0);
        scope.spawn(move || {
            let mut step = from;
            while step <= batches.steps() {
                let span = batches.span(step);
                step = span.steps.end;
                let window = batches.read(&span);
                // The trainer has dropped its end: it stopped.
                if sender.send((span, window)).is_err() {
                    return;
                }
            }
        });
        Self { windows, current: None }
    }

    /// The window that `step` belongs to. Steps are asked for in order.
    pub(super) fn window_of(&mut self, step: u64) -> Result<&(Span, B::Window), B::Error> {
        if self.current.as_ref().is_none_or(|(span, _)| !span.steps.contains(&step)) {
            // Before the next window is waited for, so that memory never holds three.
            self.current = None;
            let (span, window) = self.windows.recv().expect("the reading thread sends every window, unless it panics");
            self.current = Some((span, window?));
        }
        Ok(self.current.as_ref().expect("it was just received"))
    }
}
