//! Counting connections: loads the kernel programs, adopts what is pinned, tells the cluster what changes, repairs.
//!
//! Invariants: 1. a count is changed by the kernel's atomics only, never by writing a whole entry; 2. counting goes
//! on while no agent runs, and a new agent takes over without a gap; 3. what the agent was told and what the kernel
//! holds differ only until the next drain; 4. what the kernel holds and what sockets exist differ only until two
//! audits have seen it, and the difference is exported; 5. no table grows without bound: idle hosts go first, then
//! new ones are refused, counted, and picked up when there is room.
//! Does not sum, limit or replicate.
//!
//! Two threads: the sampler drains changes and never waits for anything else, so that a change is seen at a peer in
//! a fraction of a millisecond; the auditor lists sockets, seeds, repairs and reclaims, which takes longer.
mod audit;
mod error;
mod load;
mod place;
mod plan;
mod reclaim;
mod report;
mod sampler;
mod seeds;
mod stock;
mod tables;
mod threads;
mod told;

pub use error::Error;
pub(super) use load::program;
pub use load::{Counting, OBJECT, open, open_object, remove};
pub(super) use place::prepare;
pub use place::{default_bpffs, default_cgroup};
pub use report::{Drift, Report, State, Table};
pub use threads::{Handle, Options, spawn};

use convoy_common::kernel::HOSTS_DEFAULT;
use std::path::PathBuf;

/// What is counted, and where it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Directory on a bpffs for pins; made if need be. One node one directory.
    pub bpffs: PathBuf,
    /// Directory of the cgroup2 hierarchy; connections of processes at and below it are counted.
    pub cgroup: PathBuf,
    /// Directory for the verifier's log, should it refuse a program.
    pub state: PathBuf,
    /// Local ports whose inbound connections are counted.
    pub inbound_ports: Vec<u16>,
    /// Remote ports whose outbound connections are counted.
    pub outbound_ports: Vec<u16>,
    /// Hosts the inbound table takes, at least 1. About 80 bytes of kernel memory each, taken as hosts appear.
    pub hosts_max_inbound: u32,
    /// Hosts the outbound table takes, at least 1.
    pub hosts_max_outbound: u32,
}

impl Settings {
    /// SMTP, submission over TLS, submission, and its usual alternative.
    pub const PORTS_DEFAULT: [u16; 4] = [25, 465, 587, 2525];

    /// Returns settings with the default ports and sizes.
    pub fn new(bpffs: PathBuf, cgroup: PathBuf, state: PathBuf) -> Self {
        Self {
            bpffs,
            cgroup,
            state,
            inbound_ports: Self::PORTS_DEFAULT.to_vec(),
            outbound_ports: Self::PORTS_DEFAULT.to_vec(),
            hosts_max_inbound: HOSTS_MAX_DEFAULT,
            hosts_max_outbound: HOSTS_MAX_DEFAULT,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a constant far below")]
const HOSTS_MAX_DEFAULT: u32 = HOSTS_DEFAULT as u32;
