//! This node's part: what of the agreed table is to be true on this host, and when it may be.
//!
//! ```text
//!   table says                                   this host
//!   owner, and the old one let go               held
//!   owner, and the old one vanished             silent until an inquest says that nobody answers, then held
//!   about to become owner                       silent; says ready
//!   about to lose it                            silent; says released
//!   lost it a moment ago                        silent, so that what is under way arrives; then absent
//!   candidate, on a device with many            silent
//!   anything else                               absent
//!   a doubted node's heir                       silent; held when the node is missing and the wire is silent
//! ```
//! Nothing here is true before the driver says so ([`Input::Made`]).
mod agreed;
mod bars;
mod confirm;
mod control;
mod doubt;
mod local;
mod relief;
mod row;
mod timing;

use super::{
    Change, Event, Ghost, History, Input, Made, Output, Phase, Record, Settings, Table, Want,
    exchange::{Exchange, Gathered},
    inquest::Inquest,
    table::Report,
};
use crate::{
    bounds,
    group::{
        bus::MemberId,
        view::{Role, View},
    },
    time::Instant,
    wire::{
        arp::Mac,
        vip::{Neighbour, Said},
    },
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    vec::Vec,
};
use confirm::Confirm;
use core::net::IpAddr;
use doubt::{Contest, Doubt};
use local::Local;
use relief::Relief;

pub use row::{Candidate, Row, State};

/// See the module.
#[derive(Clone, Debug)]
pub struct Holder {
    settings: Settings,
    view: Option<Arc<View>>,
    /// Nodes of the view.
    nodes: BTreeSet<MemberId>,
    /// Those and the managers of the view: who counts, where a part must be more than half.
    voters: usize,
    own: Option<MemberId>,
    /// Of the members of this view and of earlier ones, for people.
    names: BTreeMap<MemberId, Arc<str>>,
    table: Table,
    exchange: Option<Exchange>,
    /// Reports that nobody asked for, on their way.
    gathering: BTreeMap<MemberId, Gathered>,
    locals: BTreeMap<IpAddr, Local>,
    /// Orders given to the driver.
    orders: u64,
    /// No address lingers, and none is tried again, before then; none never. Looked for only when it has come: there may be
    /// thousands, and every frame of the mesh asks when something is due.
    locals_due: Option<Instant>,
    /// Some address goes from one node to another.
    moving: bool,
    /// Own addresses with a ghost for which nobody answers; the others are about to know.
    opened: BTreeSet<IpAddr>,
    inquests: BTreeMap<Ghost, Inquest>,
    /// Own addresses that this node cannot hold now.
    unable: BTreeSet<IpAddr>,
    /// Own addresses for which a stranger answers, and when it is asked again.
    contested: BTreeMap<IpAddr, Contest>,
    doubts: BTreeMap<MemberId, Doubt>,
    /// Until when nothing is taken of members that this one has agreed with.
    promises: BTreeMap<MemberId, Instant>,
    /// Nodes whose heartbeats come, to this node or to another, and the epoch of the view that they said last.
    lively: BTreeMap<Arc<str>, u64>,
    /// When the members of the present view agreed on a table, or the view was taken if they did not yet.
    settled_at: Instant,
    probes: u64,
    confirm: Confirm,
    /// When the present members were first all there.
    view_since: Instant,
    /// When a member last offered something else with an address, in the present view or an earlier one.
    offered_since: BTreeMap<IpAddr, Instant>,
    /// The epoch for which this node has called an election.
    called: u64,
    elected: bool,
    balance_at: Option<Instant>,
    relief: Relief,
    broadcast_at: Option<Instant>,
    /// When to leave although something is still held.
    leave_by: Option<Instant>,
    left: bool,
    history: History,
    /// Whom this host heard of.
    neighbours: Vec<Neighbour>,
    /// Hosts that other members heard of, and when each said so.
    interest: BTreeMap<MemberId, (Instant, Vec<(IpAddr, Mac)>)>,
    outputs: VecDeque<Output>,
}

