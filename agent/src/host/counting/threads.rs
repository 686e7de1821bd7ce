//! Starting and stopping the two threads, and what they share.
use super::{
    Counting, Error, Report, audit::Auditor, plan::Ports, sampler::Sampler, stock::Stock, tables::Tables,
};
use crate::sys::{lock::Lock, wake::Wake};
use convoy_common::{addr::Host, count::Direction};
use convoy_core::time::Span;
use crossbeam_channel::{Sender, TrySendError};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use std::{
    io,
    os::fd::BorrowedFd,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
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
    cgroup: PathBuf,
    threads: Vec<JoinHandle<()>>,
    #[expect(dead_code, reason = "held until the threads have ended")]
    lock: Lock,
}

impl Handle {
    /// Changes the time between two drains; takes effect after the one that is due.
    pub fn set_delay(&self, delay: Span) {
        self.shared.delay_ns.store(delay.as_ns(), Ordering::Relaxed);
    }

    /// Changes the time between two audits, from the latest one on.
    pub fn set_audit_period(&self, period: Span) {
        self.shared.audit_period_ns.store(period.as_ns(), Ordering::Relaxed);
        self.shared.auditor.wake();
    }

    /// Counts only these ports from now on. Connections that are counted stay counted until they close; open ones on
    /// a port that is new are counted within moments.
    ///
    /// # Errors
    /// [`Error::Table`] when the kernel does not take them, [`Error::SockDiag`] when it does not list sockets; the
    /// ports are then what they were.
    pub fn set_ports(&self, inbound: &[u16], outbound: &[u16]) -> Result<(), Error> {
        let wanted = Ports::new(inbound, outbound);
        let mut ports = self.shared.lock_ports();
        if *ports == wanted {
            return Ok(());
        }
        // Which connections are counted by now must be known before their ports do not tell any more.
        Stock::open(Arc::clone(&self.tables), self.cgroup.clone())?.begin(&ports)?;
        let put = |ports: &Ports| {
            Direction::ALL
                .into_iter()
                .try_for_each(|direction| self.tables.set_ports(direction, &ports.of(direction)))
        };
        if let Err(error) = put(&wanted) {
            if let Err(again) = put(&ports) {
                tracing::error!(error = %again, "the counted ports are half changed; reload again");
            }
            return Err(error);
        }
        *ports = wanted;
        drop(ports);
        self.shared.sweep_now.store(1, Ordering::Relaxed);
        self.shared.auditor.wake();
        Ok(())
    }

    /// Asks for a full report of both directions, for instance after the receiver lost its state.
    pub fn refresh(&self) {
        self.shared.refresh.store(1, Ordering::Relaxed);
        self.shared.nudge.wake();
    }

