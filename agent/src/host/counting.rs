//! What the sampler tells the cluster thread.
use convoy_common::{
    addr::Host,
    count::{Count, Direction},
};
use std::path::PathBuf;

/// A message of the sampler.
#[derive(Debug)]
pub enum Report {
    /// Every host of a direction.
    Full {
        /// Which table.
        direction: Direction,
        /// All of it.
        entries: Vec<(Host, Count)>,
    },
    /// Hosts whose count changed; `None` when a host is no longer counted.
    Changed {
        /// Which table.
        direction: Direction,
        /// What they are now.
        entries: Vec<(Host, Option<Count>)>,
    },
    /// The kernel's side as a whole.
    State(State),
}

/// The kernel's side.
#[derive(Clone, Debug, Default)]
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
    /// Change notices that found no room.
    pub notices_lost: u64,
    /// Result of the audits.
    pub drift: Drift,
    /// What an operator should look at.
    pub troubles: Vec<String>,
}

/// A host table of the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Table {
    /// Hosts in it.
    pub used: u64,
    /// Hosts it can hold.
    pub max: u64,
    /// Connections not counted because it was full.
    pub refused: u64,
    /// Idle hosts taken out.
    pub reclaimed: u64,
}

/// Result of the audits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Drift {
    /// Connections by which inbound counts were off at the latest audit.
    pub inbound: u64,
    /// The same of outbound counts.
    pub outbound: u64,
    /// Audits so far.
    pub audits: u64,
    /// Connections by which counts were put right.
    pub repaired: u64,
}
