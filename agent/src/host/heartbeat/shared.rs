//! What the heartbeat thread shares with the others: orders to it, and the snapshot of what it knows.
//!
//! Both lie behind locks that the thread only tries: while somebody else holds one, it goes on and looks again within a
//! millisecond. The others hold them for as long as it takes to move or copy a few values.
use super::{Event, Plan, Refusal};
use crate::{host::gate, sys::wake::Wake};
use convoy_core::{
    group::detector::Counts,
    time::{Instant, Span},
    wire::beat::View,
};
use crossbeam_channel::{Receiver, Sender};
use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU64, Ordering},
    },
};

/// The readers' end of the heartbeat thread.
#[derive(Clone, Debug)]
pub struct Link {
    events: Receiver<Event>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    mail: Mutex<Mail>,
    board: Mutex<Snapshot>,
    nudge: Wake,
    origin: std::time::Instant,
    /// The generation of the lease that the cluster thread allows; 0 for none.
    allowed: AtomicU64,
    /// When the cluster thread last said that it runs, nanoseconds of this thread's clock.
    alive: AtomicU64,
}

/// Orders that wait; the newest of a kind replaces the one before.
#[derive(Debug, Default)]
pub(super) struct Mail {
    /// Take this plan, then say so.
    pub(super) plan: Option<(Plan, Sender<()>)>,
    /// Say that this is the agreed view.
    pub(super) view: Option<View>,
    /// Keep this lease.
    pub(super) lease: Option<gate::Lease>,
    /// End.
    pub(super) stop: bool,
}

/// What the thread knows.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// By name.
    pub peers: Vec<PeerBeats>,
    /// Datagrams handed to the kernel.
    pub sent: u64,
    /// Datagrams not taken, by [`Refusal::index`].
    pub refused: [u64; Refusal::COUNT],
    /// Times the queue of events was full; see `BEATS_QUEUE_MAX`.
    pub deferred: u64,
    /// The most by which the thread ran later than it wanted to.
    pub late_max: Span,
    /// How the thread runs beside others.
    pub priority: Priority,
    /// Why there is no socket, if there is none.
    pub trouble: Option<Arc<str>>,
}

/// One peer's heartbeats.
#[derive(Clone, Debug)]
pub struct PeerBeats {
    /// Who.
    pub name: Arc<str>,
    /// Its life that was heard last; `None` when none was.
    pub incarnation: Option<u64>,
    /// When it was last heard, on the clock of [`Link::now`].
    pub heard_at: Option<Instant>,
    /// Whether it has fallen silent.
    pub suspect: bool,
    /// Time between its heartbeats, as it says.
    pub interval: Option<Span>,
    /// What became of them.
    pub counts: Counts,
    /// What it says the agreed view is.
    pub view: View,
    /// Datagrams to it that the kernel did not take.
    pub unsent: u64,
}

/// How the thread runs beside others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// Before all ordinary threads.
    RealTime,
    /// With a larger share than ordinary threads.
    Nice,
    /// As an ordinary thread.
    #[default]
    Ordinary,
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::RealTime => "real-time",
            Self::Nice => "nice",
            Self::Ordinary => "ordinary",
        })
    }
}

impl Link {
    pub(super) fn new(events: Receiver<Event>, nudge: Wake) -> Self {
        let origin = std::time::Instant::now();
        Self {
            events,
            shared: Arc::new(Shared {
                mail: Mutex::default(),
                board: Mutex::default(),
                nudge,
                origin,
                allowed: AtomicU64::new(0),
                alive: AtomicU64::new(0),
            }),
        }
    }

    /// Returns what the thread tells, newest last.
    pub fn events(&self) -> &Receiver<Event> {
        &self.events
    }

    /// Returns what the thread knows now.
    pub fn snapshot(&self) -> Snapshot {
        lock(&self.shared.board).clone()
    }

    /// Says from the next heartbeat on that this is the agreed view.
    pub fn say(&self, view: View) {
        self.order(|mail| mail.view = Some(view));
    }

    /// Allows this generation of the lease on managed addresses, 0 for none; in force within a millisecond.
    pub fn allow(&self, generation: u64) {
        self.shared.allowed.store(generation, Ordering::Release);
        self.shared.nudge.wake();
    }

    /// Says that the cluster thread runs.
    pub fn alive(&self) {
        self.shared.alive.store(self.now().as_ns(), Ordering::Release);
    }

    pub(super) fn allowed(&self) -> u64 {
        self.shared.allowed.load(Ordering::Acquire)
    }

    pub(super) fn alive_at(&self) -> Instant {
        Instant::from_ns(self.shared.alive.load(Ordering::Acquire))
    }

    /// Returns the thread's time now.
    pub fn now(&self) -> Instant {
        Instant::from_ns(u64::try_from(self.shared.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    pub(super) fn order(&self, write: impl FnOnce(&mut Mail)) {
        write(&mut lock(&self.shared.mail));
        self.shared.nudge.wake();
    }

    /// Returns what wakes the thread.
    pub(super) fn nudge(&self) -> &Wake {
        &self.shared.nudge
    }

    /// Returns the orders, unless somebody is writing one.
    pub(super) fn try_mail(&self) -> Option<Mail> {
        try_lock(&self.shared.mail).map(|mut mail| std::mem::take(&mut *mail))
    }

    /// Returns the snapshot to be written, unless somebody is reading it.
    pub(super) fn try_board(&self) -> Option<MutexGuard<'_, Snapshot>> {
        try_lock(&self.shared.board)
    }

    /// Returns the snapshot to be written, and waits for it. Not for the steady state.
    pub(super) fn board(&self) -> MutexGuard<'_, Snapshot> {
        lock(&self.shared.board)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
