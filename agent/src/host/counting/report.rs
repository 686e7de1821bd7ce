//! What counting tells the cluster thread.
use convoy_common::{
    addr::Host,
    count::{Count, Direction},
    kernel::{HostCount, is_retired},
};
use convoy_core::counters::CidrTree;
use crossbeam_channel::Sender;
use std::path::PathBuf;

/// One message to the cluster thread. Messages of one direction are in order.
#[derive(Debug)]
pub enum Report {
    /// Every host of a direction; whoever is not listed is gone. Sent at the start and after an overflow.
    Full {
        /// Which table.
        direction: Direction,
        /// In no order.
        entries: Vec<(Host, Count)>,
    },
    /// Hosts whose count changed; `None` when a host is no longer counted.
    Changed {
        /// Which table.
        direction: Direction,
        /// What they are now; a host at most once.
        entries: Vec<(Host, Option<Count>)>,
    },
    /// The kernel's side as a whole; sent when something in it changed.
    State(State),
    /// Asks what the receiver knows by now: its own counts, inbound and outbound.
    Told {
        /// Takes the answer; nobody minds when it is dropped.
        reply: Sender<[CidrTree; 2]>,
    },
}

/// The kernel's side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Directory of the pins.
    pub bpffs: PathBuf,
    /// Directory the programs are attached to.
    pub cgroup: PathBuf,
    /// The maps were there already.
    pub adopted: bool,
    /// By direction.
    pub tables: [Table; 2],
    /// Connections older than the attach that are counted.
    pub seeded: u64,
    /// Connections whose socket took no mark; each is seeded by the next sweep.
    pub unmarked: u64,
    /// Notes of single sockets that found no room; what they would have told is repaired by audits.
    pub notes_lost: u64,
    /// Connections that met a host being taken out; each is seeded by the next sweep.
    pub deferred: u64,
    /// Change notices that found no room; each is answered by a full read.
    pub notices_lost: u64,
    /// Result of the audits.
    pub drift: Drift,
    /// What an operator should look at.
    pub troubles: Vec<String>,
}

/// A host table of the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Hosts in it at the latest audit.
    pub used: u64,
    /// Hosts it can hold.
    pub max: u64,
    /// Connections not counted because it was full; those still open are seeded once there is room.
    pub refused: u64,
    /// Idle hosts taken out since the agent started.
    pub reclaimed: u64,
}

/// Result of the audits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// Connections by which inbound counts were off at the latest audit, and at the one before; 0 is right.
    pub inbound: u64,
    /// The same of outbound counts.
    pub outbound: u64,
    /// Audits so far.
    pub audits: u64,
    /// Connections by which counts were put right.
    pub repaired: u64,
    /// Hosts whose change the cluster had not been told; they were told again.
    pub untold: u64,
}

/// Returns what an entry means: an entry being removed counts nothing, and a damaged one is not negative.
pub(super) fn count(entry: &HostCount) -> Count {
    Count { current: u64::try_from(current(entry)).unwrap_or(0), total: entry.total }
}

/// Returns an entry's gauge, below zero if it was damaged.
pub(super) fn current(entry: &HostCount) -> i64 {
    if is_retired(entry.current) { 0 } else { i64::from(entry.current.cast_signed()) }
}
