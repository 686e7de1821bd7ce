//! One host: its kernel, and the process on it with the machines of the core, driven as the daemon drives them.
use super::lan::Kernel;
use convoy_core::{
    group::{
        Detector, Pulse,
        bus::{Bus as _, Event, Unsent},
        membership::{Membership, Output as Agreed},
        view::{Card, Role},
    },
    time::{Instant, Span},
    vip::{
        Holder, Input, Made, Offered, Output, Settings, Want,
        lease::{Act, Keeper, Rules},
    },
    wire::{
        self, Beat,
        beat::{Roll, View},
    },
};
use lab::{
    bus_model::{SimBus, World},
    prng::Prng,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

/// Time between heartbeats.
const BEAT: Span = Span::from_ms(10);
/// Time between two turns of a process.
pub(super) const TICK: Span = Span::from_ms(1);

/// What all hosts of a run are.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) hosts: usize,
    /// The last of them is a manager: it has a vote and no addresses.
    pub(super) manager: bool,
    pub(super) addresses: usize,
    pub(super) standby: bool,
    pub(super) settings: Settings,
}

impl Site {
    pub(super) fn is_manager(&self, number: usize) -> bool {
        self.manager && number + 1 == self.hosts
    }
}

/// When an order will be done, its number, and what it is.
type Ordered = (Instant, u64, Vec<(IpAddr, Want)>);

/// A question on the wire.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) id: u64,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) controls: Vec<IpAddr>,
    pub(super) until: Instant,
}

/// One heartbeat on its way, to the host with this number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) to: usize,
    life: u64,
    sequence: u64,
    unheard: bool,
    pub(super) epoch: u64,
    pub(super) roll: Roll,
}

/// See the module.
pub(super) struct Host {
    number: usize,
    pub(super) kernel: Kernel,
    /// The process runs.
    pub(super) up: bool,
    pub(super) stalled_until: Instant,
    pub(super) holder: Holder,
    membership: Membership,
    keeper: Keeper,
    allowed: u64,
    bus: SimBus,
    unsent: VecDeque<Vec<u8>>,
    /// Netlink: what was ordered, and when it will be done.
    orders: VecDeque<Ordered>,
    pub(super) probes: Vec<Probe>,
    detector: Detector,
    pulse: Pulse,
    /// When its process is to run next.
    wanted: Instant,
    /// Of the agreed view that it has.
    epoch: u64,
    /// Its bus delivers nothing until then.
    pub(super) deaf_bus_until: Instant,
    arrived: Vec<(usize, Sent)>,
    life: u64,
    pub(super) lag: u64,
    pub(super) takeovers: u64,
}

pub(super) fn name(number: usize) -> Arc<str> {
    format!("n{number}").into()
}

pub(super) fn address(number: usize) -> IpAddr {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    Ipv4Addr::from(0xc000_0201 + number).into()
}

fn card(site: &Site, number: usize, life: u64) -> Card {
    Card {
        role: if site.is_manager(number) { Role::Manager } else { Role::Node },
        incarnation: life,
        name: name(number),
        subcluster: "default".into(),
        version: "sim".into(),
        address: None,
        groups: ["ec_cluster".into()].into(),
        parameters: [].into(),
    }
}

/// Each address is offered by most hosts, some are preferred somewhere, one follows another.
fn settings(site: &Site, number: usize) -> Settings {
    let offers = |at: usize| !site.is_manager(number) && (site.hosts < 3 || (at + number) % 7 != 6);
    let offered = (0..site.addresses).filter(|at| offers(*at)).map(|at| Offered {
        address: address(at),
        bindings: [format!("b{at}").into()].into(),
        services: [].into(),
        preference: (at % 5 == 4).then(|| name(at % site.hosts)),
        follow: (at == 3).then(|| address(0)),
    });
    let offer = offered.collect::<Arc<[_]>>();
    let interfaces = offer.iter().map(|offered| (offered.address, "eth0".into())).collect();
    let standby = if site.standby { ["eth0".into()].into() } else { BTreeSet::new() };
    Settings { offer, interfaces, standby, voters: site.hosts, heartbeat: BEAT, ..site.settings.clone() }
}

