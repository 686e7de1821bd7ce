//! Who is who: hello, welcome, refusal.
//!
//! A node is believed to be the peer it names only if it speaks from the address that the peer list gives that
//! name; so two nodes with one name are told apart, and both are told.
use super::{
    Node, Output, Settings,
    links::{ANSWER_WITHIN, Incoming, LinkId, Outgoing, Role, remembers},
};
use crate::{
    bounds,
    group::{Liveness, Receiver, Sender},
    time::{Instant, Span},
    wire::{Frame, Message, Object, Refusal, message, message::Hello},
};
use alloc::{
    format,
    string::{String, ToString},
    sync::Arc,
};
use core::net::IpAddr;

impl Node {
    /// The connection to a peer stands: say hello.
    pub(super) fn on_connected(&mut self, now: Instant, link: LinkId) {
        let Some(Role::Out(name)) = self.links.get(&link) else { return };
        let hello = hello(&self.settings);
        let Some(entry) = self.peers.get_mut(name) else { return };
        if !matches!(entry.outgoing, Outgoing::Dialing { link: dialed, .. } if dialed == link) {
            return;
        }
        let mut sender = Sender::new(&Object::ALL);
        let bytes = sender.say(&hello);
        entry.outgoing = Outgoing::Greeting { link, sender, until: now + ANSWER_WITHIN };
        self.emit(Output::Send(link, bytes));
    }

    /// The heartbeat has changed: says hello again wherever it was said before.
    pub(super) fn repeat_hello(&mut self) {
        let hello = hello(&self.settings);
        for entry in self.peers.values_mut() {
            if let Outgoing::Greeting { link, sender, .. } | Outgoing::Up { link, sender } =
                &mut entry.outgoing
            {
                self.outputs.push_back(Output::Send(*link, sender.say(&hello)));
            }
        }
    }

    /// A hello on a connection that has said one: the peer's heartbeat is another now.
    pub(super) fn on_repeated_hello(
        &mut self,
        now: Instant,
        link: LinkId,
        name: &Arc<str>,
        hello: &Hello<'_>,
    ) {
        let Some(entry) = self.peers.get_mut(name) else { return };
        if *hello.name != **name || Some(hello.incarnation) != entry.incarnation {
            return self.refuse(now, link, Refusal::Protocol, "it became another node while connected");
        }
        entry.peer.expect(liveness(hello));
    }

    /// The first frame of a connection that was accepted.
    pub(super) fn on_stranger(&mut self, now: Instant, link: LinkId, remote: IpAddr, frame: &Frame<'_>) {
        match Message::parse(frame) {
            Ok(Message::Hello(hello)) => match self.judge_hello(remote, &hello) {
                Ok(name) => self.welcome(now, link, &name, &hello, frame.sequence),
                Err((code, reason)) => self.refuse(now, link, code, &reason),
            },
            Ok(_) => self.refuse(now, link, Refusal::Protocol, "the first message is not a hello"),
            Err(error) => self.refuse(now, link, Refusal::Protocol, &error.to_string()),
        }
    }

    /// An answer on the connection to a peer.
    pub(super) fn on_answer(&mut self, now: Instant, link: LinkId, name: &Arc<str>, frame: &Frame<'_>) {
        let message = match Message::parse(frame) {
            Ok(message) => message,
            Err(error) => return self.refuse(now, link, Refusal::Protocol, &error.to_string()),
        };
        match message {
            Message::Welcome { name: theirs, .. } if *theirs == **name => self.on_welcome(link, name),
            Message::Welcome { name: theirs, .. } => {
                let reason = format!(
                    "it answers as \"{theirs}\"; correct the peer list, or give every node a name of its own"
                );
                self.refuse(now, link, Refusal::Address, &reason);
            }
            Message::Refused { reason, .. } => {
                let reason = format!("it refuses this node: {reason}");
                self.refuse(now, link, Refusal::Protocol, &reason);
            }
            Message::Resync => {
                if let Some(Outgoing::Up { sender, .. }) =
                    self.peers.get_mut(name).map(|entry| &mut entry.outgoing)
                {
                    sender.restart(&Object::ALL);
                }
            }
            Message::Hello(_)
            | Message::Heartbeat
            | Message::Goodbye
            | Message::Delta { .. }
            | Message::Range { .. } => {
                self.refuse(now, link, Refusal::Protocol, "it sent counts where only answers belong");
            }
        }
    }