impl Holder {
    /// Returns the part of a node that is in no view and has nothing.
    pub fn new(settings: Settings, now: Instant) -> Self {
        let locals = settings.offer.iter().map(|offered| (offered.address, Local::new(now))).collect();
        Self {
            settings,
            view: None,
            nodes: BTreeSet::new(),
            voters: 0,
            own: None,
            names: BTreeMap::new(),
            table: Table::default(),
            exchange: None,
            gathering: BTreeMap::new(),
            locals,
            orders: 0,
            locals_due: None,
            moving: false,
            opened: BTreeSet::new(),
            inquests: BTreeMap::new(),
            contested: BTreeMap::new(),
            unable: BTreeSet::new(),
            doubts: BTreeMap::new(),
            promises: BTreeMap::new(),
            lively: BTreeMap::new(),
            settled_at: now,
            probes: 0,
            confirm: Confirm::default(),
            view_since: now,
            offered_since: BTreeMap::new(),
            called: 0,
            elected: false,
            balance_at: None,
            relief: Relief::default(),
            broadcast_at: None,
            leave_by: None,
            left: false,
            history: History::default(),
            neighbours: Vec::new(),
            interest: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Returns the settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the table as it is now.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Returns the latest moves.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Tells whether this node's kernel may answer for what it has.
    pub fn is_firm(&self) -> bool {
        self.confirm.firm
    }

    /// Tells whether the members are still to agree on one table.
    pub fn is_exchanging(&self) -> bool {
        self.exchange.is_some()
    }

    /// Returns the next effect to carry out.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Takes one fact. Never blocks, never fails; effects wait in [`poll_output`](Self::poll_output).
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::View(view) => self.on_view(now, &view),
            Input::Lost => self.on_lost(now),
            Input::Said(sender, said) => self.on_said(now, sender, said),
            Input::Made(made) => self.on_made(now, made),
            Input::Probed { id, asked, answered } => self.on_probed(now, id, asked, answered),
            Input::Doubt(name, silent, epoch) => {
                self.note_lively(now, name, Some(epoch));
                self.on_doubt(now, name, silent, false);
            }
            Input::Missing(name, silent) => {
                self.note_lively(now, name, None);
                self.on_doubt(now, name, silent, true);
            }
            Input::Heard(name, epoch) => self.on_heard(now, name, epoch),
            Input::Lease { generation, contact } => self.on_lease(now, generation, contact),
            Input::Link { interface, up } => self.on_link(interface, up),
            Input::Move(addresses, node) => {
                self.say(Said::Move { node: node.into(), addresses: addresses.into() });
            }
            Input::Drain(node, on) => self.say(Said::Drain { on, node: node.into() }),
            Input::Neighbours(neighbours) => self.set_neighbours(neighbours),
            Input::Announce => {
                self.report(0);
                self.emit(Output::Announce(Vec::new()));
            }
            Input::Reload(settings) => self.on_reload(now, *settings),
            Input::Leave => self.on_leave(now),
            Input::Connections(connections) => self.relieve(now, &connections),
            Input::Timeout => {}
        }
        self.on_time(now);
    }

    /// Tells whether there is nothing to look after.
    pub fn is_idle(&self) -> bool {
        self.settings.offer.is_empty() && self.table.topics().is_empty()
    }

    fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Says something to all members; on no bus nobody hears it, and the next view begins anew.
    fn say(&mut self, said: Said) {
        if self.view.is_some() {
            self.emit(Output::Say(said));
        }
    }

    fn on_view(&mut self, now: Instant, view: &Arc<View>) {
        let nodes = view.members.values().filter(|member| member.card.role == Role::Node);
        let nodes = nodes.map(|member| member.id).collect::<BTreeSet<_>>();
        let own = nodes.contains(&view.own).then_some(view.own);
        if nodes != self.nodes || own != self.own {
            (self.view_since, self.elected) = (now, false);
        }
        (self.nodes, self.own) = (nodes, own);
        self.voters = view.members.len();
        if self.names.len() > bounds::NODES_MAX {
            self.names.clear();
        }
        self.names.extend(view.members.values().map(|member| (member.id, member.card.name.clone())));
        self.called = 0;
        self.settled_at = now;
        self.gathering.clear();
        self.view = Some(view.clone());
        // What waited was agreed on by the members of the old table: it is part of that table.
        if let Some(before) = self.exchange.take() {
            self.apply(now, before);
        }
        self.exchange = Some(Exchange::new(view.epoch, self.nodes.clone()));
        if self.own.is_some() {
            self.say(Said::Digest { epoch: view.epoch, digest: self.table.digest() });
        }
        self.confirm.restart();
        if !self.is_enough() {
            self.yield_lease();
        }
    }

    /// Tells whether this part of the cluster may hold addresses.
    fn is_enough(&self) -> bool {
        self.settings.is_enough(self.voters)
    }

