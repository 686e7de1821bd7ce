//! Who is there, and what each says to the others.
//!
//! `peer` decides whether a node is alive; `sender` says this node's counts to one peer; `receiver` keeps the
//! order of what one peer says.

mod peer;
mod receiver;
mod sender;

pub use peer::{Liveness, Peer, State};
pub use receiver::{Accept, Receiver};
pub use sender::Sender;
