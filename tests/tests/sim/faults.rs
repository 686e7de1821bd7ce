//! What breaks, and when it is mended.
use crate::{
    clock::{Clock, MS, SECOND},
    net::{Report, Way},
    prng::Prng,
    site::Fact,
    workload::Workload,
    world::{Event, World, address},
};
use convoy_core::{
    node::{Batching, LinkId, Settings, Standing},
    time::Span,
    wire::{Message, Object, message},
};
use std::collections::BTreeMap;

/// Returns a cluster that `seed` decides: three to eight hosts, their settings, clocks and work.
pub(crate) fn random_world(seed: u64) -> World {
    let mut prng = Prng::new(seed);
    let is_heavy = seed % 40 == 7;
    let nodes = if is_heavy { 3 } else { prng.within(3..=8) };
    let heartbeat = prng.scale(5..=100);
    let alike = prng.per_mille(700);
    let settings = (0..nodes).map(|n| {
        let heartbeat = if alike { heartbeat } else { prng.scale(5..=100) };
        random_settings(&mut prng, n, nodes, heartbeat)
    });
    let settings = settings.collect::<Vec<_>>();
    let clocks = settings.iter().map(|_| Clock::random(&mut prng)).collect::<Vec<_>>();
    let workload = if is_heavy { Workload::heavy(&mut prng) } else { Workload::random(&mut prng) };
    let mut world = World::new(prng.next(), settings, &clocks, workload);
    world.is_troubled = true;
    // Not all hosts start at once.
    for n in 0..world.sites.len() {
        let at = prng.below(SECOND);
        world.agenda.add(at, Event::Start(n));
    }
    world.start_work();
    world.agenda.add(prng.below(SECOND), Event::Fault);
    world
}

fn random_settings(prng: &mut Prng, n: u64, nodes: u64, heartbeat_ms: u64) -> Settings {
    let mut settings = settings(usize::try_from(n).expect("few"), usize::try_from(nodes).expect("few"));
    settings.heartbeat = Span::from_ms(heartbeat_ms);
    settings.reconnect = Span::from_ms(prng.within(100..=1_000));
    settings.connect = Span::from_ms(prng.scale(200..=5_000));
    settings.start_delay = Span::from_ms(if prng.per_mille(700) { 0 } else { prng.scale(1..=2_000) });
    for batching in settings.replicate.values_mut() {
        *batching = random_batching(prng);
    }
    settings
}

fn random_batching(prng: &mut Prng) -> Batching {
    let delay_max = if prng.per_mille(300) { 0 } else { prng.scale(1..=1_000) };
    let pending_max = usize::try_from(prng.scale(1..=1_000)).expect("small");
    Batching { delay_max: Span::from_ms(delay_max), pending_max }
}

/// Returns the settings of the `n`-th of `nodes` hosts as they come out of the box.
pub(crate) fn settings(n: usize, nodes: usize) -> Settings {
    let batching = Batching { delay_max: Span::ZERO, pending_max: 100 };
    Settings {
        name: name(n).into(),
        incarnation: 0,
        group: "ec_cluster".into(),
        build: "sim".into(),
        peers: (0..nodes).filter(|peer| *peer != n).map(|peer| (name(peer).into(), address(peer))).collect(),
        heartbeat: Span::from_ms(100),
        heartbeat_port: None,
        start_delay: Span::ZERO,
        connect: Span::from_secs(5),
        reconnect: Span::from_secs(1),
        standing: Standing::default(),
        vips: Box::default(),
        replicate: Object::ALL.map(|object| (object, batching)).into(),
    }
}

fn name(n: usize) -> String {
    format!("node{n}")
}

impl World {
    /// One thing breaks; the next follows.
    pub(crate) fn break_something(&mut self) {
        if !self.is_troubled {
            return;
        }
        let (n, other) = (self.prng.index(self.sites.len()), self.prng.index(self.sites.len()));
        let later = self.agenda.now() + self.prng.scale(MS..=4 * SECOND);
        match self.prng.below(14) {
            0 | 1 => {
                self.cut(n, other);
                self.agenda.add(later, Event::Mend(n, other));
            }
            2 => {
                for (from, to) in [(n, other), (other, n)] {
                    self.cut(from, to);
                    self.agenda.add(later, Event::Mend(from, to));
                }
            }
            3 => {
                self.net.way(n, other).firewall = true;
                self.agenda.add(later, Event::Mend(n, other));
            }
            4 => self.lose_connection(),
            5 | 6 => {
                let span = self.prng.scale(50 * MS..=5 * SECOND);
                self.stall(n, span);
            }
            7 => {
                let power_off = self.prng.per_mille(500);
                self.kill(n, power_off);
                self.agenda.add(later, Event::Start(n));
            }
            8 => {
                self.give(n, Fact::Stop);
                self.agenda.add(later, Event::Start(n));
            }
            9 | 10 => self.reload(n),
            11 | 12 => *self.net.way(n, other) = random_way(&mut self.prng),
            _ => self.intrude(n),
        }
        let pause = self.prng.within(1..=400 * MS);
        self.agenda.add(self.agenda.now() + pause, Event::Fault);
    }