    fn on_welcome(&mut self, link: LinkId, name: &Arc<str>) {
        let Some(entry) = self.peers.get_mut(name) else { return };
        let placeholder = Outgoing::Idle { until: Instant::default() };
        entry.outgoing = match core::mem::replace(&mut entry.outgoing, placeholder) {
            Outgoing::Greeting { link: greeted, sender, .. } if greeted == link => {
                entry.trouble_out = None;
                Outgoing::Up { link, sender }
            }
            other => other,
        };
    }

    /// Returns the peer that a hello is from, or why it is not taken.
    fn judge_hello(&self, remote: IpAddr, hello: &Hello<'_>) -> Result<Arc<str>, (Refusal, String)> {
        let (own, name) = (&self.settings.name, hello.name);
        if *hello.group != *self.settings.group {
            let text = format!("cluster_group is \"{}\" here, not \"{}\"", self.settings.group, hello.group);
            return Err((Refusal::Group, text));
        }
        if *name == **own {
            let text =
                format!("{remote} calls itself \"{name}\", which is this node; set another nodename there");
            return Err((Refusal::Self_, text));
        }
        let Some((name, entry)) = self.peers.get_key_value(name) else {
            let text = format!(
                "\"{name}\" ({remote}) is not in the peer list of \"{own}\"; add it to msgc_server peers"
            );
            return Err((Refusal::Unknown, text));
        };
        if entry.address != remote {
            let text = format!(
                "{remote} calls itself \"{name}\", but the peer list of \"{own}\" gives {} for it; two nodes \
                 with one name, or a wrong address",
                entry.address
            );
            return Err((Refusal::Address, text));
        }
        match entry.incarnation {
            Some(known) if hello.incarnation < known && remembers(entry.peer.state()) => {
                let text = format!("a later process of \"{name}\" is connected; stop one of the two");
                Err((Refusal::Stale, text))
            }
            _ => Ok(name.clone()),
        }
    }

    fn welcome(&mut self, now: Instant, link: LinkId, name: &Arc<str>, hello: &Hello<'_>, sequence: u64) {
        let Some(entry) = self.peers.get_mut(name) else { return };
        entry.peer.expect(liveness(hello));
        let known = entry.incarnation.replace(hello.incarnation);
        let another_life = known.is_some_and(|known| known != hello.incarnation);
        let replaced = entry.incoming.as_ref().map(|incoming| incoming.link);
        if let Some(old) = replaced {
            self.drop_link(old);
        }
        self.end_incoming(name);
        if another_life {
            // Our connection went with the process. Its counts stay until the new process's full transfer replaces
            // them range by range: the kernel counts on while a daemon restarts, so no sum dips meanwhile.
            let outgoing = self.peers.get(name).and_then(|entry| entry.outgoing.link());
            if let Some(outgoing) = outgoing {
                self.drop_link(outgoing);
            }
            self.end_outgoing(name, now);
        }
        let mut receiver = Receiver::default();
        receiver.judge(now, sequence, false, false);
        let Some(entry) = self.peers.get_mut(name) else { return };
        entry.incoming = Some(Incoming { link, receiver, sequence: 1 });
        if let Outgoing::Idle { until } = &mut entry.outgoing {
            // It is there, so there is no reason to wait before dialling it.
            *until = (*until).min(now + Span::ZERO);
        }
        if self.settings.heartbeat_port.is_some() {
            entry.beats.expect(now, hello.incarnation);
        }
        let doubted = entry.peer.doubt(now, entry.beats.are_silent(entry.incarnation));
        let changed = entry.peer.heard(now).or(doubted);
        self.links.insert(link, Role::In(name.clone()));
        let welcome = Message::Welcome { incarnation: self.settings.incarnation, name: &self.settings.name };
        let bytes = message::emit(1, &welcome);
        self.emit(Output::Send(link, bytes));
        if let Some(state) = changed {
            self.on_state(now, name, state);
        }
    }
}

fn hello(settings: &Settings) -> Message<'_> {
    Message::Hello(Hello {
        incarnation: settings.incarnation,
        interval_us: u32::try_from(settings.heartbeat.as_ns() / 1_000).unwrap_or(u32::MAX),
        name: &settings.name,
        group: &settings.group,
        build: &settings.build,
    })
}

/// Returns how a peer is judged: by the heartbeat it announces, within the bounds that settings have.
fn liveness(hello: &Hello<'_>) -> Liveness {
    let interval = Span::from_us(hello.interval_us.into());
    Liveness::new(interval.clamp(bounds::HEARTBEAT_MIN, bounds::HEARTBEAT_MAX))
}