    fn on_lost(&mut self, now: Instant) {
        (self.view, self.own) = (None, None);
        self.nodes.clear();
        self.voters = 0;
        self.exchange = None;
        self.gathering.clear();
        self.doubts.clear();
        (self.elected, self.called) = (false, 0);
        self.yield_lease();
        self.refresh_all(now);
    }

    fn on_reload(&mut self, now: Instant, settings: Settings) {
        let before = core::mem::replace(&mut self.settings, settings);
        let offered = |settings: &Settings| {
            settings.offer.iter().map(|offered| offered.address).collect::<BTreeSet<_>>()
        };
        let wanted = offered(&self.settings);
        // The driver gives up what is no longer managed; it is nobody's business here any more.
        self.locals.retain(|address, _| wanted.contains(address));
        self.opened.retain(|address| wanted.contains(address));
        self.unable.retain(|address| wanted.contains(address));
        for address in wanted {
            self.locals.entry(address).or_insert_with(|| Local::new(now));
        }
        if before.offer != self.settings.offer || before.weight != self.settings.weight {
            self.report(0);
        }
        if !self.is_enough() {
            self.yield_lease();
        }
        self.balance_at = None;
        self.broadcast_at = None;
        self.refresh_all(now);
    }

    fn on_leave(&mut self, now: Instant) {
        self.leave_by = Some(now + LEAVE_WITHIN);
        self.say(Said::Leave);
    }

    /// Tells all members what this node would hold, and what it has.
    fn report(&mut self, epoch: u64) {
        let Some(own) = self.own else { return };
        let Settings { offer, weight, .. } = &self.settings;
        let leaving = self.leave_by.is_some();
        let report = self.table.report(own, offer, &self.unable, &self.opened, *weight);
        let report = Report { firm: self.confirm.firm, leaving, ..report };
        for part in super::exchange::parts(epoch, &report) {
            self.say(part);
        }
    }

    /// Owners changed: brings this host in line, and tells.
    fn absorb(&mut self, now: Instant, changes: &[Change]) {
        self.look_for_moves();
        let linger_until = now + LINGER;
        for change in changes {
            let Change { address, from, to, .. } = *change;
            let own = self.own;
            let Some(local) = self.locals.get_mut(&address) else { continue };
            local.changed(now);
            if own.is_some() && from == own && to != own && local.made != Want::Absent {
                local.linger_until = Some(linger_until);
                let due = self.locals_due.get_or_insert(linger_until);
                *due = linger_until.min(*due);
            }
            self.opened.remove(&address);
            self.contested.remove(&address);
        }
        self.record(now, changes);
        self.open_what_is_known(now, changes);
        self.refresh(now, changes.iter().map(|change| change.address));
        self.inquire(now);
    }

    /// Writes the history, one record for what moved together.
    fn record(&mut self, now: Instant, changes: &[Change]) {
        // What follows another is nobody's until that has an owner: no move by itself.
        let lost = changes.iter().filter(|change| change.to.is_none()).map(|change| change.address);
        let lost = lost.collect::<BTreeSet<_>>();
        let found = changes.iter().filter(|change| change.to.is_some() && lost.contains(&change.address));
        let found = found.map(|change| change.address).collect::<BTreeSet<_>>();
        let mut groups = BTreeMap::<_, (Change, usize)>::new();
        for change in changes.iter().filter(|change| change.to.is_some() || !found.contains(&change.address))
        {
            let key = (change.from, change.to, change.cause);
            groups.entry(key).or_insert((*change, 0)).1 += 1;
        }
        for ((from, to, cause), (first, count)) in groups {
            let outage = if cause.is_loss() { self.outage(from, to) } else { None };
            let name = |member: MemberId| self.name(member);
            let (from, to) = (from.map(name), to.map(name));
            let record = Record {
                at: now,
                from: from.clone(),
                to: to.clone(),
                cause,
                first: first.address,
                count,
                outage,
            };
            self.history.push(record);
            self.emit(Output::Event(Event::Moved { first, from, to, count }));
        }
    }

    /// Returns a member's name, also of one that has left a moment ago.
    fn name(&self, member: MemberId) -> Arc<str> {
        self.names.get(&member).cloned().unwrap_or_else(|| self.table.name(member))
    }
}

/// How long an address stays, silent, where it was moved away from. chosen: longer than an ARP cache asks again after a
/// change that it has missed; what is under way arrives.
const LINGER: crate::time::Span = crate::time::Span::from_secs(3);
/// Longest wait for others to take what a node that leaves has.
const LEAVE_WITHIN: crate::time::Span = crate::time::Span::from_secs(2);
