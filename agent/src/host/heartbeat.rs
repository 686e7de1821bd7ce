//! The heartbeat thread: says that this process lives, hears who else does, and suspects who falls silent.
//!
//! A plain thread that runs before ordinary ones and waits for nothing but time and its sockets: not for disk, locks,
//! memory or readers. What it finds leaves over a bounded queue with a wake, and as a [`Snapshot`] that readers take
//! whenever they like. It goes on while every other thread of the process is busy: it says that the process lives, not
//! that it is well, which the mesh says.
//!
//! System calls: for each interval one ppoll and a send to each peer; for each wake by datagrams one ppoll, one receive
//! a datagram and one that finds no more. Invariants: 1. in the steady state it allocates nothing, logs nothing and never
//! waits for a lock: a snapshot that is being read is brought up to date the next time round; 2. a socket that cannot be
//! had ends nothing: it is asked for again every second, and the trouble is told.
mod shared;
mod sockets;
mod thread;

pub use shared::{Link, PeerBeats, Priority, Snapshot};

use super::ended::Ended;
use crate::sys::wake::Wake;
use convoy_core::{
    bounds,
    group::detector::{Disbelief, Opinion},
    time::Span,
    wire::{BeatError, beat::View},
};
use crossbeam_channel::{Sender, bounded};
use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    sync::Arc,
    thread::{Builder, JoinHandle},
    time::Duration,
};

/// What the thread is to do; again on a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// This node's name.
    pub name: Arc<str>,
    /// This process's life.
    pub incarnation: u64,
    /// The other nodes; without any the thread sleeps.
    pub peers: BTreeMap<Arc<str>, IpAddr>,
    /// This node's address in the peer list. Peers of another family are spoken to from whatever the kernel picks.
    pub address: Option<IpAddr>,
    /// UDP port of every node, that of the mesh.
    pub port: u16,
    /// Time between heartbeats, [`HEARTBEAT_MIN`](bounds::HEARTBEAT_MIN) to [`HEARTBEAT_MAX`](bounds::HEARTBEAT_MAX).
    pub interval: Span,
    /// Time after the start before a peer's silence counts.
    pub start_delay: Span,
}

/// What the thread tells the cluster thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A peer has fallen silent, or is heard: its first heartbeat of a life, or again.
    Opinion(Opinion),
    /// A datagram was not taken. Told once a reason; all are counted in the snapshot.
    Refused {
        /// Why.
        why: Refusal,
        /// Who sent it.
        from: IpAddr,
    },
    /// A socket cannot be had, and what to do; told once until it can.
    Trouble(String),
}

/// Why a datagram was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no heartbeat.
    #[error(transparent)]
    Beat(#[from] BeatError),
    /// It is not believed.
    #[error(transparent)]
    Disbelief(#[from] Disbelief),
}

impl Refusal {
    /// Number of reasons.
    pub const COUNT: usize = 5;
    /// Their names, by number.
    pub const NAMES: [&'static str; Self::COUNT] = ["foreign", "version", "damaged", "unknown", "address"];

    /// Returns the reason's number.
    pub fn index(self) -> usize {
        match self {
            Self::Beat(BeatError::Magic) => 0,
            Self::Beat(BeatError::Version { .. }) => 1,
            Self::Beat(BeatError::Damaged) => 2,
            Self::Disbelief(Disbelief::Unknown) => 3,
            Self::Disbelief(Disbelief::Address) => 4,
        }
    }
}

/// The running thread. Dropping it stops it.
#[derive(Debug)]
pub struct Handle {
    link: Link,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread. It wakes `wake` when [`Link::events`] has something, and tells `ends` when it ends, however that
/// comes.
///
/// # Errors
/// The thread or its eventfd cannot be made.
pub fn spawn(plan: Plan, wake: Wake, ends: Sender<&'static str>) -> io::Result<Handle> {
    let (events, taken) = bounded(bounds::BEATS_QUEUE_MAX);
    let link = Link::new(taken, Wake::new()?);
    let shared = link.clone();
    let (ready, is_ready) = bounded(1);
    let thread = Builder::new().name("heartbeat".into()).spawn(move || {
        let _ended = Ended { thread: "heartbeat", to: ends };
        thread::run(plan, shared, thread::Outlet { events, wake }, &ready);
    })?;
    // From here on the snapshot has every peer.
    is_ready.recv().map_err(|_ended| io::Error::other("the heartbeat thread ended while it started"))?;
    Ok(Handle { link, thread: Some(thread) })
}

impl Handle {
    /// Returns the readers' end, to be cloned.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Takes a new plan and returns when it is in force; tells whether it was within 5 s.
    pub fn reload(&self, plan: Plan) -> bool {
        let (done, is_done) = bounded(1);
        self.link.order(|mail| mail.plan = Some((plan, done)));
        is_done.recv_timeout(RELOAD_WITHIN).is_ok()
    }

    /// Says from the next heartbeat on that this is the agreed view.
    pub fn say(&self, view: View) {
        self.link.say(view);
    }

    /// Stops the thread and waits for its end. Peers learn from the mesh's goodbye.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.link.order(|mail| mail.stop = true);
        if thread.join().is_err() {
            tracing::error!("the heartbeat thread panicked; its message is above");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.join();
    }
}

/// Longest wait of the daemon for the thread to take a new plan.
/// chosen: it takes microseconds; a thread that is stopped for longer takes it when it goes on.
const RELOAD_WITHIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
