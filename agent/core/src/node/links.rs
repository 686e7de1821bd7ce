//! Connections: whose they are, and what becomes of them.
use super::{Event, Node, Output};
use crate::{
    bounds,
    group::{Receiver, Sender, State},
    time::{Instant, Span},
    wire::{FrameError, Message, Refusal},
};
use alloc::{format, string::ToString, sync::Arc};
use core::net::IpAddr;

/// Names a connection for as long as it lasts; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkId {
    /// Opened by this node; the node numbers them.
    Dialed(u64),
    /// Opened by a peer; the driver numbers them.
    Accepted(u64),
}

/// Whose a connection is.
#[derive(Clone, Debug)]
pub(super) enum Role {
    /// Accepted; has not said who it is.
    Stranger { remote: IpAddr, until: Instant },
    /// Accepted from this peer: it says its counts.
    In(Arc<str>),
    /// Opened to this peer: this node says its counts.
    Out(Arc<str>),
}

/// This node's connection to one peer.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// None; the next attempt is due at `until`.
    Idle { until: Instant },
    /// Asked for; given up at `until`.
    Dialing { link: LinkId, until: Instant },
    /// Hello said, waiting for the welcome; given up at `until`.
    Greeting { link: LinkId, sender: Sender, until: Instant },
    /// Welcomed: counts and heartbeats flow.
    Up { link: LinkId, sender: Sender },
}

/// One peer's connection to this node.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) link: LinkId,
    pub(super) receiver: Receiver,
    /// Frames said on it so far: the welcome and requests for full transfers.
    pub(super) sequence: u64,
}

impl Role {
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Stranger { until, .. } => Some(*until),
            Self::In(_) | Self::Out(_) => None,
        }
    }

    pub(super) fn excuse(&mut self, late: Span) {
        match self {
            Self::Stranger { until, .. } => *until = *until + late,
            Self::In(_) | Self::Out(_) => {}
        }
    }
}

impl Outgoing {
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Idle { until } | Self::Dialing { until, .. } | Self::Greeting { until, .. } => Some(*until),
            Self::Up { .. } => None,
        }
    }

    pub(super) fn excuse(&mut self, late: Span) {
        match self {
            Self::Dialing { until, .. } | Self::Greeting { until, .. } => *until = *until + late,
            Self::Idle { .. } | Self::Up { .. } => {}
        }
    }

    /// The pause before the next attempt ends at `latest` at the latest.
    pub(super) fn hurry(&mut self, latest: Instant) {
        match self {
            Self::Idle { until } => *until = (*until).min(latest),
            Self::Dialing { .. } | Self::Greeting { .. } | Self::Up { .. } => {}
        }
    }

    pub(super) fn link(&self) -> Option<LinkId> {
        match self {
            Self::Idle { .. } => None,
            Self::Dialing { link, .. } | Self::Greeting { link, .. } | Self::Up { link, .. } => Some(*link),
        }
    }

    pub(super) fn sender(&self) -> Option<&Sender> {
        match self {
            Self::Idle { .. } | Self::Dialing { .. } => None,
            Self::Greeting { sender, .. } | Self::Up { sender, .. } => Some(sender),
        }
    }

    fn sender_mut(&mut self) -> Option<&mut Sender> {
        match self {
            Self::Idle { .. } | Self::Dialing { .. } => None,
            Self::Greeting { sender, .. } | Self::Up { sender, .. } => Some(sender),
        }
    }
}

impl Node {
    pub(super) fn on_accepted(&mut self, now: Instant, link: LinkId, remote: IpAddr) {
        let strangers = || self.links.iter().filter(|(_, role)| matches!(role, Role::Stranger { .. }));
        if strangers().count() >= bounds::STRANGERS_MAX {
            let oldest = strangers().min_by_key(|(_, role)| role.deadline()).map(|(link, _)| *link);
            if let Some(oldest) = oldest {
                self.refused += 1;
                self.drop_link(oldest);
            }
        }
        self.links.insert(link, Role::Stranger { remote, until: now + HELLO_WITHIN });
    }

    /// Closes connections that did not say who they are in time.
    pub(super) fn drop_silent_strangers(&mut self, now: Instant) {
        let late = |role: &Role| role.deadline().is_some_and(|until| until <= now);
        let late = self.links.iter().filter(|(_, role)| late(role)).map(|(link, _)| *link);
        for link in late.collect::<alloc::vec::Vec<_>>() {
            self.refuse(now, link, Refusal::Protocol, &format!("no hello within {HELLO_WITHIN}"));
        }
    }

    /// Opens the connection to a peer when its pause is over; gives up an attempt that takes too long.
    pub(super) fn dial_if_due(&mut self, now: Instant, name: &Arc<str>) {
        let Some(entry) = self.peers.get_mut(name) else { return };
        match &entry.outgoing {
            Outgoing::Idle { until } if *until <= now => {
                self.links_dialed += 1;
                let link = LinkId::Dialed(self.links_dialed);
                let address = entry.address;
                entry.outgoing = Outgoing::Dialing { link, until: now + self.settings.connect };
                self.links.insert(link, Role::Out(name.clone()));
                self.emit(Output::Dial(link, address));
            }
            Outgoing::Dialing { link, until } | Outgoing::Greeting { link, until, .. } if *until <= now => {
                let link = *link;
                let within = match entry.outgoing {
                    Outgoing::Greeting { .. } => ANSWER_WITHIN,
                    Outgoing::Idle { .. } | Outgoing::Dialing { .. } | Outgoing::Up { .. } => {
                        self.settings.connect
                    }
                };
                self.drop_link(link);
                self.on_closed_out(now, name, &format!("no answer within {within}"));
            }
            Outgoing::Idle { .. }
            | Outgoing::Dialing { .. }
            | Outgoing::Greeting { .. }
            | Outgoing::Up { .. } => {}
        }
    }

