//! The engines of the model: who is on the bus, what each has read, and the logs of all configurations.
use super::{Defect, Happened, Inner};
use convoy_core::group::bus::{Configuration, Event, Kind, MemberId};
use std::{
    collections::{BTreeSet, VecDeque},
    rc::Rc,
};

/// A process's membership, unique in the world.
pub(super) type Life = u64;

/// A process and what it has still to be told.
#[derive(Debug)]
pub(super) struct Process {
    host: u32,
    pub(super) number: u32,
    pub(super) up: bool,
    /// It has joined, and not left.
    pub(super) wants: bool,
    pub(super) stalled: bool,
    /// Its engine, while it is on the bus.
    pub(super) station: Option<Station>,
    pub(super) events: VecDeque<Told>,
    /// Its name as far as it was told.
    pub(super) known: Option<MemberId>,
    /// The number of the configuration that it was told of last.
    pub(super) told: Option<u64>,
}

/// An event on its way to a process.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) event: Event,
    pub(super) own: Option<MemberId>,
    pub(super) number: Option<u64>,
}

/// An engine that is on the bus.
#[derive(Debug)]
pub(super) struct Station {
    pub(super) life: Life,
    pub(super) id: MemberId,
    /// The configuration it is in; none before the first.
    pub(super) installed: Option<usize>,
    /// Messages of that configuration's log that it has read.
    pub(super) read: usize,
    /// The configuration that it shall install next.
    pub(super) plan: Option<usize>,
    /// Own messages without a place yet, and the configuration in which each was taken.
    pub(super) queue: VecDeque<(Rc<[u8]>, Option<usize>)>,
    pub(super) full: bool,
}

/// A configuration, as a whole.
#[derive(Debug)]
pub(super) struct Configured {
    pub(super) lives: BTreeSet<Life>,
    pub(super) ids: BTreeSet<MemberId>,
    /// Its messages in the agreed order.
    pub(super) log: Vec<Entry>,
    /// A change has begun for some of its members: nothing is placed in it any more.
    pub(super) closed: bool,
    /// Where its members come from.
    pub(super) groups: Vec<Group>,
}

/// Members that go on together.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) from: Option<usize>,
    pub(super) lives: BTreeSet<Life>,
    pub(super) ids: BTreeSet<MemberId>,
    /// Messages of the old log that all of them have, without a gap.
    pub(super) hole: usize,
}

/// A message that has its place.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    sender: MemberId,
    pub(super) life: Life,
    payload: Rc<[u8]>,
    /// Who delivered it: how many in the regular configuration, how many in a transitional one.
    delivered: [u32; 2],
}

impl Process {
    pub(super) fn new(seat: usize) -> Self {
        Self {
            host: u32::try_from(seat).unwrap_or(u32::MAX).saturating_add(1),
            number: 1,
            up: true,
            wants: false,
            stalled: false,
            station: None,
            events: VecDeque::new(),
            known: None,
            told: None,
        }
    }

    pub(super) fn forget(&mut self) {
        self.events.clear();
        (self.known, self.told) = (None, None);
    }

    pub(super) fn lost(&mut self) {
        let why = "the engine has ended; it is started again".to_owned();
        self.events.push_back(Told { event: Event::Lost(why), own: None, number: None });
    }

    /// Tells whether it was told of a transitional configuration and not yet of the regular one.
    pub(super) fn is_half_told(&self) -> bool {
        let next = self.events.iter().find_map(|told| match &told.event {
            Event::Configuration(configuration) => Some(configuration.kind),
            Event::Message { .. } | Event::Room | Event::Lost(_) => None,
        });
        self.known.is_some() && next == Some(Kind::Regular)
    }

    fn configuration(&mut self, kind: Kind, members: &BTreeSet<MemberId>, number: usize) {
        let event = Event::Configuration(Configuration { kind, members: members.clone() });
        let own = self.station.as_ref().map(|station| station.id);
        self.events.push_back(Told { event, own, number: Some(number as u64) });
    }

