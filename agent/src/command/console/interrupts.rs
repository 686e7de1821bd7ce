//! Ctrl-C at a prompt: it ends the command that runs, not the console.
//!
//! The line editor takes Ctrl-C itself while a line is typed. While a command runs, the terminal sends SIGINT: the
//! connection to the daemon is shut, so the waiting for an answer ends, and what is printed of an answer stops.
use crate::host::control::client::{Client, Stopper};
use signal_hook::{consts::SIGINT, iterator::Signals};
use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// SIGINT, caught for as long as this process lives; clones see the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupts(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// There was one since the command began.
    caught: AtomicBool,
    /// What waits for an answer now.
    waiting: Mutex<Option<Stopper>>,
}

impl Interrupts {
    /// Begins to catch.
    ///
    /// # Errors
    /// The handler or its thread cannot be made.
    pub(super) fn catch() -> io::Result<Self> {
        let caught = Self::default();
        let on_signal = caught.clone();
        let mut signals = Signals::new([SIGINT])?;
        let watch = move || signals.forever().for_each(|_signal| on_signal.interrupt());
        thread::Builder::new().name("interrupts".into()).spawn(watch)?;
        Ok(caught)
    }

    fn interrupt(&self) {
        let waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.caught.store(true, Ordering::Release);
        if let Some(stopper) = &*waiting {
            stopper.stop();
        }
    }

    /// A command begins: what was caught before it is no matter.
    pub(super) fn begin(&self) {
        self.0.caught.store(false, Ordering::Release);
    }

    /// Tells whether the command was to end.
    pub(super) fn caught(&self) -> bool {
        self.0.caught.load(Ordering::Acquire)
    }

    /// A client is about to wait; it does not when the command was to end already.
    pub(super) fn wait_on(&self, client: &Client) {
        // Without a file descriptor for it the wait ends when the client's patience does.
        let stopper = client.stopper().ok();
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stopper) = stopper.as_ref().filter(|_| self.caught()) {
            stopper.stop();
        }
        *waiting = stopper;
    }

    /// Nothing waits any more.
    pub(super) fn end_wait(&self) {
        *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
