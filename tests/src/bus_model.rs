//! A model of the bus: everything that its contract allows and nothing that it forbids, decided by a seed.
//!
//! The world holds the truth. Each configuration that ever was has one log: the agreed order of its messages. A member
//! reads along, each at its own pace. A change of configuration is planned for some connected members at once, and each
//! of them installs it when its turn comes, or never, if something else happens first. Those who go on together from
//! one log share a *hole*, the place up to which they had everything: what lies before it they all deliver in the old
//! configuration; behind it only what they sent themselves, in the transitional one.
//!
//! There is no time: [`World::step`] lets one thing happen that may happen now. Same seed and same calls, same run.
//!
//! Source: the contract in `convoy_core::group::bus`; Amir, Moser, Melliar-Smith, Agarwal, Ciarfella, "The Totem
//! single-ring ordering and membership protocol" (1995), for what a real engine does.
mod change;
mod engine;
mod happened;

pub use happened::{Coverage, Happened};

use crate::prng::Prng;
use convoy_core::{
    bounds,
    group::bus::{Bus, Event, MemberId, Unsent},
};
use engine::{Configured, Process};
use std::{cell::RefCell, collections::VecDeque, rc::Rc};

/// What kind of world.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Processes; 1 to 64, default 3. Each is on a host of its own.
    pub processes: usize,
    /// Own messages that wait in an engine at once; default 8, so that tests meet the limit.
    pub queue_max: usize,
    /// How many of a thousand changes of configuration come without a reason; default 20.
    pub alarms_per_mille: u64,
    /// A way of breaking the contract, to see whether somebody notices.
    pub defect: Option<Defect>,
}

impl Default for Options {
    fn default() -> Self {
        Self { processes: 3, queue_max: 8, alarms_per_mille: 20, defect: None }
    }
}

/// A way in which an engine might break the contract from inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// Members that go on together do not agree on what they had: each has a hole of its own.
    OwnHole,
    /// A member goes on without what it has not read yet.
    Unread,
    /// What waits to be sent is forgotten at a change.
    ForgottenQueue,
    /// A process that is back under its old name is said to have gone on with the others: another life, or one that has
    /// been elsewhere.
    OldNumber,
    /// What is behind the hole is not discarded, but delivered after the change.
    Late,
}

/// The world. Clones are the same world.
#[derive(Clone, Debug)]
pub struct World(Rc<RefCell<Inner>>);

/// The bus of one process of a [`World`].
#[derive(Clone, Debug)]
pub struct SimBus {
    world: Rc<RefCell<Inner>>,
    seat: usize,
}

#[derive(Debug)]
struct Inner {
    prng: Prng,
    options: Options,
    calm: bool,
    processes: Vec<Process>,
    /// Which part of the partition each process is in.
    part: Vec<usize>,
    configured: Vec<Configured>,
    lives: u64,
    coverage: Coverage,
}

impl World {
    /// Makes a world; nobody in it has joined.
    pub fn new(seed: u64, options: Options) -> Self {
        let processes = (0..options.processes).map(Process::new).collect();
        let part = vec![0; options.processes];
        Self(Rc::new(RefCell::new(Inner {
            prng: Prng::new(seed),
            options,
            calm: false,
            processes,
            part,
            configured: Vec::new(),
            lives: 0,
            coverage: Coverage::default(),
        })))
    }

    /// Returns the bus of process `seat`, counted from 0. After a crash and a restart it is that of the new process.
    pub fn bus(&self, seat: usize) -> SimBus {
        SimBus { world: Rc::clone(&self.0), seat }
    }

    /// Lets one thing happen. Returns whether there was any.
    pub fn step(&self) -> bool {
        self.0.borrow_mut().step()
    }

    /// Cuts every way between these parts; who is in none of them is alone.
    pub fn partition(&self, parts: &[&[usize]]) {
        let mut inner = self.0.borrow_mut();
        for seat in 0..inner.part.len() {
            let part = parts.iter().position(|part| part.contains(&seat));
            inner.part[seat] = part.unwrap_or(parts.len() + seat);
        }
    }

    /// Heals every way.
    pub fn heal(&self) {
        self.0.borrow_mut().part.fill(0);
    }

    /// Kills a process, its engine along.
    pub fn crash(&self, seat: usize) {
        self.0.borrow_mut().crash(seat);
    }

    /// Puts a new process in the place of one that has crashed, with the `same` number on the bus or the next.
    pub fn restart(&self, seat: usize, same: bool) {
        self.0.borrow_mut().restart(seat, same);
    }

    /// Kills the engine under a process; it joins again by itself.
    pub fn lose(&self, seat: usize) {
        self.0.borrow_mut().lose(seat);
    }

    /// Makes a process read nothing, until [`resume`](Self::resume).
    pub fn stall(&self, seat: usize) {
        self.0.borrow_mut().processes[seat].stalled = true;
    }

    /// Lets it read again.
    pub fn resume(&self, seat: usize) {
        self.0.borrow_mut().processes[seat].stalled = false;
    }

    /// From here on nothing changes without a reason, and all who are connected find each other at once.
    pub fn calm(&self) {
        self.0.borrow_mut().calm = true;
    }

