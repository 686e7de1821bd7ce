//! What goes into the holder and what comes out of it.
use super::{Change, Settings, Want};
use crate::{
    group::{
        bus::MemberId,
        detector::{Opinion, Stage},
        view::View,
    },
    time::Span,
    wire::{
        arp::Mac,
        vip::{Neighbour, Said},
    },
};
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::net::IpAddr;

/// One fact.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// All members agree on this view.
    View(Arc<View>),
    /// There is no view any more.
    Lost,
    /// A member said this, at its place in the agreed order.
    Said(MemberId, Said),
    /// What has become of [`Output::Make`].
    Made(Vec<Made>),
    /// What has become of [`Output::Probe`].
    Probed {
        /// Which.
        id: u64,
        /// Whether it went out on the wire, and a control was heard if there are any: else it says nothing.
        asked: bool,
        /// Who answered first, for what; none if nobody did in time.
        answered: Option<(IpAddr, Mac)>,
    },
    /// A node's heartbeats are missing here, for so long; the last said that the agreed view there has this epoch. The wire
    /// is asked.
    Doubt(&'a str, Span, u64),
    /// They have been missing for so long that the node is taken for dead, if the wire says so too; no other node hears
    /// it.
    Missing(&'a str, Span),
    /// They come; they say that the agreed view at that node has this epoch, 0 for none.
    Heard(&'a str, u64),
    /// The lease has run out or was given up, or whether this node hears enough of the others has changed.
    Lease {
        /// Of the present one; larger after each that ended.
        generation: u64,
        /// Whether this node hears enough of the others.
        contact: bool,
    },
    /// A device has lost its carrier, or has it again.
    Link {
        /// Its name.
        interface: &'a str,
        /// Whether it has it.
        up: bool,
    },
    /// Addresses are to go to a node.
    Move(&'a [IpAddr], &'a str),
    /// A node is to have nothing, or may have again.
    Drain(&'a str, bool),
    /// Hosts that this one heard of lately on the links of its addresses.
    Neighbours(Vec<Neighbour>),
    /// Tell all members again what this node would hold, and the wire what it has.
    Announce,
    /// The settings changed.
    Reload(Box<Settings>),
    /// The node is to leave: it hands over what it has, then [`Output::Left`].
    Leave,
    /// The connections that each node has now, for the leader, when [`Holder::counts_connections`] says so.
    ///
    /// [`Holder::counts_connections`]: super::Holder::counts_connections
    Connections(Vec<(MemberId, u64)>),
    /// Nothing happened until [`Holder::next_deadline`](super::Holder::next_deadline).
    Timeout,
}

impl<'a> From<&'a Opinion> for Input<'a> {
    fn from(opinion: &'a Opinion) -> Self {
        let Opinion { name, stage, silent, vouched, epoch, .. } = opinion;
        match stage {
            Stage::Heard => Self::Heard(name, *epoch),
            Stage::Missing | Stage::Suspect if !vouched => Self::Missing(name, *silent),
            Stage::Doubted | Stage::Missing | Stage::Suspect => Self::Doubt(name, *silent, *epoch),
        }
    }
}

/// An address on this host, after something was done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Which.
    pub address: IpAddr,
    /// The latest order for it that the driver had taken by then; 0 before the first.
    pub order: u64,
    /// What it is now.
    pub now: Want,
    /// Why it is not what it was to be, and what to do, for people; the driver tries again by itself.
    pub failed: Option<String>,
}

/// One effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Say this to all members.
    Say(Said),
    /// Make these so; answer `Made` for each. A later order for an address takes the place of an earlier one.
    Make {
        /// Counts the orders, from 1.
        order: u64,
        /// Each address, and what it is to be.
        wants: Vec<(IpAddr, Want)>,
    },
    /// Ask the wire who has these; answer `Probed`.
    Probe {
        /// Which question.
        id: u64,
        /// Any answer for any of them counts.
        addresses: Vec<IpAddr>,
        /// Others hold these on the same devices: if any are named, silence counts only if one of them was heard.
        controls: Vec<IpAddr>,
        /// Time between two questions for an address.
        every: Span,
        /// How long to wait for an answer, from the first question.
        lasting: Span,
    },
    /// Announce these once more; all that are held if there are none.
    Announce(Vec<IpAddr>),
    /// Hosts that are to learn of moves, beside this host's own neighbours.
    HostsOfInterest(Vec<(IpAddr, Mac)>),
    /// This node has what the table says: its lease of this generation may be renewed.
    Allow(u64),
    /// It may not.
    Forbid,
    /// Tell the operator.
    Event(Event),
    /// Nothing is held any more, or nobody takes it.
    Left,
}

/// What an operator may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Owners changed, at once and for one reason.
    Moved {
        /// The first one.
        first: Change,
        /// Who had it, by name.
        from: Option<Arc<str>>,
        /// Who has it, by name.
        to: Option<Arc<str>>,
        /// How many.
        count: usize,
    },
    /// A node fell silent, and nobody on the wire answers for its addresses: they are taken over.
    TakenOver {
        /// Who.
        node: Arc<str>,
        /// How many addresses come here.
        count: usize,
    },
    /// A node fell silent, but its host answers for its addresses.
    StillAnswers {
        /// Who.
        node: Arc<str>,
        /// For what.
        address: IpAddr,
        /// From where.
        mac: Mac,
    },
    /// This node answers for nothing until the others have confirmed what it has.
    Fenced,
    /// They have.
    Confirmed,
    /// The kernel refused an address.
    Failed {
        /// Which.
        address: IpAddr,
        /// What it says.
        why: String,
    },
}
