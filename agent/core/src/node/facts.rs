//! What goes into a node and what comes out of it.
use super::{LinkId, Settings};
use crate::{
    counters::Changes,
    group::{
        State,
        bus::{self, MemberId},
        detector::Opinion,
        questions::{Answered, Ask, Errand, Token},
        view::View,
    },
    time::Instant,
    vip,
    wire::{Frame, FrameError, Object},
};
use alloc::{string::String, sync::Arc, vec::Vec};
use convoy_common::{addr::Host, count::Count};
use core::net::IpAddr;

/// One fact.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// Hosts whose own count changed.
    Counts(Object, Changes<'a>),
    /// The complete own counts.
    AllCounts(Object, &'a [(Host, Count)]),
    /// A peer, not yet known which, opened a connection from this address.
    Accepted(LinkId, IpAddr),
    /// A connection asked for by [`Output::Dial`] stands.
    Connected(LinkId),
    /// Some bytes of a frame arrived, not all: on a slow connection the only sign of life for a while. Told as
    /// often as bytes are read without completing a frame.
    Part(LinkId),
    /// A frame arrived.
    Frame(LinkId, Frame<'a>),
    /// What arrived is no frame. The connection is to be given up.
    Garbage(LinkId, FrameError),
    /// The connection took this many bytes.
    Wrote(LinkId, usize),
    /// The connection ended or never stood; the text says how, for people.
    Closed(LinkId, &'a str),
    /// A peer's heartbeat datagrams have stopped, or come again.
    Opinion(&'a Opinion),
    /// What the bus delivers, and this process's name on it.
    Bus(Option<MemberId>, &'a bus::Event),
    /// Give a command to members; answered with [`Output::Answers`].
    Ask(Ask),
    /// What [`Output::CarryOut`] asked for is done: which errand, its exit code, its text.
    CarriedOut((MemberId, u64), u8, &'a str),
    /// About the addresses that the cluster shares.
    Vip(vip::Input<'a>),
    /// The settings changed.
    Reload(Settings),
    /// The node is to leave: goodbyes, then [`Output::Stopped`].
    Stop,
    /// Nothing happened until [`Node::next_deadline`](super::Node::next_deadline).
    Timeout,
}

/// One effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a connection to the mesh port of this address; answer `Connected` or `Closed`.
    Dial(LinkId, IpAddr),
    /// Write these bytes after those before; answer `Wrote`.
    Send(LinkId, Vec<u8>),
    /// Write what waits, then close. No answer is expected.
    Close(LinkId),
    /// Send this to all members of the bus.
    Multicast(Vec<u8>),
    /// Carry out a member's command; answer `CarriedOut`.
    CarryOut(Errand),
    /// What became of a command that was asked for, or why it could not be given.
    Answers(Token, Result<Vec<Answered>, String>),
    /// About the addresses that the cluster shares; never [`vip::Output::Say`].
    Vip(vip::Output),
    /// Tell the operator.
    Event(Event),
    /// The last output: every goodbye is on its way.
    Stopped,
}

/// What an operator may want to know. The driver logs it; nothing depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A peer's state changed.
    Member {
        /// Who.
        name: Arc<str>,
        /// What it is now.
        state: State,
        /// Its life.
        incarnation: u64,
    },
    /// A peer's view is complete: all it counts has arrived.
    Complete {
        /// Whose.
        name: Arc<str>,
        /// Hosts in its view, all objects.
        hosts: usize,
    },
    /// All members agree on this view.
    View(Arc<View>),
    /// This node is on no bus; why, and what to do.
    BusLost(String),
    /// Something stands between this node and a peer; said once until it changes.
    Trouble {
        /// With whom; a peer's name, or an address that did not say one.
        with: Arc<str>,
        /// What it is and what to do.
        text: String,
    },
}

/// One row of the membership, this node included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Node name.
    pub name: Arc<str>,
    /// Address of its mesh listener; `None` for this node when it is alone.
    pub address: Option<IpAddr>,
    /// Alive, suspect or gone.
    pub state: State,
    /// Its life; `None` when it was never heard.
    pub incarnation: Option<u64>,
    /// This node's own row.
    pub own: bool,
    /// When the state was entered.
    pub since: Instant,
    /// When something of it last arrived.
    pub heard: Instant,
    /// Everything it counts has arrived here.
    pub complete: bool,
    /// Full transfers begun to it because too much waited.
    pub lagged: u64,
    /// Gaps in what it sent.
    pub gaps: u64,
    /// What stands between this node and it.
    pub trouble: Option<String>,
}
