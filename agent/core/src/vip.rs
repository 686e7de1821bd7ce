//! `DuraVIPs`: addresses that belong to the cluster, each held by exactly one live node.
//!
//! ```text
//!   offer      what a node would hold, from its configuration         told on the bus
//!   topic      one address as all offers see it: candidates, safety
//!   assign     who is to have what; even, with few moves              pure functions of the agreed order
//!   table      who has what; changes only by views and agreed messages, so it is the same on every node
//!   exchange   how members that come from elsewhere get one table
//!   holder     this node's part: what to plumb, open, probe, announce
//!   inquest    whether a node that fell silent still answers for its addresses
//!   lease      until when this node's kernel may answer; kept by the thread of the heartbeats
//! ```
//! Owner means: the node whose kernel answers for the address. Invariants: 1. an address changes hands cleanly (the new
//! owner is ready, the old one has fallen silent, then the new one opens), or after its old owner left, and then not
//! before the wire has shown that nobody answers for it any more; 2. a node that may be without its addresses and not
//! know it (it ran late, heard no majority, or was not in the view) answers for none until every other member has
//! confirmed that it still has them; 3. what configuration does not name is never touched.

pub mod assign;
mod exchange;
mod facts;
mod history;
mod holder;
mod inquest;
pub mod lease;
mod offer;
mod settings;
mod table;
mod topic;

pub use facts::{Event, Input, Made, Output};
pub use history::{History, Record};
pub use holder::{Candidate, Holder, Row, State};
pub use offer::{Offer, Offered};
pub use settings::{Balance, Partition, Settings};
pub use table::{Cause, Change, Claim, Seat, Table};
pub use topic::{Ghost, Handover, Phase, Safety, Topic};

/// What this node is to make of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub enum Want {
    /// It is not on this host.
    #[default]
    Absent,
    /// It is on this host, which accepts what arrives for it and answers no question about it.
    Silent,
    /// It is on this host, which answers for it and has announced it.
    Held,
}