    fn message(&mut self, entry: &Entry) {
        let event = Event::Message { sender: entry.sender, payload: entry.payload.to_vec() };
        self.events.push_back(Told { event, own: None, number: None });
    }
}

impl Station {
    pub(super) fn entry(&self, payload: Rc<[u8]>) -> Entry {
        Entry { sender: self.id, life: self.life, payload, delivered: [0; 2] }
    }

    /// The configuration in which its messages can be placed now.
    pub(super) fn open_in(&self, all: &[Configured]) -> Option<usize> {
        self.installed.filter(|&at| self.plan.is_none() && !all[at].closed)
    }

    /// How far it may read in the log of its configuration.
    fn limit(&self, all: &[Configured]) -> usize {
        let Some(at) = self.installed else { return 0 };
        let plan = self.plan.and_then(|plan| all[plan].group_of(self.life));
        plan.map_or(all[at].log.len(), |group| group.hole)
    }
}

impl Configured {
    pub(super) fn group_of(&self, life: Life) -> Option<&Group> {
        self.groups.iter().find(|group| group.lives.contains(&life))
    }
}

impl Inner {
    /// An engine comes onto the bus, for a process that wants to be a member.
    pub(super) fn start(&mut self) -> bool {
        let absent = self.seats(|process| process.wants && process.station.is_none());
        let Some(seat) = self.one_of(&absent) else { return false };
        self.lives += 1;
        let process = &mut self.processes[seat];
        process.station = Some(Station {
            life: self.lives,
            id: MemberId { host: process.host, process: process.number },
            installed: None,
            read: 0,
            plan: None,
            queue: VecDeque::new(),
            full: false,
        });
        true
    }

    /// A message gets its place in the order.
    pub(super) fn place(&mut self) -> bool {
        let all = &self.configured;
        let ready = self.seats(|process| {
            let station = process.station.as_ref().filter(|station| !station.queue.is_empty());
            station.is_some_and(|station| station.open_in(all).is_some())
        });
        let Some(seat) = self.one_of(&ready) else { return false };
        let queue_max = self.options.queue_max;
        let process = &mut self.processes[seat];
        let Some(station) = &mut process.station else { return false };
        let Some(at) = station.open_in(&self.configured) else { return false };
        let Some((payload, taken_in)) = station.queue.pop_front() else { return false };
        if taken_in.is_some_and(|taken_in| taken_in != at) {
            self.coverage.count(Happened::LaterConfiguration);
        }
        self.configured[at].log.push(station.entry(payload));
        if station.full && station.queue.len() <= queue_max / 2 {
            station.full = false;
            process.events.push_back(Told { event: Event::Room, own: None, number: None });
            self.coverage.count(Happened::Room);
        }
        true
    }

    /// A member reads the next message.
    pub(super) fn read(&mut self) -> bool {
        let all = &self.configured;
        let ready = self.seats(|process| {
            process.station.as_ref().is_some_and(|station| station.read < station.limit(all))
        });
        let Some(seat) = self.one_of(&ready) else { return false };
        let Some((at, read)) = self.place_of(seat) else { return false };
        self.deliver(seat, at, read, 0);
        let slow = self.processes.iter().filter_map(|process| process.station.as_ref());
        let slow = slow.filter(|station| station.installed == Some(at)).map(|station| station.read).min();
        if slow.is_some_and(|slow| slow + 4 <= read) {
            self.coverage.count(Happened::Behind);
        }
        if let Some(station) = &mut self.processes[seat].station {
            station.read += 1;
        }
        true
    }

    fn place_of(&self, seat: usize) -> Option<(usize, usize)> {
        let station = self.processes[seat].station.as_ref()?;
        Some((station.installed?, station.read))
    }