impl Host {
    pub(super) fn new(site: &Site, number: usize, world: &World, now: Instant) -> Self {
        let settings = settings(site, number);
        let mut bus = world.bus(number);
        bus.join();
        let mut detector = Detector::default();
        let others = (0..site.hosts).filter(|other| *other != number);
        let peers = others.map(|other| (name(other), address(other))).collect();
        detector.set_peers(&name(number), &peers, now);
        detector.tell_early(true);
        let rules = Rules::new(&settings);
        detector.set_grace(Some(rules.grace()));
        Self {
            number,
            kernel: Kernel { up: true, ..Kernel::default() },
            up: true,
            stalled_until: now,
            keeper: Keeper::new(rules),
            epoch: 0,
            deaf_bus_until: now,
            allowed: 0,
            holder: Holder::new(settings, now),
            membership: Membership::new(card(site, number, 1)),
            bus,
            unsent: VecDeque::new(),
            orders: VecDeque::new(),
            probes: Vec::new(),
            detector,
            pulse: Pulse::new(BEAT, now),
            wanted: now,
            arrived: Vec::new(),
            life: 1,
            lag: 0,
            takeovers: 0,
        }
    }

    /// A new process on the same host; before it joins it removes what the last one left.
    pub(super) fn restart(&mut self, site: &Site, world: &World, now: Instant) {
        let kernel = std::mem::take(&mut self.kernel);
        let (life, takeovers) = (self.life + 1, self.takeovers);
        *self = Self::new(site, self.number, world, now);
        self.membership = Membership::new(card(site, self.number, life));
        (self.life, self.takeovers) = (life, takeovers);
        self.kernel = Kernel { up: true, addresses: BTreeMap::new(), ..kernel };
        self.kernel.lease = Instant::default();
    }

    pub(super) fn runs(&self, now: Instant) -> bool {
        self.up && self.kernel.up && now >= self.stalled_until
    }

    /// Returns the heartbeats that are due, one for each of the others.
    pub(super) fn beats(&mut self, now: Instant) -> Vec<Sent> {
        let Some(sequence) = self.pulse.beat(now) else { return Vec::new() };
        let (life, roll, epoch) = (self.life, self.detector.roll(), self.epoch);
        let peers = (0..).filter(|number| *number != self.number).zip(self.detector.watches());
        let sent =
            peers.map(|(to, watch)| Sent { to, life, sequence, unheard: !watch.is_heard(), epoch, roll });
        sent.collect()
    }

    /// A heartbeat has reached the host; it waits for the process to read it.
    pub(super) fn arrive(&mut self, from: usize, sent: Sent) {
        self.arrived.push((from, sent));
    }

    /// Reads heartbeats, judges silence, keeps the lease, as the thread of the heartbeats does.
    pub(super) fn pulse(&mut self, now: Instant) {
        // What it could not hear because it did not run is no evidence.
        self.detector.excuse(now, now.since(self.wanted));
        self.wanted = now + TICK;
        for (from, Sent { life: incarnation, sequence, unheard, epoch, roll, .. }) in
            self.arrived.split_off(0)
        {
            let (name, interval_us, view) = (&*name(from), 10_000, View { epoch, digest: 0 });
            let beat = Beat { name, incarnation, sequence, interval_us, unheard, view, roll };
            let heard = self.detector.heard(now, address(from), &beat);
            assert!(heard.is_ok(), "{heard:?}");
        }
        let before = self.detector.heard_now(now);
        self.detector.tick(now);
        let heard = self.detector.heard_now(now);
        if heard < before {
            self.pulse.hurry(now);
        }
        while let Some(opinion) = self.detector.poll(now) {
            self.holder.handle(now, Input::from(&opinion));
        }
        match self.keeper.tick(now, heard, self.allowed, now) {
            Act::Nothing => {}
            Act::Renew(until) => self.kernel.lease = until,
            Act::Revoke => self.kernel.lease = Instant::default(),
        }
        if let Some(news) = self.keeper.poll() {
            self.holder.handle(now, Input::Lease { generation: news.generation, contact: news.contact });
        }
    }

