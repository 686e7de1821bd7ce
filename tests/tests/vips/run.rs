//! One run: a site, a seed, what happens, and what must hold all the while.
use super::{
    host::{self, Host, Site, TICK},
    lan::Lan,
};
use convoy_core::{
    time::{Instant, Span},
    vip::{Balance, Input, Partition, Seat, Settings},
    wire::beat::Roll,
};
use lab::{
    bus_model::{Options, World},
    prng::Prng,
};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

/// Virtual time in which things happen, and in which the world must come to rest afterwards.
const TROUBLE: u64 = 3_000;
const REST: u64 = 6_000;

/// A world that does not do what the machines rely on, to see whether somebody notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    /// Nobody ever answers a question on the wire.
    WireIsMute,
    /// Silence is believed of a wire on which nobody is heard.
    SilenceNeedsNoControl,
    /// Kernels answer although their lease has run out.
    LeaseIsIgnored,
    /// Nobody says whom it hears.
    NobodyVouches,
    /// Nobody says which view it is in.
    ViewsAreSecret,
}

/// What came of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    pub(super) faults: u64,
    pub(super) takeovers: u64,
    pub(super) moves: u64,
}

pub(super) struct Run {
    pub(super) seed: u64,
    pub(super) prng: Prng,
    pub(super) site: Site,
    pub(super) world: World,
    pub(super) lan: Lan,
    pub(super) hosts: Vec<Host>,
    pub(super) now: Instant,
    pub(super) defect: Option<Defect>,
    pub(super) trace: bool,
    /// Hosts that hear nothing on the segment until then, and all else.
    pub(super) deaf: Vec<Instant>,
    /// The last time when two hosts did not hear each other, and when a host's process did not run.
    pub(super) apart: BTreeMap<(usize, usize), Instant>,
    pub(super) idle: Vec<Instant>,
    /// When the bus notices that a host is dead; heartbeats are missed before.
    pub(super) dead: Vec<Option<Instant>>,
    pub(super) outcome: Outcome,
}

impl Run {
    pub(super) fn new(seed: u64, defect: Option<Defect>) -> Self {
        let mut prng = Prng::new(seed);
        let hosts = 2 + prng.index(4);
        let settings = Settings {
            mature: Span::from_ms(200),
            balance_interval: Span::from_ms(300),
            balance_set: 1 + u32::try_from(prng.below(4)).unwrap_or(0),
            retry: Span::from_ms(500),
            partition: Partition::Quorum,
            balance_by: if seed % 4 == 3 { Balance::Connections } else { Balance::Addresses },
            ..Settings::default()
        };
        let (addresses, standby, manager) = (1 + prng.index(12), prng.per_mille(500), seed % 5 == 4);
        let site = Site { hosts, manager, addresses, standby, settings };
        let world = World::new(
            prng.next(),
            Options { processes: hosts, queue_max: 64, alarms_per_mille: 2, ..Options::default() },
        );
        let now = Instant::from_ns(1_000_000_000);
        let all = (0..hosts).map(|number| Host::new(&site, number, &world, now)).collect();
        Self {
            seed,
            prng,
            lan: Lan::new(hosts),
            site,
            world,
            hosts: all,
            now,
            defect,
            trace: std::env::var_os("CONVOY_TRACE").is_some(),
            apart: BTreeMap::new(),
            idle: vec![Instant::default(); hosts],
            deaf: vec![Instant::default(); hosts],
            dead: vec![None; hosts],
            outcome: Outcome::default(),
        }
    }

    pub(super) fn go(mut self) -> Outcome {
        for _ in 0..TROUBLE {
            self.maybe_happen();
            self.tick();
        }
        self.rest();
        self.outcome.takeovers = self.hosts.iter().map(|host| host.takeovers).sum();
        self.outcome
    }

