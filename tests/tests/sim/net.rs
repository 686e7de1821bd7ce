//! The network: connections between hosts, as bad as told.
//!
//! A connection keeps order and loses nothing while its way is clear, as TCP does. A cut way holds bytes back
//! until it heals. Beyond TCP, frames may be lost, repeated, overtaken or damaged, because the core promises to
//! bear it. An end may vanish without the other hearing of it (half open): whoever writes to it then is reset.
use crate::{
    clock::{At, MS, SECOND},
    prng::Prng,
    world::{Agenda, Event},
};
use convoy_core::node::LinkId;
use std::collections::{BTreeMap, VecDeque};

/// One direction between two hosts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// Shortest travel time, and what chance adds to it.
    pub(crate) delay: At,
    pub(crate) jitter: At,
    pub(crate) bytes_per_second: u64,
    /// What happens to a frame, per mille.
    pub(crate) loses: u64,
    pub(crate) repeats: u64,
    pub(crate) overtakes: u64,
    pub(crate) damages: u64,
    /// Nothing passes.
    pub(crate) cut: bool,
    /// Nothing passes that opens a connection.
    pub(crate) firewall: bool,
}

impl Way {
    /// Returns a way as on a local network.
    pub(crate) fn calm() -> Self {
        Self {
            delay: MS / 10,
            jitter: MS / 10,
            bytes_per_second: 125_000_000,
            loses: 0,
            repeats: 0,
            overtakes: 0,
            damages: 0,
            cut: false,
            firewall: false,
        }
    }
}

/// Where a connection ends: a process on a host, and what it calls the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End {
    pub(crate) site: usize,
    pub(crate) life: u64,
    pub(crate) link: LinkId,
}

/// What travels.
#[derive(Clone, Debug)]
pub(crate) enum Segment {
    Frame(Vec<u8>),
    Fin,
}

/// What the network reports to a process.
#[derive(Clone, Debug)]
pub(crate) enum Report {
    Accepted {
        from: usize,
    },
    Connected,
    /// A frame has begun to arrive and is not complete.
    Part,
    Bytes(Vec<u8>),
    Wrote(usize),
    Closed(&'static str),
}

#[derive(Debug)]
struct Connection {
    /// Dialed end first. The second appears with the opening packet.
    ends: [Option<End>; 2],
    /// Hosts, also of ends that are gone.
    sites: [usize; 2],
    /// `pipes[i]` carries what end `i` writes.
    pipes: [Pipe; 2],
}

#[derive(Debug, Default)]
struct Pipe {
    waits: VecDeque<Segment>,
    busy_until: At,
    last_arrival: At,
    /// Bytes that arrived and were not acknowledged, because the way back is cut.
    unacknowledged: usize,
    /// Bytes that arrived and were not read, because the reader stalls.
    unread: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Net {
    ways: Vec<Vec<Way>>,
    /// Hosts without power, or whose process stalls.
    pub(crate) dark: Vec<bool>,
    pub(crate) stalled: Vec<bool>,
    connections: BTreeMap<u64, Connection>,
    ends: BTreeMap<End, (u64, usize)>,
    opened: u64,
}

impl Net {
    /// Returns the network of `sites` hosts on calm ways.
    pub(crate) fn new(sites: usize) -> Self {
        Self {
            ways: vec![vec![Way::calm(); sites]; sites],
            dark: vec![false; sites],
            stalled: vec![false; sites],
            connections: BTreeMap::new(),
            ends: BTreeMap::new(),
            opened: 0,
        }
    }

    pub(crate) fn way(&mut self, from: usize, to: usize) -> &mut Way {
        &mut self.ways[from][to]
    }

    fn is_cut(&self, from: usize, to: usize) -> bool {
        self.ways[from][to].cut || self.dark[from] || self.dark[to]
    }

    fn travel(&self, prng: &mut Prng, from: usize, to: usize) -> At {
        let way = &self.ways[from][to];
        way.delay + prng.below(way.jitter + 1)
    }

    /// Returns a random open connection's ends.
    pub(crate) fn pick(&self, prng: &mut Prng) -> Option<[Option<End>; 2]> {
        let at = prng.index(self.connections.len().max(1));
        self.connections.values().nth(at).map(|connection| connection.ends)
    }

    /// A process asks for a connection.
    pub(crate) fn dial(&mut self, agenda: &mut Agenda, prng: &mut Prng, end: End, to: usize) {
        self.opened += 1;
        let connection =
            Connection { ends: [Some(end), None], sites: [end.site, to], pipes: Default::default() };
        self.connections.insert(self.opened, connection);
        self.ends.insert(end, (self.opened, 0));
        agenda.add(agenda.now() + self.travel(prng, end.site, to), Event::Syn(self.opened));
    }

