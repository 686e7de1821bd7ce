//! One node of the cluster: owns the machines, routes facts to them, collects their effects.
//!
//! ```text
//!   sampler --Counts--> replica(own) --pending--> delta --> a sender per peer --Send-->   mesh
//!   mesh ----Frame----> receiver -------------> replica(view of that peer), global
//!   time ----Timeout--> heartbeats, suspicion, redialling, batching
//! ```
//! Each node opens one connection to every peer and says its own counts on it; what a peer says arrives on the
//! connection that the peer opened. Invariants: 1. a connection may carry counts only after its hello was
//! accepted; 2. a peer that is gone has no view; 3. every output follows from the inputs and their times alone.

mod agreed;
mod batch;
mod facts;
mod greet;
mod links;
mod say;
mod settings;
mod suspicion;
mod vips;

pub use facts::{Event, Input, Member, Output};
pub use links::LinkId;
pub use settings::{Batching, Settings, Standing};

use crate::{
    counters::Replica,
    group::{Liveness, Outbox, Peer, Sender, State, membership::Membership, questions::Questions},
    time::Instant,
    vip::{self, Holder},
    wire::{Message, Object},
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
    sync::Arc,
    vec::Vec,
};
use batch::Batch;
use core::net::IpAddr;
use links::{Incoming, Outgoing, Role};
use suspicion::Beats;

/// See the module.
#[derive(Debug)]
pub struct Node {
    settings: Settings,
    started: Instant,
    inbound: Replica,
    outbound: Replica,
    silent: Replica,
    batches: BTreeMap<Object, Batch>,
    peers: BTreeMap<Arc<str>, Entry>,
    links: BTreeMap<LinkId, Role>,
    links_dialed: u64,
    beat_at: Instant,
    refused: u64,
    stopping: bool,
    membership: Membership,
    questions: Questions,
    outbox: Outbox,
    vips: Holder,
    /// Objects whose own counts are not known yet; see [`Node::awaiting_counts`].
    awaited: BTreeSet<Object>,
    outputs: VecDeque<Output>,
}

/// All this node knows of one peer.
#[derive(Debug)]
struct Entry {
    address: IpAddr,
    peer: Peer,
    incarnation: Option<u64>,
    outgoing: Outgoing,
    incoming: Option<Incoming>,
    /// What stands between this node's counts and it; over when it welcomes this node.
    trouble_out: Option<String>,
    /// What was wrong with the connection it opened; over when all its counts have come on a later one.
    trouble_in: Option<String>,
    beats: Beats,
    lagged: u64,
    gaps: u64,
}

impl Node {
    /// Returns a node that knows its settings and has heard nothing.
    pub fn new(settings: Settings, now: Instant) -> Self {
        let mut node = Self {
            beat_at: now,
            started: now,
            inbound: Replica::default(),
            outbound: Replica::default(),
            silent: Replica::default(),
            batches: Object::ALL.map(|object| (object, Batch::default())).into(),
            peers: BTreeMap::new(),
            links: BTreeMap::new(),
            links_dialed: 0,
            refused: 0,
            stopping: false,
            membership: Membership::new(settings.card()),
            questions: Questions::default(),
            outbox: Outbox::default(),
            vips: Holder::new(vip::Settings::clone(&settings.vips), now),
            awaited: BTreeSet::new(),
            outputs: VecDeque::new(),
            settings,
        };
        node.take_peers(now);
        node
    }

    /// Holds this node's own counts back until [`Input::AllCounts`] has come for every object, so that a daemon may
    /// greet its peers, and learn theirs, while its kernel programs are still being loaded.
    #[must_use]
    pub fn awaiting_counts(mut self) -> Self {
        self.awaited = Object::ALL.into();
        self
    }