    /// A connection breaks, at both ends or so that only one of them knows.
    fn lose_connection(&mut self) {
        let Some(ends) = self.net.pick(&mut self.prng) else { return };
        let half = self.prng.below(3);
        for (at, end) in (0..).zip(ends) {
            if let Some(end) = end
                && half != at
                && self.net.vanish(end).is_some()
            {
                self.agenda.report(end, Report::Closed("connection timed out"));
            }
        }
    }

    /// Peers and objects come and go, batching and heartbeats change.
    fn reload(&mut self, n: usize) {
        let mut settings = self.whole[n].clone();
        let without = self.prng.index(self.sites.len());
        settings.peers.retain(|name, _| *name != self.sites[without].name);
        if self.prng.per_mille(300) {
            settings.replicate.remove(&Object::ALL[self.prng.index(2)]);
        }
        for batching in settings.replicate.values_mut() {
            *batching = random_batching(&mut self.prng);
        }
        if self.prng.per_mille(300) {
            settings.heartbeat = Span::from_ms(self.prng.scale(5..=100));
        }
        self.give(n, Fact::Reload(Box::new(settings)));
    }

    /// Somebody who does not belong connects and says something.
    fn intrude(&mut self, n: usize) {
        let link = LinkId::Accepted(1 << 40 | self.prng.below(1 << 40));
        let from = self.prng.index(self.sites.len());
        self.give(n, Fact::Network(link, Report::Accepted { from }));
        let hello = |name, group| {
            Message::Hello(message::Hello { incarnation: 7, interval_us: 1_000, name, group, build: "" })
        };
        let bytes = match self.prng.below(6) {
            0 => return,
            1 => b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            2 => message::emit(1, &Message::Heartbeat),
            3 => message::emit(1, &hello("node0", "another")),
            4 => message::emit(1, &hello("nobody", "ec_cluster")),
            _ => message::emit(1, &hello(&name((from + 1) % self.sites.len()), "ec_cluster")),
        };
        self.give(n, Fact::Network(link, Report::Bytes(bytes)));
        if self.prng.per_mille(500) {
            self.give(n, Fact::Network(link, Report::Closed("closed by peer")));
        }
    }
}

fn random_way(prng: &mut Prng) -> Way {
    let mut way = Way {
        delay: prng.scale(MS / 20..=100 * MS),
        jitter: prng.scale(MS / 20..=100 * MS),
        bytes_per_second: prng.scale(50_000..=125_000_000),
        ..Way::calm()
    };
    if prng.per_mille(500) {
        way.loses = prng.below(100);
        way.repeats = prng.below(100);
        way.overtakes = prng.below(100);
        way.damages = prng.below(10);
    }
    way
}

/// Tells a run's circumstances, for whoever has to understand a failure.
pub(crate) fn describe(world: &World) -> String {
    let mut lines = Vec::new();
    for (site, settings) in world.sites.iter().zip(&world.whole) {
        let batching = settings.replicate.iter().map(|(object, batching)| {
            (object.name(), (batching.delay_max.to_string(), batching.pending_max))
        });
        lines.push(format!(
            "{}: heartbeat {}, reconnect {}, batching {:?}, clock {:?}, life {}",
            site.name,
            settings.heartbeat,
            settings.reconnect,
            batching.collect::<BTreeMap<_, _>>(),
            site.clock,
            site.life
        ));
    }
    lines.push(format!(
        "{} hosts, pause at most {} us, bursts of at most {}",
        world.workload.hosts.len(),
        world.workload.pause_max / 1_000,
        world.workload.burst_max
    ));
    for (at, n, what) in &world.last {
        lines.push(format!("{:>12} us  node{n} {what}", at / 1_000));
    }
    lines.iter().map(|line| format!("  {line}\n")).collect::<Vec<_>>().concat()
}
