//! Real buses in the lab: each host a process with a [`BusHandle`](convoy_agent::host::bus::BusHandle) and its corosync.
//!
//! A process of its own because corosync knows its clients by their process ids, and because a host needs a `/run`
//! of its own. The program `bus-worker` is that process, or any that calls [`work()`] when it finds [`ROLE`] in its
//! environment; [`Engines`] starts them and is their other end.
mod engines;
mod work;

pub use engines::{Engines, Options, Remote, Said, Seat};
pub use work::{ROLE, Work, monotonic_ns, plan, work};