    /// Returns the number of the configuration that a process was told of last.
    pub fn configuration_number(&self, seat: usize) -> Option<u64> {
        self.0.borrow().processes[seat].told
    }

    /// Returns what has happened so far, and how often.
    pub fn coverage(&self) -> Coverage {
        self.0.borrow().coverage.clone()
    }
}

impl Bus for SimBus {
    fn id(&self) -> Option<MemberId> {
        self.world.borrow().processes[self.seat].known
    }

    fn join(&mut self) {
        let process = &mut self.world.borrow_mut().processes[self.seat];
        process.wants = process.up;
    }

    fn leave(&mut self) {
        self.world.borrow_mut().leave(self.seat);
    }

    fn multicast(&mut self, payload: &[u8]) -> Result<(), Unsent> {
        self.world.borrow_mut().take(self.seat, payload)
    }

    fn poll(&mut self) -> Option<Event> {
        self.world.borrow_mut().tell(self.seat)
    }
}

impl Inner {
    fn step(&mut self) -> bool {
        let first = self.prng.index(ACTIONS.len());
        (0..ACTIONS.len()).any(|n| ACTIONS[(first + n) % ACTIONS.len()](self))
    }

    /// One of these seats.
    fn one_of(&mut self, seats: &[usize]) -> Option<usize> {
        (!seats.is_empty()).then(|| seats[self.prng.index(seats.len())])
    }

    /// The seats of which this is true.
    fn seats(&self, is: impl Fn(&Process) -> bool) -> Vec<usize> {
        (0..self.processes.len()).filter(|&seat| is(&self.processes[seat])).collect()
    }

    fn take(&mut self, seat: usize, payload: &[u8]) -> Result<(), Unsent> {
        if payload.len() > bounds::BUS_MESSAGE_MAX {
            return Err(Unsent::TooLong);
        }
        let unseen_loss = self.processes[seat].events.iter().any(|told| matches!(told.event, Event::Lost(_)));
        if unseen_loss {
            // The engine may or may not know by now; what it takes is lost with the rest.
            return if self.prng.per_mille(500) {
                self.coverage.count(Happened::TakenAfterUnseenLoss);
                Ok(())
            } else {
                Err(Unsent::Absent)
            };
        }
        let queue_max = self.options.queue_max;
        let Some(station) = &mut self.processes[seat].station else { return Err(Unsent::Absent) };
        if station.queue.len() >= queue_max {
            station.full = true;
            self.coverage.count(Happened::Full);
            return Err(Unsent::Full);
        }
        station.queue.push_back((payload.into(), station.installed));
        Ok(())
    }

    /// What the process is told next.
    fn tell(&mut self, seat: usize) -> Option<Event> {
        let process = &mut self.processes[seat];
        if process.stalled {
            return None;
        }
        let told = process.events.pop_front()?;
        match &told.event {
            Event::Configuration(_) => {
                process.known = told.own;
                process.told = told.number;
            }
            Event::Lost(_) => (process.known, process.told) = (None, None),
            Event::Message { .. } | Event::Room => {}
        }
        Some(told.event)
    }

    fn crash(&mut self, seat: usize) {
        let process = &mut self.processes[seat];
        if !process.up {
            return;
        }
        let station = process.station.take();
        let half_told = process.is_half_told();
        process.forget();
        (process.up, process.wants) = (false, false);
        let Some(station) = station else { return };
        if station.plan.is_some() || half_told {
            self.coverage.count(Happened::CrashInChange);
        }
        if self.has_unread_own(&station) {
            self.coverage.count(Happened::CrashAfterOrder);
        }
    }

    fn restart(&mut self, seat: usize, same: bool) {
        let process = &mut self.processes[seat];
        if process.up {
            return;
        }
        process.up = true;
        if same {
            self.coverage.count(Happened::SameNumber);
        } else {
            process.number += 1;
        }
    }

    fn lose(&mut self, seat: usize) {
        let Some(station) = self.processes[seat].station.take() else { return };
        let kept = self.prng.index(self.processes[seat].events.len() + 1);
        self.processes[seat].events.truncate(kept);
        self.processes[seat].lost();
        self.coverage.count(Happened::Lost);
        if !station.queue.is_empty() || self.has_unread_own(&station) {
            self.coverage.count(Happened::LostWithMessages);
        }
    }

    fn leave(&mut self, seat: usize) {
        let process = &mut self.processes[seat];
        process.wants = false;
        process.forget();
        let Some(station) = process.station.take() else { return };
        self.coverage.count(Happened::Left);
        // The engine may still get rid of what waits.
        if let Some(at) = station.open_in(&self.configured) {
            let sent = self.prng.index(station.queue.len() + 1);
            let queue: VecDeque<_> = station.queue.iter().take(sent).cloned().collect();
            for (payload, _) in queue {
                self.configured[at].log.push(station.entry(payload));
            }
        }
    }
}

/// What may happen, the likelier the more often it stands here.
const ACTIONS: [fn(&mut Inner) -> bool; 10] = [
    Inner::start,
    Inner::place,
    Inner::read,
    Inner::read,
    Inner::place,
    Inner::read,
    Inner::install,
    Inner::change,
    Inner::place,
    Inner::read,
];