    pub(super) fn on_wrote(&mut self, link: LinkId, bytes: usize) {
        let Some(Role::Out(name)) = self.links.get(&link) else { return };
        let sender = self.peers.get_mut(name).and_then(|entry| entry.outgoing.sender_mut());
        if let Some(sender) = sender {
            sender.wrote(bytes);
        }
    }

    pub(super) fn on_garbage(&mut self, now: Instant, link: LinkId, error: FrameError) {
        let code = match error {
            FrameError::Version { .. } => Refusal::Version,
            FrameError::Magic { .. }
            | FrameError::Reserved { .. }
            | FrameError::TooLong { .. }
            | FrameError::Checksum { .. } => Refusal::Protocol,
        };
        self.refuse(now, link, code, &error.to_string());
    }

    pub(super) fn on_closed(&mut self, now: Instant, link: LinkId, why: &str) {
        match self.links.remove(&link) {
            None | Some(Role::Stranger { .. }) => {}
            Some(Role::Out(name)) => self.on_closed_out(now, &name, why),
            Some(Role::In(name)) => self.on_closed_in(now, &name),
        }
    }

    /// Says why on a connection and ends it. A peer that had said who it is becomes suspect, and is named.
    pub(super) fn refuse(&mut self, now: Instant, link: LinkId, code: Refusal, reason: &str) {
        let Some(role) = self.links.remove(&link) else { return };
        self.refused += 1;
        let sequence = match &role {
            Role::In(name) => {
                self.peers.get(name).and_then(|entry| entry.incoming.as_ref()).map_or(1, |i| i.sequence + 1)
            }
            Role::Out(_) | Role::Stranger { .. } => 1,
        };
        if !matches!(role, Role::Out(_)) {
            let bytes = crate::wire::message::emit(sequence, &Message::Refused { code, reason });
            self.emit(Output::Send(link, bytes));
        }
        self.emit(Output::Close(link));
        match role {
            Role::Stranger { remote, .. } => {
                let text = format!("connection refused: {reason}");
                self.emit(Output::Event(Event::Trouble { with: remote.to_string().into(), text }));
            }
            Role::In(name) => {
                self.trouble(
                    &name,
                    |entry| &mut entry.trouble_in,
                    format!("dropped its connection: {reason}"),
                );
                self.on_closed_in(now, &name);
            }
            Role::Out(name) => {
                self.on_closed_out(now, &name, reason);
            }
        }
    }

    /// Ends both connections with a peer and tries anew after the pause.
    pub(super) fn hang_up(&mut self, now: Instant, name: &Arc<str>) {
        let Some(entry) = self.peers.get(name) else { return };
        let links = [entry.outgoing.link(), entry.incoming.as_ref().map(|incoming| incoming.link)];
        for link in links.into_iter().flatten() {
            self.drop_link(link);
        }
        self.end_outgoing(name, now + self.settings.reconnect);
        self.end_incoming(name);
    }

    pub(super) fn end_outgoing(&mut self, name: &Arc<str>, until: Instant) {
        let Some(entry) = self.peers.get_mut(name) else { return };
        entry.lagged += entry.outgoing.sender().map_or(0, Sender::lagged);
        entry.outgoing = Outgoing::Idle { until };
    }

    pub(super) fn end_incoming(&mut self, name: &Arc<str>) {
        let Some(entry) = self.peers.get_mut(name) else { return };
        entry.gaps += entry.incoming.take().map_or(0, |incoming| incoming.receiver.gaps());
    }

    pub(super) fn drop_link(&mut self, link: LinkId) {
        if self.links.remove(&link).is_some() {
            self.emit(Output::Close(link));
        }
    }

    fn on_closed_out(&mut self, now: Instant, name: &Arc<str>, why: &str) {
        let Some(entry) = self.peers.get(name) else { return };
        let address = entry.address;
        // A connection that stood and ended is tried again at once, the first time; failures wait.
        let pause = match entry.outgoing {
            Outgoing::Up { .. } => RETRY_AFTER_LOSS.min(self.settings.reconnect),
            Outgoing::Idle { .. } | Outgoing::Dialing { .. } | Outgoing::Greeting { .. } => {
                self.settings.reconnect
            }
        };
        self.end_outgoing(name, now + pause);
        self.trouble(name, |entry| &mut entry.trouble_out, format!("no connection to {address}: {why}"));
    }

    fn on_closed_in(&mut self, now: Instant, name: &Arc<str>) {
        self.end_incoming(name);
        let Some(entry) = self.peers.get_mut(name) else { return };
        if let Some(state) = entry.peer.cut_off(now) {
            self.on_state(now, name, state);
        }
    }
}

/// Returns whether a state lets a peer's earlier life count.
pub(super) fn remembers(state: State) -> bool {
    match state {
        State::Alive | State::Suspect => true,
        State::Gone => false,
    }
}

/// Time a connection has to say who it is.
const HELLO_WITHIN: Span = Span::from_secs(5);
/// Time a peer has to answer a hello.
pub(super) const ANSWER_WITHIN: Span = Span::from_secs(5);
/// Pause before a connection that was up is opened again.
const RETRY_AFTER_LOSS: Span = Span::from_ms(50);