    /// Reads a few events of the bus.
    pub(super) fn turn(&mut self, now: Instant, prng: &mut Prng, trace: bool) {
        if now < self.deaf_bus_until {
            return;
        }
        for _ in 0..prng.within(1..=6) {
            self.send();
            let Some(event) = self.bus.poll() else { break };
            if let Event::Lost(_) = event {
                self.unsent.clear();
            }
            let id = self.bus.id();
            let given = self.membership.handle(id, &event);
            // Views come of what was delivered before.
            let said = match given {
                Some((sender, wire::Agreed::Vip(said))) => Some((sender, said)),
                Some(_) | None => None,
            };
            self.collect_membership(now, trace);
            if let Some((sender, said)) = said {
                if trace {
                    note(now, &format!("n{} <- {sender}: {}", self.number, brief(&said)));
                }
                self.holder.handle(now, Input::Said(sender, said));
            }
        }
        self.send();
    }

    fn collect_membership(&mut self, now: Instant, trace: bool) {
        while let Some(output) = self.membership.poll_output() {
            match output {
                Agreed::Multicast(message) => self.unsent.push_front(message),
                Agreed::View(view) => {
                    if trace {
                        let members =
                            view.members.values().map(|member| format!("{}={}", member.card.name, member.id));
                        let members = members.collect::<Vec<_>>();
                        note(now, &format!("n{} view {} of {members:?}", self.number, view.epoch));
                    }
                    self.see(now, view.epoch);
                    self.holder.handle(now, Input::View(view));
                }
                Agreed::Lost(_) => {
                    self.see(now, 0);
                    self.holder.handle(now, Input::Lost);
                }
                Agreed::Garbage(member, error) => unreachable!("{member}: {error}"),
            }
        }
    }

    /// The heartbeats say from now on that this is the view.
    fn see(&mut self, now: Instant, epoch: u64) {
        self.epoch = epoch;
        self.detector.set_epoch(now, epoch);
        self.pulse.hurry(now);
    }

    fn send(&mut self) {
        while let Some(message) = self.unsent.front() {
            match self.bus.multicast(message) {
                Ok(()) => self.unsent.pop_front(),
                Err(Unsent::Full) => return,
                Err(Unsent::Absent) => return self.unsent.clear(),
                Err(Unsent::TooLong) => unreachable!("{} bytes", message.len()),
            };
        }
    }

    /// Carries out what the holder wants; netlink takes its time.
    pub(super) fn carry_out(&mut self, now: Instant, prng: &mut Prng, trace: bool) {
        while let Some(output) = self.holder.poll_output() {
            if trace {
                match &output {
                    Output::Say(said) => note(now, &format!("n{} -> {}", self.number, brief(said))),
                    other => note(now, &format!("n{} {other:?}", self.number)),
                }
            }
            match output {
                Output::Say(said) => self.unsent.push_back(wire::Agreed::Vip(said).emit()),
                Output::Make { order, wants } => {
                    let at = now + Span::from_ms(prng.within(0..=self.lag));
                    let last = self.orders.back().map_or(at, |(last, ..)| at.max(*last));
                    self.orders.push_back((last, order, wants));
                }
                Output::Probe { id, addresses, controls, every: _, lasting } => {
                    self.probes.push(Probe { id, addresses, controls, until: now + lasting });
                }
                Output::Allow(generation) => self.allowed = generation,
                Output::Forbid => {
                    self.allowed = 0;
                }
                Output::Event(event) => {
                    self.takeovers += u64::from(matches!(event, convoy_core::vip::Event::TakenOver { .. }));
                }
                Output::Announce(_) | Output::HostsOfInterest(_) | Output::Left => {}
            }
        }
    }

    /// The kernel has done what was ordered some time ago.
    pub(super) fn netlink(&mut self, now: Instant) {
        while self.orders.front().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, order, wants)) = self.orders.pop_front() else { return };
            let made = wants.into_iter().map(|(address, want)| {
                self.kernel.addresses.insert(address, want);
                Made { address, order, now: want, failed: None }
            });
            let made = made.collect();
            self.holder.handle(now, Input::Made(made));
        }
    }
}

/// Prints what happens.
#[expect(clippy::print_stdout, reason = "asked for with CONVOY_TRACE")]
pub(super) fn note(now: Instant, what: &str) {
    println!("{:>6} {what}", now.as_ns() / 1_000_000);
}

fn brief(said: &wire::vip::Said) -> String {
    let text = format!("{said:?}");
    text.chars().take(160).collect()
}
