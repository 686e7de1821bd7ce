//! What counting tells the cluster thread.
use super::Error;
use convoy_common::{
    addr::Host,
    count::{Count, Direction},
    kernel::{HostCount, is_retired},
};

/// One message to the cluster thread. Messages of one direction are in order.
#[derive(Debug)]
pub enum Report {
    /// All hosts of a direction; whoever is not listed is gone. Sent at the start and after an overflow.
    Full {
        /// Which table.
        direction: Direction,
        /// In no order.
        entries: Vec<(Host, Count)>,
    },
    /// Hosts that changed, with what they are now; `None` when the host left the table.
    Changed {
        /// Which table.
        direction: Direction,
        /// A host at most once.
        entries: Vec<(Host, Option<Count>)>,
    },
    /// What the latest audit found.
    Drift(Drift),
    /// The counters of what went wrong; sent when one changed, and with each audit.
    Stats(Stats),
    /// Something failed and will be tried again; counting goes on.
    Failed(Error),
}

/// Difference between the tables and the sockets that exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// Connections by which inbound hosts were wrong in the latest audit, seen twice, and were corrected.
    pub inbound: u64,
    /// The same for outbound hosts.
    pub outbound: u64,
    /// Audits since the agent started.
    pub audits: u64,
    /// Connections corrected since the agent started.
    pub repaired: u64,
}

/// Counters of what was not counted or not announced. The kernel's live as long as the pins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Inbound connections refused because the table took no new host; seeded once there is room.
    pub refused_inbound: u64,
    /// Outbound connections refused because the table took no new host; seeded once there is room.
    pub refused_outbound: u64,
    /// Connections whose socket took no storage; seeded by the next sweep.
    pub storage_failed: u64,
    /// Changes that found the ring full; each answered by a full read.
    pub ring_dropped: u64,
    /// Connections that met an entry being reclaimed; seeded by the next sweep.
    pub deferred: u64,
    /// Connections older than the attach that are counted now.
    pub seeded: u64,
    /// Idle hosts removed to make room, since the agent started.
    pub reclaimed: u64,
    /// Hosts the inbound table held at the latest audit.
    pub hosts_inbound: u64,
    /// Hosts the outbound table held at the latest audit.
    pub hosts_outbound: u64,
}

/// Returns what an entry means: an entry being removed counts nothing, and a damaged one is not negative.
pub(super) fn count(entry: &HostCount) -> Count {
    Count { current: u64::try_from(current(entry)).unwrap_or(0), total: entry.total }
}

/// Returns an entry's gauge, below zero if it was damaged.
pub(super) fn current(entry: &HostCount) -> i64 {
    if is_retired(entry.current) { 0 } else { i64::from(entry.current.cast_signed()) }
}
