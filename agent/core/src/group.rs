//! Who is there, and what each says to the others.
//!
//! `bus` is the contract of agreed membership and order, `solo` its engine for one process; `peer` decides whether a
//! node is alive; `detector` suspects a node that falls silent, from the heartbeats that `pulse` times; `sender` says
//! this node's counts to one peer; `receiver` keeps the order of what one peer says.

pub mod bus;
pub mod cache;
pub mod contradiction;
pub mod detector;
pub mod membership;
mod outbox;
mod peer;
mod pulse;
pub mod questions;
mod receiver;
mod sender;
mod solo;
pub mod view;

pub use detector::Detector;
pub use outbox::{Full, Outbox};
pub use peer::{Liveness, Peer, State};
pub use pulse::Pulse;
pub use receiver::{Accept, Receiver};
pub use sender::Sender;
pub use solo::Solo;
