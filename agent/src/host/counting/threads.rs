//! Starting and stopping the two threads, and what they share.
use super::{Counting, Error, Report, audit::Auditor, sampler::Sampler, tables::Tables};
use convoy_common::{addr::Host, count::Direction};
use convoy_core::time::Span;
use crossbeam_channel::{Sender, TrySendError};
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::Errno,
};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

/// How counting reports and audits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Time between two drains, so that a busy host does not wake the cluster for each connection; 0 is at once.
    pub delay: Span,
    /// Time between two audits, at least 100 ms; default 10 s.
    pub audit_period: Span,
}

impl Default for Options {
    fn default() -> Self {
        Self { delay: Span::ZERO, audit_period: Span::from_secs(10) }
    }
}

/// The running threads. Dropping it stops them; the kernel counts on.
#[derive(Debug)]
pub struct Handle {
    shared: Arc<Shared>,
    tables: Arc<Tables>,
    threads: Vec<JoinHandle<()>>,
}

impl Handle {
    /// Changes the time between two drains; takes effect after the one that is due.
    pub fn set_delay(&self, delay: Span) {
        self.shared.delay_ns.store(delay.as_ns(), Ordering::Relaxed);
    }

    /// Asks for a full report of both directions, for instance after the receiver lost its state.
    pub fn refresh(&self) {
        self.shared.refresh.store(1, Ordering::Relaxed);
        signal(self.shared.nudge.as_fd());
    }

    /// Asks for an audit now; its result comes as a report.
    pub fn audit(&self) {
        self.shared.audit_now.store(1, Ordering::Relaxed);
        signal(self.shared.auditor.as_fd());
    }

    /// Returns the drain epoch: how often changes were drained, by any agent, since the tables were made.
    pub fn drains(&self) -> u32 {
        self.tables.epoch()
    }

    /// Stops both threads and waits for them; the kernel counts on.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        signal(self.shared.stop.as_fd());
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a counting thread panicked; its message is above");
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.join();
    }
}

/// Starts the sampler and the auditor. Reports go into `out`; `wake`, an eventfd, is signalled after each.
///
/// The first reports are a full read of both directions. When `out` is full, changes are kept and sent later.
///
/// # Errors
/// [`Error::Resource`] when descriptors or threads run out, [`Error::SockDiag`] when sockets cannot be listed.
pub fn spawn(
    counting: Counting,
    options: Options,
    out: Sender<Report>,
    wake: OwnedFd,
) -> Result<Handle, Error> {
    let event = || eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
    let descriptors = |errno: Errno| Error::Resource { what: "file descriptors", source: errno.into() };
    let shared = Arc::new(Shared {
        stop: event().map_err(descriptors)?,
        nudge: event().map_err(descriptors)?,
        auditor: event().map_err(descriptors)?,
        wake,
        delay_ns: AtomicU64::new(options.delay.as_ns()),
        refresh: AtomicU64::new(0),
        audit_now: AtomicU64::new(0),
        removed: Mutex::new(Vec::new()),
    });
    let tables = Arc::clone(&counting.tables);
    let Counting { ring, watch, ports, settings, .. } = counting;
    let sampler = Sampler::new(Arc::clone(&tables), ring, Arc::clone(&shared), out.clone());
    let auditor = Auditor::new(
        Arc::clone(&tables),
        watch,
        ports,
        settings,
        Arc::clone(&shared),
        out,
        options.audit_period,
    )?;
    let mut handle = Handle { shared, tables, threads: Vec::with_capacity(2) };
    let thread = |source| Error::Resource { what: "threads", source };
    handle.threads.push(named("sampler", move || sampler.run()).map_err(thread)?);
    handle.threads.push(named("auditor", move || auditor.run()).map_err(thread)?);
    Ok(handle)
}

fn named(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(run)
}

/// What the threads and their handle share.
#[derive(Debug)]
pub(super) struct Shared {
    /// Readable for ever once the threads shall end.
    pub(super) stop: OwnedFd,
    /// Readable when the sampler has something to do besides the ring.
    pub(super) nudge: OwnedFd,
    /// Readable when the auditor shall not wait for its period.
    pub(super) auditor: OwnedFd,
    wake: OwnedFd,
    delay_ns: AtomicU64,
    refresh: AtomicU64,
    audit_now: AtomicU64,
    removed: Mutex<Vec<(Direction, Host)>>,
}

impl Shared {
    /// Returns the time between two drains.
    pub(super) fn delay(&self) -> Span {
        Span::from_ns(self.delay_ns.load(Ordering::Relaxed))
    }

    /// Returns whether a full report was asked for, once.
    pub(super) fn take_refresh(&self) -> bool {
        self.refresh.swap(0, Ordering::Relaxed) != 0
    }

    /// Returns whether an audit was asked for, once.
    pub(super) fn take_audit(&self) -> bool {
        self.audit_now.swap(0, Ordering::Relaxed) != 0
    }

    /// Leaves word that these hosts were removed; the sampler reports what they are by then.
    pub(super) fn removed(&self, hosts: impl IntoIterator<Item = (Direction, Host)>) {
        // Whoever panicked while holding it left a list that is still a list.
        self.removed.lock().unwrap_or_else(PoisonError::into_inner).extend(hosts);
        signal(self.nudge.as_fd());
    }

    /// Takes the hosts that were removed.
    pub(super) fn take_removed(&self) -> Vec<(Direction, Host)> {
        std::mem::take(&mut *self.removed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends a report if there is room, and wakes the receiver; gives it back when there is none.
    ///
    /// When the receiver is gone the report is dropped: the daemon is stopping.
    pub(super) fn send(&self, out: &Sender<Report>, report: Report) -> Result<(), Report> {
        match out.try_send(report) {
            Ok(()) => {
                signal(self.wake.as_fd());
                Ok(())
            }
            Err(TrySendError::Full(report)) => Err(report),
            Err(TrySendError::Disconnected(_)) => Ok(()),
        }
    }

    /// Waits until one of `fds` is readable or `span` has passed; tells whether the threads shall end.
    pub(super) fn wait(&self, fds: &[BorrowedFd<'_>], span: Span) -> bool {
        let mut watched = vec![PollFd::new(&self.stop, PollFlags::IN)];
        watched.extend(fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)));
        let ns = i64::try_from(span.as_ns()).unwrap_or(i64::MAX);
        let timeout = Timespec { tv_sec: ns / 1_000_000_000, tv_nsec: ns % 1_000_000_000 };
        match poll(&mut watched, Some(&timeout)) {
            // An interrupted wait is a short one; the caller looks at everything anyway.
            Ok(0) | Err(Errno::INTR) => false,
            Ok(_) => watched.first().is_some_and(|stop| !stop.revents().is_empty()),
            Err(errno) => {
                tracing::error!(%errno, "waiting for changes failed; counting goes on without reports");
                true
            }
        }
    }
}

/// Makes an eventfd readable.
fn signal(event: BorrowedFd<'_>) {
    // It refuses only at 2^64 - 2 signals nobody took: it is readable then.
    if let Err(errno) = rustix::io::write(event, &1_u64.to_ne_bytes()) {
        tracing::debug!(%errno, "an eventfd is saturated");
    }
}

/// Makes an eventfd unreadable again.
pub(super) fn clear(event: BorrowedFd<'_>) {
    let mut count = [0; 8];
    // It refuses only when it was not readable.
    if let Err(errno) = rustix::io::read(event, &mut count)
        && errno != Errno::AGAIN
    {
        tracing::debug!(%errno, "an eventfd cannot be read");
    }
}