    /// Asks for an audit now; its result comes as a report.
    pub fn audit(&self) {
        self.shared.audit_now.store(1, Ordering::Relaxed);
        self.shared.auditor.wake();
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
        self.shared.stop.wake();
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

/// Starts the sampler and the auditor. Reports go into `out`; `wake` wakes their receiver after each.
///
/// The first reports are a full read of both directions. When `out` is full, changes are kept and sent later.
///
/// # Errors
/// [`Error::Resource`] when descriptors or threads run out, [`Error::SockDiag`] when sockets cannot be listed.
pub fn spawn(counting: Counting, options: Options, out: Sender<Report>, wake: Wake) -> Result<Handle, Error> {
    let descriptors = |source| Error::Resource { what: "file descriptors", source };
    let shared = Arc::new(Shared {
        stop: Wake::new().map_err(descriptors)?,
        nudge: Wake::new().map_err(descriptors)?,
        auditor: Wake::new().map_err(descriptors)?,
        wake,
        delay_ns: AtomicU64::new(options.delay.as_ns()),
        audit_period_ns: AtomicU64::new(options.audit_period.as_ns()),
        ports: Mutex::new(counting.loaded.ports.clone()),
        refresh: AtomicU64::new(0),
        audit_now: AtomicU64::new(0),
        sweep_now: AtomicU64::new(0),
        again: Mutex::new(Vec::new()),
        trouble: Mutex::new(None),
    });
    let Counting { ring, loaded, lock } = counting;
    let (tables, cgroup) = (Arc::clone(&loaded.tables), loaded.settings.cgroup.clone());
    let sampler = Sampler::new(Arc::clone(&tables), ring, Arc::clone(&shared), out.clone());
    let auditor = Auditor::new(loaded, Arc::clone(&shared), out)?;
    let mut handle = Handle { shared, tables, cgroup, threads: Vec::with_capacity(2), lock };
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
    pub(super) stop: Wake,
    /// Readable when the sampler has something to do besides the ring.
    pub(super) nudge: Wake,
    /// Readable when the auditor shall not wait for its period.
    pub(super) auditor: Wake,
    wake: Wake,
    delay_ns: AtomicU64,
    audit_period_ns: AtomicU64,
    /// The ports whose connections are counted; held while the kernel is told of others.
    ports: Mutex<Ports>,
    refresh: AtomicU64,
    audit_now: AtomicU64,
    sweep_now: AtomicU64,
    again: Mutex<Vec<(Direction, Host)>>,
    trouble: Mutex<Option<String>>,
}

impl Shared {
    /// Returns the time between two drains.
    pub(super) fn delay(&self) -> Span {
        Span::from_ns(self.delay_ns.load(Ordering::Relaxed))
    }

    /// Returns the time between two audits.
    pub(super) fn audit_period(&self) -> Span {
        Span::from_ns(self.audit_period_ns.load(Ordering::Relaxed)).max(AUDIT_PERIOD_MIN)
    }

    /// Returns the ports whose connections are counted.
    pub(super) fn ports(&self) -> Ports {
        self.lock_ports().clone()
    }

    /// Keeps the ports as they are while it is held, if they are still these.
    pub(super) fn hold_ports(&self, still: &Ports) -> Option<MutexGuard<'_, Ports>> {
        Some(self.lock_ports()).filter(|ports| **ports == *still)
    }

    fn lock_ports(&self) -> MutexGuard<'_, Ports> {
        // They are replaced as a whole, so whoever panicked while holding them left one or the other.
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether a full report was asked for, once.
    pub(super) fn take_refresh(&self) -> bool {
        self.refresh.swap(0, Ordering::Relaxed) != 0
    }

    /// Returns whether an audit was asked for, once.
    pub(super) fn take_audit(&self) -> bool {
        self.audit_now.swap(0, Ordering::Relaxed) != 0
    }

    /// Returns whether uncounted connections are to be looked for, once.
    pub(super) fn take_sweep(&self) -> bool {
        self.sweep_now.swap(0, Ordering::Relaxed) != 0
    }

    /// Leaves word that these hosts were removed, or not reported; the sampler reports what they are by then.
    pub(super) fn look_again(&self, hosts: impl IntoIterator<Item = (Direction, Host)>) {
        // Whoever panicked while holding it left a list that is still a list.
        self.again.lock().unwrap_or_else(PoisonError::into_inner).extend(hosts);
        self.nudge.wake();
    }

    /// Takes the hosts that are to be reported whether or not they change.
    pub(super) fn take_again(&self) -> Vec<(Direction, Host)> {
        std::mem::take(&mut *self.again.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says what keeps the sampler from its work, or that nothing does.
    pub(super) fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Returns what keeps the sampler from its work.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a report if there is room, and wakes the receiver; gives it back when there is none.
    ///
    /// When the receiver is gone the report is dropped: the daemon is stopping.
    pub(super) fn send(&self, out: &Sender<Report>, report: Report) -> Option<Report> {
        match out.try_send(report) {
            Ok(()) => {
                self.wake.wake();
                None
            }
            Err(TrySendError::Full(report)) => Some(report),
            Err(TrySendError::Disconnected(_)) => None,
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

/// Shortest time between two audits.
const AUDIT_PERIOD_MIN: Span = Span::from_ms(100);