    /// Takes one fact. Never blocks, never fails; effects wait in [`Self::poll_output`]. A node that was told
    /// to stop takes none.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        if self.stopping {
            return;
        }
        self.excuse_own_stall(now);
        match input {
            Input::Counts(object, changes) => self.on_counts(now, object, changes),
            Input::AllCounts(object, counts) => self.on_all_counts(now, object, counts),
            Input::Accepted(link, remote) => self.on_accepted(now, link, remote),
            Input::Connected(link) => self.on_connected(now, link),
            Input::Part(link) => self.on_part(now, link),
            Input::Frame(link, frame) => self.on_frame(now, link, &frame),
            Input::Garbage(link, error) => self.on_garbage(now, link, error),
            Input::Wrote(link, bytes) => self.on_wrote(link, bytes),
            Input::Closed(link, why) => self.on_closed(now, link, why),
            Input::Bus(id, event) => self.on_bus(now, id, event),
            Input::Ask(ask) => self.on_ask(now, &ask),
            Input::CarriedOut(errand, code, text) => self.on_carried_out(now, errand, code, text),
            Input::Opinion(opinion) => self.on_opinion(now, opinion),
            Input::Vip(input) => self.on_vip(now, input),
            Input::Reload(settings) => self.on_reload(now, settings),
            Input::Stop => self.on_stop(),
            Input::Timeout => {}
        }
        self.on_time(now);
    }

    /// Returns the next effect to carry out.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when to call [`Self::handle`] with [`Input::Timeout`] if nothing else happens.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.stopping {
            return None;
        }
        let beat = (!self.peers.is_empty()).then_some(self.beat_at);
        let batches =
            self.batches.iter().filter_map(|(object, batch)| batch.deadline(self.batching(*object)?));
        let peers = self.peers.values().flat_map(Entry::deadlines);
        let strangers = self.links.values().filter_map(Role::deadline);
        let questions = self.questions.deadline().into_iter().chain(self.vips.next_deadline());
        beat.into_iter().chain(batches).chain(peers).chain(strangers).chain(questions).min()
    }

    /// Returns the settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns an object's counts: own, by sender, and their sum.
    pub fn replica(&self, object: Object) -> &Replica {
        match object {
            Object::InboundCidr => &self.inbound,
            Object::OutboundCidr => &self.outbound,
        }
    }

    /// Tells whether an object is replicated here.
    pub fn replicates(&self, object: Object) -> bool {
        self.settings.replicate.contains_key(&object)
    }

    /// Returns how many connections were refused since the start.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Returns all nodes by name. `own_address` is this node's, for its own row.
    pub fn members(&self, own_address: Option<IpAddr>, now: Instant) -> Vec<Member> {
        let own = Member {
            name: self.settings.name.clone(),
            address: own_address,
            state: State::Alive,
            incarnation: Some(self.settings.incarnation),
            own: true,
            since: self.started,
            heard: now,
            complete: true,
            lagged: 0,
            gaps: 0,
            trouble: None,
        };
        let mut members = self.peers.iter().map(|(name, entry)| entry.member(name)).collect::<Vec<_>>();
        members.push(own);
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members
    }

    fn replica_mut(&mut self, object: Object) -> &mut Replica {
        match object {
            Object::InboundCidr => &mut self.inbound,
            Object::OutboundCidr => &mut self.outbound,
        }
    }

    fn batching(&self, object: Object) -> Option<Batching> {
        self.settings.replicate.get(&object).copied()
    }

    fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Everything that is due by time alone, and whatever full transfers can move.
    fn on_time(&mut self, now: Instant) {
        if self.stopping {
            return; // just now
        }
        self.flush_due(now);
        let due = self.peers.iter().filter(|(_, entry)| entry.is_due(now)).map(|(name, _)| name.clone());
        for name in due.collect::<Vec<_>>() {
            self.tick_peer(now, &name);
        }
        self.drop_silent_strangers(now);
        self.questions.on_time(now);
        self.tick_vips(now);
        self.collect_agreed(now);
        if now >= self.beat_at {
            self.say_to_all(Sender::beat);
            self.beat_at = now + self.settings.heartbeat;
        }
        self.advance_transfers();
    }

    /// Did this node itself not run, then it could not hear anybody: what its peers said may wait in its own
    /// queues. Nothing that waits for others is held against them for as long as this node was late.
    fn excuse_own_stall(&mut self, now: Instant) {
        let late = now.since(self.beat_at);
        if late < self.settings.heartbeat {
            return;
        }
        for entry in self.peers.values_mut() {
            entry.peer.excuse(now, late);
            entry.outgoing.excuse(late);
        }
        self.links.values_mut().for_each(|role| role.excuse(late));
    }

    fn tick_peer(&mut self, now: Instant, name: &Arc<str>) {
        let Some(entry) = self.peers.get_mut(name) else { return };
        if let Some(state) = entry.peer.tick(now) {
            self.on_state(now, name, state);
        }
        self.miss_beats(now, name);
        self.dial_if_due(now, name);
    }

    /// A peer's state changed: tell it, and act on its end.
    fn on_state(&mut self, now: Instant, name: &Arc<str>, state: State) {
        if state == State::Gone {
            self.forget(name);
            self.hang_up(now, name);
        }
        let Some(entry) = self.peers.get(name) else { return };
        let incarnation = entry.incarnation.unwrap_or(0);
        self.emit(Output::Event(Event::Member { name: name.clone(), state, incarnation }));
    }

    fn forget(&mut self, name: &str) {
        self.inbound.forget(name);
        self.outbound.forget(name);
    }

    fn on_reload(&mut self, now: Instant, settings: Settings) {
        let incarnation = self.settings.incarnation;
        let before = core::mem::replace(&mut self.settings, Settings { incarnation, ..settings });
        if self.settings.heartbeat != before.heartbeat {
            self.beat_at = now;
            self.repeat_hello();
        }
        self.take_peers(now);
        let latest = now + self.settings.reconnect;
        for entry in self.peers.values_mut() {
            entry.peer.listen_from(self.started + self.settings.start_delay);
            entry.outgoing.hurry(latest);
        }
        self.present_anew(now);
        if self.settings.vips != before.vips {
            let vips = self.settings.vips.clone();
            self.on_vip(now, vip::Input::Reload(vips));
        }
        if self.settings.replicate.keys().ne(before.replicate.keys()) {
            for entry in self.peers.values_mut() {
                if let Outgoing::Up { sender, .. } = &mut entry.outgoing {
                    sender.restart(&Object::ALL);
                }
            }
        }
    }

    /// Brings the table of peers in line with the settings. Peers that stay keep their state and connections, those
    /// that go are told goodbye: they need not find out by silence.
    fn take_peers(&mut self, now: Instant) {
        for name in self.peers.keys().cloned().collect::<Vec<_>>() {
            let stays =
                self.peers.get(&name).map(|entry| entry.address) == self.settings.peers.get(&name).copied();
            if !stays {
                self.forget(&name);
                self.say_goodbye(&name);
                self.hang_up(now, &name);
                self.peers.remove(&name);
            }
        }
        let listen_from = self.started + self.settings.start_delay;
        for (name, address) in &self.settings.peers {
            self.peers.entry(name.clone()).or_insert_with(|| Entry {
                address: *address,
                peer: Peer::new(Liveness::new(self.settings.heartbeat), now, listen_from),
                incarnation: None,
                outgoing: Outgoing::Idle { until: now },
                incoming: None,
                trouble_out: None,
                trouble_in: None,
                beats: Beats::default(),
                lagged: 0,
                gaps: 0,
            });
        }
    }

    fn on_stop(&mut self) {
        self.say_to_all(|sender| Some(sender.say(&Message::Goodbye)));
        for link in core::mem::take(&mut self.links).into_keys() {
            self.emit(Output::Close(link));
        }
        self.stopping = true;
        self.emit(Output::Stopped);
    }

    /// Notes what stands between this node and a peer, and tells it when it is news.
    fn trouble(&mut self, name: &Arc<str>, way: fn(&mut Entry) -> &mut Option<String>, text: String) {
        let Some(noted) = self.peers.get_mut(name).map(way) else { return };
        if noted.as_ref() == Some(&text) {
            return;
        }
        *noted = Some(text.clone());
        self.emit(Output::Event(Event::Trouble { with: name.clone(), text }));
    }
}

impl Entry {
    fn deadlines(&self) -> impl Iterator<Item = Instant> + use<> {
        [self.peer.deadline(), self.outgoing.deadline(), self.beats_deadline()].into_iter().flatten()
    }

    fn is_due(&self, now: Instant) -> bool {
        self.deadlines().any(|at| at <= now)
    }

    fn trouble(&self) -> Option<&String> {
        [&self.trouble_out, &self.trouble_in, &self.beats.trouble].into_iter().find_map(Option::as_ref)
    }

    fn member(&self, name: &Arc<str>) -> Member {
        Member {
            name: name.clone(),
            address: Some(self.address),
            state: self.peer.state(),
            incarnation: self.incarnation,
            own: false,
            since: self.peer.since(),
            heard: self.peer.heard_at(),
            complete: self.incoming.as_ref().is_some_and(|incoming| incoming.receiver.is_complete()),
            lagged: self.lagged + self.outgoing.sender().map_or(0, Sender::lagged),
            gaps: self.gaps + self.incoming.as_ref().map_or(0, |incoming| incoming.receiver.gaps()),
            trouble: self.trouble().cloned(),
        }
    }
}

#[cfg(test)]
mod tests;
