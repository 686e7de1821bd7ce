//! What travels between nodes: frames, and the messages in them. The layouts are in docs/protocol.md.
//! Beside them what is said to a whole segment, in the layouts of its standards: ARP and neighbour discovery.

pub mod agreed;
pub mod arp;
pub mod beat;
#[cfg(test)]
mod documented;
pub mod entries;
pub mod frame;
pub mod message;
pub mod ndp;
mod payload;
pub mod vip;

pub use agreed::Agreed;
pub use beat::{Beat, BeatError};
pub use entries::{Entries, EntryBuf};
pub use frame::{Frame, FrameError};
pub use message::{Message, MessageError, Object, Refusal};
