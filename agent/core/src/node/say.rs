//! What flows once nodes know each other: counts, heartbeats, requests.
use super::{
    Event, Node, Output,
    links::{LinkId, Outgoing, Role},
};
use crate::{
    group::{Accept, Sender},
    time::Instant,
    wire::{Frame, Message, Object, Refusal, message},
};
use alloc::{string::ToString, sync::Arc, vec::Vec};

impl Node {
    pub(super) fn on_frame(&mut self, now: Instant, link: LinkId, frame: &Frame<'_>) {
        match self.links.get(&link).cloned() {
            None => {}
            Some(Role::Stranger { remote, .. }) => self.on_stranger(now, link, remote, frame),
            Some(Role::Out(name)) => self.on_answer(now, link, &name, frame),
            Some(Role::In(name)) => self.on_peer_frame(now, link, &name, frame),
        }
    }

    /// Part of a frame of a peer that has said who it is: it lives, though it is slow.
    pub(super) fn on_part(&mut self, now: Instant, link: LinkId) {
        let Some(Role::In(name)) = self.links.get(&link).cloned() else { return };
        let Some(entry) = self.peers.get_mut(&name) else { return };
        if let Some(state) = entry.peer.heard(now) {
            self.on_state(now, &name, state);
        }
    }

    /// A frame of a peer that has said who it is.
    fn on_peer_frame(&mut self, now: Instant, link: LinkId, name: &Arc<str>, frame: &Frame<'_>) {
        let message = match Message::parse(frame) {
            Ok(message) => message,
            Err(error) => return self.refuse(now, link, Refusal::Protocol, &error.to_string()),
        };
        let Some(entry) = self.peers.get_mut(name) else { return };
        let Some(incoming) = &mut entry.incoming else { return };
        let (opens, is_state) = match message {
            Message::Range { opens, .. } => (opens, true),
            Message::Delta { .. } => (false, true),
            _ => (false, false),
        };
        let accept = incoming.receiver.judge(now, frame.sequence, opens, is_state);
        if accept == Accept::AskAgain {
            incoming.sequence += 1;
            let bytes = message::emit(incoming.sequence, &Message::Resync);
            self.outputs.push_back(Output::Send(link, bytes));
        }
        if let Some(state) = entry.peer.heard(now) {
            self.on_state(now, name, state);
        }
        if accept == Accept::Take {
            self.take(now, link, name, &message);
        }
    }

    fn take(&mut self, now: Instant, link: LinkId, name: &Arc<str>, message: &Message<'_>) {
        match *message {
            Message::Heartbeat => {}
            Message::Goodbye => {
                let Some(entry) = self.peers.get_mut(name) else { return };
                if let Some(state) = entry.peer.left(now) {
                    self.on_state(now, name, state);
                }
            }
            Message::Delta { object, entries } => self.replica_mut(object).apply(name, entries.iter()),
            Message::Range { object, completes, first, last, entries, .. } => {
                // Entries of a range always have a cell; the decoder made sure.
                let cells = entries.iter().filter_map(|(host, cell)| Some((host, cell?)));
                self.replica_mut(object).apply_range(name, entries.family(), (first, last), cells);
                if completes {
                    self.on_complete(name);
                }
            }
            Message::Hello(hello) => self.on_repeated_hello(now, link, name, &hello),
            Message::Welcome { .. } | Message::Refused { .. } | Message::Resync => {
                self.refuse(now, link, Refusal::Protocol, "it sent an answer where only counts belong");
            }
        }
    }

    fn on_complete(&mut self, name: &Arc<str>) {
        let Some(entry) = self.peers.get_mut(name) else { return };
        let Some(incoming) = &mut entry.incoming else { return };
        incoming.receiver.completed();
        entry.trouble_in = None;
        let view = |object| self.replica(object).view(name).map_or(0, crate::counters::CidrTree::len);
        let hosts = Object::ALL.into_iter().map(view).sum();
        self.emit(Output::Event(Event::Complete { name: name.clone(), hosts }));
    }

    /// Tells every peer that is connected what `say` makes for it, if anything.
    pub(super) fn say_to_all(&mut self, say: impl Fn(&mut Sender) -> Option<Vec<u8>>) {
        for entry in self.peers.values_mut() {
            let Outgoing::Up { link, sender } = &mut entry.outgoing else { continue };
            if let Some(bytes) = say(sender) {
                self.outputs.push_back(Output::Send(*link, bytes));
            }
        }
    }

    /// Tells a peer that this node leaves it, if it is connected.
    pub(super) fn say_goodbye(&mut self, name: &str) {
        let outgoing = self.peers.get_mut(name).map(|entry| &mut entry.outgoing);
        let Some(Outgoing::Up { link, sender }) = outgoing else { return };
        self.outputs.push_back(Output::Send(*link, sender.say(&Message::Goodbye)));
    }

    /// Moves every full transfer on by as much as its connection takes.
    pub(super) fn advance_transfers(&mut self) {
        if !self.awaited.is_empty() {
            return;
        }
        let Self { peers, settings, inbound, outbound, silent, outputs, .. } = self;
        // What is not replicated is transferred as empty: a peer that has counts from before loses them.
        let replica = |object| match object {
            _ if !settings.replicate.contains_key(&object) => &*silent,
            Object::InboundCidr => &*inbound,
            Object::OutboundCidr => &*outbound,
        };
        for entry in peers.values_mut() {
            let Outgoing::Up { link, sender } = &mut entry.outgoing else { continue };
            while let Some(bytes) = sender.advance(replica) {
                outputs.push_back(Output::Send(*link, bytes));
            }
        }
    }
}