    /// Delivers message `n` of a log: in the regular configuration (0) or the transitional one (1).
    fn deliver(&mut self, seat: usize, at: usize, n: usize, kind: usize) {
        let entry = &mut self.configured[at].log[n];
        let before = entry.delivered;
        entry.delivered[kind] += 1;
        if kind == 1 {
            self.coverage.count(Happened::InTransitional);
        }
        if before.contains(&0) && !entry.delivered.contains(&0) {
            self.coverage.count(Happened::InBoth);
        }
        let entry = entry.clone();
        self.processes[seat].message(&entry);
        if self.processes[seat].events.len() == 16 {
            self.coverage.count(Happened::PiledUp);
        }
    }

    /// A member goes on to the configuration that was planned for it.
    pub(super) fn install(&mut self) -> bool {
        let ready =
            self.seats(|process| process.station.as_ref().is_some_and(|station| station.plan.is_some()));
        let Some(seat) = self.one_of(&ready) else { return false };
        let Some(station) = &self.processes[seat].station else { return false };
        let (Some(plan), life, read) = (station.plan, station.life, station.read) else { return false };
        let Some(group) = self.configured[plan].group_of(life) else { return false };
        let (from, hole, ids, together) = (group.from, group.hole, group.ids.clone(), group.lives.clone());
        if let Some(from) = from {
            let hole = match self.options.defect {
                Some(Defect::Unread) => read,
                Some(Defect::OwnHole) => read.max(hole - self.prng.index(hole - read + 1)),
                _ => hole,
            };
            for n in read..hole {
                self.deliver(seat, from, n, 0);
            }
            if ids != self.configured[from].ids {
                self.coverage.count(Happened::Split);
                if self.configured[plan].ids.is_superset(&self.configured[from].ids) {
                    self.coverage.count(Happened::StraightBack);
                    if self.is_met_anew(from, plan) {
                        self.coverage.count(Happened::OldNameBack);
                    }
                }
                self.processes[seat].configuration(Kind::Transitional, &ids, plan);
                for n in hole..self.configured[from].log.len() {
                    if together.contains(&self.configured[from].log[n].life) {
                        self.deliver(seat, from, n, 1);
                    } else {
                        self.coverage.count(Happened::Discarded);
                    }
                }
            }
        } else if self.configured[plan].ids.len() == 1 {
            self.coverage.count(Happened::JoinedAlone);
        } else {
            self.coverage.count(Happened::JoinedOthers);
        }
        self.finish(seat, plan);
        if let Some(from) = from.filter(|_| self.options.defect == Some(Defect::Late)) {
            for n in hole..self.configured[from].log.len() {
                if !together.contains(&self.configured[from].log[n].life) {
                    self.deliver(seat, from, n, 0);
                }
            }
        }
        true
    }

    /// Tells whether a name of both configurations stands for two lives.
    fn is_met_anew(&self, from: usize, plan: usize) -> bool {
        let (old, new) = (&self.configured[from], &self.configured[plan]);
        let living = self.processes.iter().filter_map(|process| process.station.as_ref());
        let mut met =
            living.filter(|station| new.lives.contains(&station.life) && old.ids.contains(&station.id));
        met.any(|station| !old.lives.contains(&station.life))
    }

    fn finish(&mut self, seat: usize, plan: usize) {
        let living = self.processes.iter().filter_map(|process| process.station.as_ref());
        let living: BTreeSet<Life> = living.map(|station| station.life).collect();
        let installed = &self.configured[plan];
        if !installed.lives.is_subset(&living) {
            self.coverage.count(Happened::InstalledWithDead);
        }
        if installed.closed {
            self.coverage.count(Happened::InstalledLate);
        }
        let ids = installed.ids.clone();
        let process = &mut self.processes[seat];
        process.configuration(Kind::Regular, &ids, plan);
        if let Some(station) = &mut process.station {
            (station.installed, station.read, station.plan) = (Some(plan), 0, None);
            if self.options.defect == Some(Defect::ForgottenQueue) {
                station.queue.clear();
            }
        }
    }

    /// Tells whether messages of this engine have their place and it has not read them.
    pub(super) fn has_unread_own(&self, station: &Station) -> bool {
        let log = station.installed.map(|at| &self.configured[at].log[station.read..]);
        log.is_some_and(|log| log.iter().any(|entry| entry.life == station.life))
    }
}