    /// The opening packet arrives; `life` of the process there, if there is one.
    pub(crate) fn on_syn(
        &mut self,
        agenda: &mut Agenda,
        prng: &mut Prng,
        id: u64,
        life: impl Fn(usize) -> Option<u64>,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let ([from, to], Some(dialed)) = (connection.sites, connection.ends[0]) else { return };
        if self.is_cut(from, to) || self.is_cut(to, from) || self.ways[from][to].firewall {
            return agenda.add(agenda.now() + SECOND, Event::Syn(id));
        }
        let back = agenda.now() + self.travel(prng, to, from);
        let Some(life) = life(to) else {
            return agenda.add(back, Event::Reset(id, 0, "connection refused"));
        };
        let end = End { site: to, life, link: LinkId::Accepted(id) };
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.ends[1] = Some(end);
        }
        self.ends.insert(end, (id, 1));
        agenda.report(end, Report::Accepted { from: dialed.site });
        agenda.add(back, Event::SynAck(id));
    }

    /// The answer to the opening packet arrives.
    pub(crate) fn on_syn_ack(&mut self, agenda: &mut Agenda, id: u64) {
        let Some(connection) = self.connections.get(&id) else { return };
        let ([from, to], Some(dialed)) = (connection.sites, connection.ends[0]) else { return };
        if self.is_cut(from, to) || self.is_cut(to, from) {
            return agenda.add(agenda.now() + SECOND, Event::SynAck(id));
        }
        agenda.report(dialed, Report::Connected);
    }

    /// A process writes. Returns whether it has such a connection.
    pub(crate) fn write(&mut self, agenda: &mut Agenda, prng: &mut Prng, end: End, segment: Segment) -> bool {
        let Some((id, at)) = self.ends.get(&end).copied() else { return false };
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.pipes[at].waits.push_back(segment);
        }
        self.pump(agenda, prng, id, at);
        true
    }

    /// A process closes its end; what it wrote still travels.
    pub(crate) fn close(&mut self, agenda: &mut Agenda, prng: &mut Prng, end: End) {
        self.write(agenda, prng, end, Segment::Fin);
        self.vanish(end);
    }

    /// An end is no more; the other is not told.
    pub(crate) fn vanish(&mut self, end: End) -> Option<(u64, usize)> {
        let (id, at) = self.ends.remove(&end)?;
        let connection = self.connections.get_mut(&id)?;
        connection.ends[at] = None;
        if connection.ends == [None, None] && connection.pipes.iter().all(|pipe| pipe.waits.is_empty()) {
            self.connections.remove(&id);
        }
        Some((id, at))
    }

    /// A process ended: its kernel resets what it had open, where the way is clear.
    pub(crate) fn on_exit(&mut self, agenda: &mut Agenda, prng: &mut Prng, site: usize) {
        let ends = self.ends.keys().filter(|end| end.site == site).copied().collect::<Vec<_>>();
        for end in ends {
            if let Some((id, at)) = self.vanish(end) {
                self.answer_reset(agenda, prng, id, 1 - at);
            }
        }
    }

    /// Tells the end `at` of a connection that the other is no more, where the way is clear.
    fn answer_reset(&self, agenda: &mut Agenda, prng: &mut Prng, id: u64, at: usize) {
        let Some(connection) = self.connections.get(&id) else { return };
        let (from, to) = (connection.sites[1 - at], connection.sites[at]);
        if !self.is_cut(from, to) {
            agenda.add(
                agenda.now() + self.travel(prng, from, to),
                Event::Reset(id, at, "connection reset by peer"),
            );
        }
    }

    /// The end `at` learns that its connection is no more.
    pub(crate) fn on_reset(&mut self, agenda: &mut Agenda, id: u64, at: usize, why: &'static str) {
        let Some(end) = self.connections.get(&id).and_then(|connection| connection.ends[at]) else { return };
        self.vanish(end);
        agenda.report(end, Report::Closed(why));
    }

