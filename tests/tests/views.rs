//! Views on the model of the bus: whatever the schedule, members that hold one view hold the same, epochs only grow, and
//! when the world comes to rest everybody holds the same one.
//!
//! A failing run prints its seed; `CONVOY_SEED=N cargo test -p convoy-tests --test views` replays it.
use convoy_core::{
    group::{
        bus::{Bus as _, Event, Unsent},
        membership::{Membership, Output},
        view::{Card, Parameter, Role, View},
    },
    wire::Agreed,
};
use lab::{
    bus_model::{Options, SimBus, World},
    prng::Prng,
};
use std::{
    collections::{BTreeMap, VecDeque},
    env,
    sync::Arc,
};

/// Schedules of the ordinary run.
const SCHEDULES: u64 = 1_000;
/// Things that happen in one schedule before the world comes to rest.
const STEPS: usize = 600;
/// Bound on the steps until rest; a run that needs more hangs.
const REST_STEPS: usize = 200_000;

/// A process: its machine, its bus, and what it could not send yet.
struct Seat {
    machine: Membership,
    bus: SimBus,
    unsent: VecDeque<Vec<u8>>,
    up: bool,
    lives: u64,
    /// Every view it took in this life.
    views: Vec<Arc<View>>,
}

struct Run {
    seed: u64,
    prng: Prng,
    world: World,
    seats: Vec<Seat>,
    /// Digest of every view by its epoch and members, whoever took it.
    known: BTreeMap<(u64, Vec<String>), (u64, String)>,
    changes: u64,
}

