//! The bus: one closed group of processes that see the same members and the same messages in the same order.
//!
//! This is the contract; engines fulfil it, and one conformance suite (`tests/src/conformance`) holds them to it. It is
//! extended virtual synchrony as far as agreed delivery goes:
//!
//! 1. **Self-inclusion.** A configuration delivered to a member has that member in it. The first event after a join is
//!    a regular configuration. It may be of the member alone, before the others are found: take nothing on it.
//! 2. **Agreed order.** All that is delivered, by whomever, has one order that every member follows: two members that
//!    deliver the same two messages deliver them in the same order, and a message comes after everything that its
//!    sender had got when it sent it. No message is delivered twice. Those of one sender come in the order in which it
//!    sent them, and none between two of them is left out while the sender stays a member.
//! 3. **One configuration for each message.** A message is delivered everywhere in the same regular configuration, or
//!    in the transitional one that follows it; its sender is a member of what it is delivered in. It may be a later
//!    configuration than that in which it was sent; then those who came into it from elsewhere get it like all others.
//! 4. **Transitional configurations.** Where some do not go on together with this member, a transitional configuration
//!    comes before the next regular one: those that do. All of them that get to the regular one were told the same
//!    transitional one, and were delivered the same messages in the old configuration and the same in it (virtual
//!    synchrony); one of them that fails on the way may be named in the regular one still. The others are missing in
//!    the new configuration, or have been elsewhere and are back at once: whoever is in the new one and not in the
//!    transitional one is new here. Where all go on together there is no transitional one, and the new configuration
//!    has more members than the old. Those that come from elsewhere deliver nothing of it. Some members may not be told
//!    of a configuration in which nothing is delivered. Corosync can fail in one thing: if a change of nodes is overtaken
//!    by another before it is complete, a member that was alone in between may be told as gone on with the others, to
//!    them but not to itself. What must not depend on that is said anew in every configuration.
//! 5. **Self-delivery.** A message that was taken is delivered to its own sender, unless it leaves or the bus is lost.
//! 6. **No silent loss.** [`Event::Lost`] ends everything: what was sent and not yet delivered may or may not have
//!    reached the others, also what was taken after the loss and before this process heard of it; none of it comes in
//!    the next life. The engine joins again by itself, as a new member; the next event is a regular configuration.
//! 7. **Flow control.** Too much waiting is refused with [`Unsent::Full`]; [`Event::Room`] says when to go on, once
//!    for any number of refusals before it. Nothing that was taken is dropped. Who does not read is not waited for: the
//!    others' messages pile up on its own host.
//! 8. **Size.** Payloads of up to [`BUS_MESSAGE_MAX`](crate::bounds::BUS_MESSAGE_MAX) bytes are delivered whole.
//!
//! There is one such group a cluster, named by `cluster_group`. The groups of the manual (`control_group`,
//! `ec_sc_<subcluster>`) are lists of its members who say they belong (see `membership`): so all groups share one order,
//! and a manager may send to a group that it is not in.
use alloc::{collections::BTreeSet, string::String, vec::Vec};
use core::fmt;

/// One process on the bus. Another life of the process is another member unless the numbers happen to be the same;
/// then a configuration without it comes in between, which may be a transitional one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId {
    /// The host, by the number that its engine gave it.
    pub host: u32,
    /// The process on it.
    pub process: u32,
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.host, self.process)
    }
}

/// Who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// What it means that these are there.
    pub kind: Kind,
    /// All of them, this process included.
    pub members: BTreeSet<MemberId>,
}

/// The two kinds of configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Messages are sent and delivered among these.
    Regular,
    /// Those of the last regular configuration that go on into the next one together with this process.
    Transitional,
}

/// What the bus delivers, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Others are there from here on.
    Configuration(Configuration),
    /// A message, agreed.
    Message {
        /// Who sent it; maybe this process.
        sender: MemberId,
        /// What.
        payload: Vec<u8>,
    },
    /// There is room again after [`Unsent::Full`].
    Room,
    /// This process is on no bus until the next configuration; the text says why and what to do, for people.
    Lost(String),
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// Too much waits; go on after [`Event::Room`].
    Full,
    /// It is longer than [`BUS_MESSAGE_MAX`](crate::bounds::BUS_MESSAGE_MAX).
    TooLong,
    /// This process is on no bus now.
    Absent,
}

/// An engine. Nothing here blocks; events appear as they happen, and a driver that has to wait for them knows how its
/// engine wakes it.
pub trait Bus {
    /// Returns this process's name on the bus; `None` until the first configuration and after a loss.
    fn id(&self) -> Option<MemberId>;
    /// Asks to become a member, again after a loss for as long as it was not told to leave.
    fn join(&mut self);
    /// Asks to be a member no longer. Nothing is delivered afterwards.
    fn leave(&mut self);
    /// Sends to all members, this process included.
    fn multicast(&mut self, payload: &[u8]) -> Result<(), Unsent>;
    /// Returns the next event.
    fn poll(&mut self) -> Option<Event>;
}