    /// Moves what end `at` wrote as far as the way allows.
    pub(crate) fn pump(&mut self, agenda: &mut Agenda, prng: &mut Prng, id: u64, at: usize) {
        let now = agenda.now();
        let Some(connection) = self.connections.get(&id) else { return };
        let (from, to) = (connection.sites[at], connection.sites[1 - at]);
        let (forth, back) = (self.is_cut(from, to), self.is_cut(to, from));
        let way = self.ways[from][to];
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let end = connection.ends[at];
        let pipe = &mut connection.pipes[at];
        while !forth && !pipe.waits.is_empty() {
            if pipe.busy_until > now {
                return; // the pump is on the agenda
            }
            if pipe.unacknowledged.max(pipe.unread) >= FLIGHT_MAX {
                return; // the way back heals, or the reader reads
            }
            let Some(segment) = pipe.waits.pop_front() else { return };
            let length = segment.len();
            pipe.busy_until = now + SECOND * length as u64 / way.bytes_per_second;
            let mut arrival = pipe.busy_until + way.delay + prng.below(way.jitter + 1);
            let is_frame = matches!(segment, Segment::Frame(_));
            if is_frame && prng.per_mille(way.overtakes) {
                arrival += prng.below(5 * way.delay + 5 * MS);
            } else {
                arrival = arrival.max(pipe.last_arrival);
                pipe.last_arrival = arrival;
            }
            if self.stalled[to] {
                pipe.unread += length;
            }
            if back {
                pipe.unacknowledged += length;
            } else if let Some(end) = end
                && length > 0
            {
                // A driver's write may take a frame in pieces.
                let first = if prng.per_mille(50) { prng.index(length) + 1 } else { length };
                agenda.add(pipe.busy_until, Event::Report(end, Report::Wrote(first)));
                if first < length {
                    agenda.add(pipe.busy_until, Event::Report(end, Report::Wrote(length - first)));
                }
            }
            agenda.add(pipe.busy_until, Event::Pump(id, at));
            let parts = (now..pipe.busy_until).step_by(PART_EVERY).skip(1);
            for part in parts {
                agenda.add(part + way.delay, Event::Part(id, 1 - at));
            }
            if is_frame && prng.per_mille(way.loses) {
                continue;
            }
            if is_frame && prng.per_mille(way.repeats) {
                agenda.add(arrival + prng.below(3 * MS), Event::Arrive(id, 1 - at, segment.clone()));
            }
            agenda.add(arrival, Event::Arrive(id, 1 - at, damage(segment, prng, way.damages)));
        }
    }

    /// Some bytes of a segment arrive at end `at`.
    pub(crate) fn on_part(&self, agenda: &mut Agenda, id: u64, at: usize) {
        if let Some(end) = self.connections.get(&id).and_then(|connection| connection.ends[at]) {
            agenda.report(end, Report::Part);
        }
    }

    /// A segment arrives at end `at`.
    pub(crate) fn on_arrive(
        &mut self,
        agenda: &mut Agenda,
        prng: &mut Prng,
        id: u64,
        at: usize,
        segment: Segment,
    ) {
        let Some(end) = self.connections.get(&id).and_then(|connection| connection.ends[at]) else {
            return self.answer_reset(agenda, prng, id, 1 - at);
        };
        match segment {
            Segment::Frame(bytes) => agenda.report(end, Report::Bytes(bytes)),
            Segment::Fin => {
                self.vanish(end);
                agenda.report(end, Report::Closed("closed by peer"));
            }
        }
    }

    /// Ways, hosts or readers changed: everything that can move again moves.
    pub(crate) fn pump_all(&mut self, agenda: &mut Agenda, prng: &mut Prng) {
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            for at in [0, 1] {
                self.acknowledge(agenda, id, at);
                self.pump(agenda, prng, id, at);
            }
        }
    }

    fn acknowledge(&mut self, agenda: &mut Agenda, id: u64, at: usize) {
        let Some(connection) = self.connections.get(&id) else { return };
        let (from, to) = (connection.sites[at], connection.sites[1 - at]);
        let (back, stalled) = (self.is_cut(to, from), self.stalled[to]);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let pipe = &mut connection.pipes[at];
        if !stalled {
            pipe.unread = 0;
        }
        let bytes = if back { 0 } else { std::mem::take(&mut pipe.unacknowledged) };
        if let (1.., Some(end)) = (bytes, connection.ends[at]) {
            agenda.report(end, Report::Wrote(bytes));
        }
    }
}

impl Segment {
    fn len(&self) -> usize {
        match self {
            Self::Frame(bytes) => bytes.len(),
            Self::Fin => 0,
        }
    }
}

/// Flips a bit now and then.
fn damage(segment: Segment, prng: &mut Prng, per_mille: u64) -> Segment {
    match segment {
        Segment::Frame(mut bytes) if prng.per_mille(per_mille) => {
            let at = prng.index(bytes.len());
            bytes[at] ^= 1 << prng.below(8);
            Segment::Frame(bytes)
        }
        segment => segment,
    }
}

/// Bytes that travel without an answer, and that a stalled reader's kernel keeps. chosen: Linux's default order.
/// Time between the packets of a large frame on a slow way.
const PART_EVERY: usize = 4_000_000;
const FLIGHT_MAX: usize = 256 * 1024;