    fn tick(&mut self) {
        self.now = self.now + TICK;
        let now = self.now;
        for _ in 0..self.prng.within(0..=20) {
            self.world.step();
        }
        for a in 0..self.hosts.len() {
            if !self.hosts[a].runs(now) {
                self.idle[a] = now;
            }
            let hear_each_other = |b: &usize| self.lan.reaches(a, *b) && self.lan.reaches(*b, a);
            for b in (a + 1..self.hosts.len()).filter(|b| !hear_each_other(b)) {
                self.apart.insert((a, b), now);
            }
        }
        for n in 0..self.hosts.len() {
            if self.dead[n].is_some_and(|at| at <= now) {
                self.bury(n);
            }
        }
        self.answer_probes();
        let connections = self.connections();
        let mut sending = Vec::new();
        for (number, host) in self.hosts.iter_mut().enumerate() {
            if !host.runs(now) {
                continue;
            }
            host.netlink(now);
            host.pulse(now);
            for mut sent in host.beats(now) {
                match self.defect {
                    Some(Defect::NobodyVouches) => sent.roll = Roll::default(),
                    Some(Defect::ViewsAreSecret) => sent.epoch = 0,
                    Some(_) | None => {}
                }
                sending.push((number, sent));
            }
            host.turn(now, &mut self.prng, self.trace);
            if host.holder.next_deadline().is_some_and(|at| at <= now) {
                let counts = host.holder.counts_connections(now).then(|| {
                    let of = |(id, seat): (_, &Seat)| (id, connections.get(&seat.name).copied().unwrap_or(0));
                    host.holder.table().seats().iter().map(|(id, seat)| of((*id, seat))).collect()
                });
                host.holder.handle(now, counts.map_or(Input::Timeout, Input::Connections));
            }
            host.carry_out(now, &mut self.prng, self.trace);
            host.netlink(now);
        }
        for (from, sent) in sending {
            if self.hosts[sent.to].up && self.hosts[sent.to].kernel.up && self.lan.reaches(from, sent.to) {
                self.hosts[sent.to].arrive(from, sent);
            }
        }
        self.check();
    }

    /// Every address brings its own number of connections to whoever answers for it.
    fn connections(&self) -> BTreeMap<Arc<str>, u64> {
        let of = |(number, host): (usize, &Host)| {
            let answered =
                (0..self.site.addresses).filter(|at| host.kernel.answers(self.now, host::address(*at)));
            (host::name(number), answered.map(|at| (at as u64 * 7 + self.seed) % 100).sum())
        };
        self.hosts.iter().enumerate().map(of).collect()
    }

    fn answer_probes(&mut self) {
        let now = self.now;
        for asking in 0..self.hosts.len() {
            if !self.hosts[asking].runs(now) {
                continue;
            }
            let mut done = Vec::new();
            for (at, probe) in self.hosts[asking].probes.iter().enumerate() {
                let answers = |other: usize, asked: &[IpAddr]| {
                    let there =
                        other != asking && self.lan.reaches(asking, other) && self.lan.reaches(other, asking);
                    let kernel = &self.hosts[other].kernel;
                    let address = asked.iter().find(|address| kernel.answers(now, **address));
                    address.filter(|_| there).copied()
                };
                // Where nobody else holds anything, nothing tells who hears nobody from who is alone.
                let is_deaf = now < self.deaf[asking] && !probe.controls.is_empty();
                let hears = |addresses: &[IpAddr]| {
                    let found = (0..self.hosts.len()).find_map(|other| answers(other, addresses));
                    found.filter(|_| self.defect != Some(Defect::WireIsMute) && !is_deaf)
                };
                let answer = hears(&probe.addresses);
                if answer.is_some() || now >= probe.until {
                    let is_controlled = probe.controls.is_empty()
                        || matches!(self.defect, Some(Defect::WireIsMute | Defect::SilenceNeedsNoControl))
                        || hears(&probe.controls).is_some();
                    let answered = answer.map(|address| (address, [2, 0, 0, 0, 0, 1]));
                    done.push((at, probe.id, is_controlled, answered));
                }
            }
            for (at, id, asked, answered) in done.into_iter().rev() {
                self.hosts[asking].probes.remove(at);
                self.hosts[asking].holder.handle(now, Input::Probed { id, asked, answered });
            }
        }
    }

