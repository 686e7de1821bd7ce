//! The lab: mail hosts in network namespaces on one machine, wired to a bridge, with real processes in them.
//!
//! ```text
//!    client            mta1        mta2        mta3            sink         each box: a network namespace,
//!      | eth0            | eth0      | eth0      | eth0          | eth0      a cgroup2 child, a directory
//!   ---+-----------------+-----------+-----------+---------------+---  br0 (its own namespace)
//! ```
//!
//! Invariants: 1. nothing of a lab is visible in the machine's own network namespace; 2. whatever ends the
//! process (return, panic, SIGINT, SIGTERM, SIGKILL), processes, namespaces, mounts, cgroups and files of its
//! labs go (`guard`); 3. two labs share no name, so they may run side by side; 4. every wait has a bound.
//!
//! Deliberately not here: the deterministic simulator (`tests/tests/sim`), which needs no kernel at all.
//!
//! Source: ip-netns(8), cgroups(7), nft(8), `sd_notify(3)`.

mod agent;
pub mod bus;
pub mod bus_model;
mod cgroup;
pub mod conformance;
mod ear;
mod guard;
mod host;
mod lab;
mod mail;
mod net;
mod place;
pub mod prng;
mod process;
mod require;
mod sockets;
pub mod traffic;
mod vips;
mod wait;
pub mod witness;

pub use agent::{Agent, Binaries, Entry};
pub use cgroup::{Cgroup, cgroup2_root};
pub use ear::{Ear, Said};
pub use guard::{Kept, interrupted};
pub use host::Host;
pub use lab::{Lab, LabOptions};
pub use mail::{INBOX, MailLoad, POSTFIX_PORTS, Postfix, Sink};
pub use net::{CLIENT_NETS, Rate, SINK_NETS, Sender};
pub use place::{Launch, Place};
pub use process::Process;
pub use require::{lacking, report_skip};
pub use rustix::process::Signal;
pub use sockets::Direction;
pub use vips::VipOptions;
pub use wait::until;
