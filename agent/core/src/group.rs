//! Who is there, and what each says to the others.
//!
//! `bus` is the contract of agreed membership and order, `solo` its engine for one process; `peer` decides whether a node is alive; `sender` says this node's counts to one peer; `receiver` keeps the
//! order of what one peer says.

pub mod bus;
pub mod membership;
mod outbox;
mod peer;
pub mod questions;
mod receiver;
mod sender;
mod solo;
pub mod view;

pub use outbox::{Full, Outbox};
pub use peer::{Liveness, Peer, State};
pub use receiver::{Accept, Receiver};
pub use sender::Sender;
pub use solo::Solo;