    /// No address is answered for by two hosts that a third one may hear.
    fn check(&self) {
        let now = self.now;
        let mut answering = BTreeMap::<_, Vec<usize>>::new();
        for (number, host) in self.hosts.iter().enumerate() {
            for address in host.kernel.addresses.keys() {
                let lease_ignored = self.defect == Some(Defect::LeaseIsIgnored);
                let when = if lease_ignored { Instant::from_ns(1) } else { now };
                if host.kernel.answers(when, *address) {
                    answering.entry(*address).or_default().push(number);
                }
            }
        }
        for (address, hosts) in answering {
            for (at, a) in hosts.iter().enumerate() {
                let other = hosts[at + 1..].iter().find(|b| self.lan.same_segment(*a, **b));
                if let Some(other) = other {
                    if self.is_twice_faulty(*a, *other) {
                        continue;
                    }
                    let ms = now.as_ns() / 1_000_000;
                    unreachable!(
                        "seed {}: at {ms} ms n{a} and n{other} both answer for {address}",
                        self.seed
                    );
                }
            }
        }
    }

    /// A host whose process is dead cannot be told from one that is gone while it is cut off; if it comes back before its
    /// lease has run out, two answer until then. Two faults at once, for less than a lease.
    fn is_twice_faulty(&self, a: usize, b: usize) -> bool {
        let lease = self.site.settings.lease;
        let lately = |at: Option<&Instant>| at.is_some_and(|at| self.now < *at + lease);
        lately(self.apart.get(&(a, b))) && (lately(self.idle.get(a)) || lately(self.idle.get(b)))
    }

    /// The bus notices that a host is dead, if it is.
    pub(super) fn bury(&mut self, n: usize) {
        if self.dead[n].take().is_some() {
            self.world.crash(n);
        }
    }

    pub(super) fn note(&self, what: &str) {
        if self.trace {
            host::note(self.now, &format!("*** {what}"));
        }
    }

    /// Everything is mended; then every address that somebody offers is answered for by one host, all have one table,
    /// and loads are even.
    fn rest(&mut self) {
        self.note("rest");
        self.world.heal();
        self.lan.heal();
        self.world.calm();
        let now = self.now;
        for n in 0..self.hosts.len() {
            self.bury(n);
            if !self.hosts[n].up {
                self.world.restart(n, false);
                self.hosts[n].kernel.up = true;
                self.hosts[n].restart(&self.site, &self.world, now);
            }
            (self.hosts[n].stalled_until, self.hosts[n].deaf_bus_until) = (now, now);
            self.hosts[n].lag = 2;
        }
        for ms in 0..REST {
            self.tick();
            if ms == 1_500 {
                for n in 0..self.hosts.len() {
                    let now = self.now;
                    self.hosts[0].holder.handle(now, Input::Drain(&host::name(n), false));
                }
            }
        }
        let seed = self.seed;
        let nodes = self.hosts.iter().enumerate().filter(|(number, _)| !self.site.is_manager(*number));
        let digests = nodes.map(|(_, host)| host.holder.table().digest()).collect::<Vec<_>>();
        assert!(digests.iter().all(|digest| *digest == digests[0]), "seed {seed}: {digests:?}");
        for (address, topic) in self.hosts[0].holder.table().topics() {
            let holders =
                self.hosts.iter().enumerate().filter(|(_, host)| host.kernel.answers(self.now, *address));
            let holders = holders.map(|(number, _)| number).collect::<Vec<_>>();
            let follows_away = topic.follow.is_some();
            assert!(
                holders.len() == 1 || (follows_away && holders.is_empty()),
                "seed {seed}: {address} is answered for by {holders:?}, {topic:?}"
            );
            assert!(topic.handover.is_none(), "seed {seed}: {address} is still moving: {topic:?}");
        }
        // Balanced: another round has nothing to do.
        let by_number = self.site.settings.balance_by == Balance::Addresses;
        assert!(
            !by_number || self.hosts[0].holder.table().is_even(),
            "seed {seed}: loads are uneven at rest"
        );
    }
}