fn card(seat: usize, life: u64, value: u64) -> Card {
    Card {
        role: if seat == 3 { Role::Manager } else { Role::Node },
        incarnation: life,
        name: format!("n{seat}").into(),
        subcluster: "default".into(),
        version: "sim".into(),
        address: None,
        groups: ["ec_cluster".into()].into(),
        parameters: [Parameter::new("view_mature_time", &value.to_string())].into(),
    }
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut prng = Prng::new(seed);
        let processes = 1 + prng.index(5);
        let world = World::new(prng.next(), Options { processes, ..Options::default() });
        let seats = (0..processes).map(|n| {
            let mut bus = world.bus(n);
            bus.join();
            let machine = Membership::new(card(n, 1, 5));
            Seat { machine, bus, unsent: VecDeque::new(), up: true, lives: 1, views: Vec::new() }
        });
        let seats = seats.collect();
        Self { seed, prng, world, seats, known: BTreeMap::new(), changes: 0 }
    }

    /// Lets one seat send and read what there is, up to a few events.
    fn turn(&mut self, n: usize) {
        if !self.seats[n].up {
            return;
        }
        for _ in 0..self.prng.within(1..=4) {
            self.send(n);
            let seat = &mut self.seats[n];
            let Some(event) = seat.bus.poll() else { break };
            if let Event::Lost(_) = event {
                seat.unsent.clear();
            }
            let id = seat.bus.id();
            assert_eq!(seat.machine.handle(id, &event), None, "seed {}", self.seed);
            self.collect(n);
        }
        self.send(n);
    }

    fn collect(&mut self, n: usize) {
        while let Some(output) = self.seats[n].machine.poll_output() {
            match output {
                Output::Multicast(message) => self.seats[n].unsent.push_back(message),
                Output::View(view) => self.check(n, view),
                Output::Lost(_) => {}
                Output::Garbage(member, error) => unreachable!("seed {}: {member}: {error}", self.seed),
            }
        }
    }

    fn send(&mut self, n: usize) {
        let seat = &mut self.seats[n];
        while let Some(message) = seat.unsent.front() {
            match seat.bus.multicast(message) {
                Ok(()) => seat.unsent.pop_front(),
                Err(Unsent::Full) => return,
                // The loss is on its way, and what waits for the old membership is void.
                Err(Unsent::Absent) => return seat.unsent.clear(),
                Err(Unsent::TooLong) => unreachable!("seed {}: {} bytes", self.seed, message.len()),
            };
        }
    }

    fn check(&mut self, n: usize, view: Arc<View>) {
        let seed = self.seed;
        let seat = &mut self.seats[n];
        assert!(view.own().is_some(), "seed {seed}: n{n} is not in its own view");
        if let Some(last) = seat.views.last() {
            assert!(
                view.epoch > last.epoch,
                "seed {seed}: n{n} went from epoch {} to {}",
                last.epoch,
                view.epoch
            );
        }
        assert!(view.members.values().all(|member| (1..=view.epoch).contains(&member.since)), "seed {seed}");
        // Whoever takes a view of this epoch with these processes takes the same.
        let processes =
            view.members.values().map(|member| format!("{}/{}", member.id, member.card.incarnation));
        let key = (view.epoch, processes.collect::<Vec<_>>());
        let leader = view.leader().map_or("nobody", |leader| &*leader.card.name).to_owned();
        let cards = view.members.values().map(|member| Agreed::Change(member.card.clone()).emit());
        let content = cards.fold(view.digest(), |sum, card| {
            card.iter().fold(sum, |sum, byte| sum.rotate_left(5) ^ u64::from(*byte))
        });
        let known = self.known.entry(key).or_insert((content, leader.clone()));
        assert_eq!(*known, (content, leader), "seed {seed}: n{n} holds another view {}", view.epoch);
        seat.views.push(view);
    }

    fn happen(&mut self) {
        let n = self.prng.index(self.seats.len());
        match self.prng.below(100) {
            0..=1 => {
                let cut = self.prng.index(self.seats.len() + 1);
                let (one, other) =
                    ((0..cut).collect::<Vec<_>>(), (cut..self.seats.len()).collect::<Vec<_>>());
                self.world.partition(&[&one, &other]);
            }
            2 => self.world.heal(),
            3 if self.seats[n].up => {
                self.world.crash(n);
                self.seats[n].up = false;
            }
            4 if !self.seats[n].up => self.restart(n),
            5 if self.seats[n].up => self.world.lose(n),
            6 => self.world.stall(n),
            7 => self.world.resume(n),
            8 if self.seats[n].up => self.change(n),
            9..=49 => self.turn(n),
            _ => {
                self.world.step();
            }
        }
    }

    fn restart(&mut self, n: usize) {
        let same = self.prng.below(2) == 0;
        self.world.restart(n, same);
        let seat = &mut self.seats[n];
        seat.lives += 1;
        seat.bus = self.world.bus(n);
        seat.bus.join();
        seat.machine = Membership::new(card(n, seat.lives, 5));
        seat.unsent.clear();
        seat.views.clear();
        seat.up = true;
    }

    fn change(&mut self, n: usize) {
        self.changes += 1;
        let life = self.seats[n].lives;
        self.seats[n].machine.change(card(n, life, self.changes));
        self.collect(n);
    }

    /// Heals everything and lets the world come to rest; then all that run hold the same view, of exactly them.
    fn rest(&mut self) {
        self.world.heal();
        for n in 0..self.seats.len() {
            self.world.resume(n);
        }
        self.world.calm();
        for step in 0.. {
            assert!(step < REST_STEPS, "seed {}: no rest", self.seed);
            let moved = self.world.step();
            for n in 0..self.seats.len() {
                self.turn(n);
            }
            if !moved && step % 8 == 0 && self.is_agreed() {
                return;
            }
        }
    }

    fn is_agreed(&self) -> bool {
        let up = self.seats.iter().filter(|seat| seat.up).collect::<Vec<_>>();
        let views = up.iter().filter_map(|seat| seat.machine.view()).collect::<Vec<_>>();
        views.len() == up.len()
            && views.iter().all(|view| view.members.len() == up.len() && view.digest() == views[0].digest())
            && up.iter().all(|seat| seat.machine.is_settled() && seat.unsent.is_empty())
    }
}

fn run(seed: u64) -> (usize, u64) {
    let mut run = Run::new(seed);
    for _ in 0..STEPS {
        run.happen();
    }
    run.rest();
    (run.known.len(), run.changes)
}

#[test]
fn all_members_of_a_view_hold_the_same_one_whatever_happens() {
    if let Some(seed) = env::var("CONVOY_SEED").ok().and_then(|seed| seed.parse().ok()) {
        run(seed);
        return;
    }
    let (mut views, mut changes) = (0_u64, 0);
    for seed in 0..SCHEDULES {
        let (more, changed) = run(seed);
        views += more as u64;
        changes += changed;
    }
    // The schedules are worth something only if views come and go in them.
    assert!(views > 5 * SCHEDULES && changes > SCHEDULES, "{views} views, {changes} changes");
}
