//! What the hosts' kernels count: connections that come and go, a few hosts or thousands, both families.
use crate::{
    clock::{At, MS},
    prng::Prng,
    site::Fact,
    world::{Event, World},
};
use convoy_common::{addr::Host, count::Count};
use convoy_core::wire::Object;
use std::{collections::BTreeMap, net::IpAddr};

/// How much happens, and to whom.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    /// Remote hosts there are.
    pub(crate) hosts: Vec<Host>,
    /// Longest pause between two changes on one host; 0 for none at all.
    pub(crate) pause_max: At,
    /// Most hosts in a burst.
    pub(crate) burst_max: u64,
}

impl Workload {
    /// Returns no work.
    pub(crate) fn none() -> Self {
        Self { hosts: hosts(&mut Prng::new(1), 16), pause_max: 0, burst_max: 0 }
    }

    /// Returns so much work that slow ways clog.
    pub(crate) fn heavy(prng: &mut Prng) -> Self {
        Self { hosts: hosts(prng, 20_000), pause_max: 60 * MS, burst_max: 20_000 }
    }

    pub(crate) fn random(prng: &mut Prng) -> Self {
        let many = prng.scale(1..=3_000);
        let pause_max = prng.scale(20 * MS..=400 * MS);
        Self { hosts: hosts(prng, many), pause_max, burst_max: prng.scale(1..=many) }
    }
}

/// Returns some random remote hosts, in clusters as networks are, and those at the families' borders.
fn hosts(prng: &mut Prng, many: u64) -> Vec<Host> {
    let borders = ["0.0.0.0", "255.255.255.255", "::", "::1", "::fffe:ffff:ffff", "::1:0:0:0"];
    let mut hosts = borders.map(|text| Host::new(text.parse::<IpAddr>().expect("an address"))).to_vec();
    hosts.push(Host { addr: [0xff; 16] });
    hosts.extend((0..many).map(|_| random_host(prng)));
    hosts
}

fn random_host(prng: &mut Prng) -> Host {
    let net = prng.below(6);
    let low = u32::try_from(prng.scale(0..=1 << 20)).expect("20 bits");
    if prng.per_mille(700) {
        let net = u32::try_from(net).expect("small") << 29;
        Host::new(IpAddr::from((net + low).to_be_bytes()))
    } else {
        Host::new(IpAddr::from(
            (0x2001_0db8_u128 << 96 | u128::from(net) << 80 | u128::from(low)).to_be_bytes(),
        ))
    }
}

impl World {
    /// Sets every host to work.
    pub(crate) fn start_work(&mut self) {
        for n in 0..self.sites.len() {
            self.agenda.add(self.agenda.now(), Event::Work(n));
        }
    }

    /// Something changes on a host, and its process is told.
    pub(crate) fn work(&mut self, n: usize) {
        if self.workload.pause_max == 0 {
            return;
        }
        let object = Object::ALL[self.prng.index(Object::ALL.len())];
        match self.prng.below(100) {
            0 => self.repair(n, object),
            1..10 => {
                let many = self.prng.within(1..=self.workload.burst_max);
                self.touch(n, object, many);
            }
            _ => self.touch(n, object, 1),
        }
        let pause = self.prng.within(1..=self.workload.pause_max);
        self.agenda.add(self.agenda.now() + pause, Event::Work(n));
    }

    /// Changes the counts of `many` random hosts and tells the process.
    pub(crate) fn touch(&mut self, n: usize, object: Object, many: u64) {
        let changes = (0..many).map(|_| self.change_one(n, object)).collect::<Vec<_>>();
        self.give(n, Fact::Counts(object, changes));
    }

    /// The process missed changes, and the audit gives it everything.
    fn repair(&mut self, n: usize, object: Object) {
        for _ in 0..self.prng.within(0..=self.workload.burst_max) {
            self.change_one(n, object);
        }
        self.give(n, Fact::AllCounts(object));
    }

    fn change_one(&mut self, n: usize, object: Object) -> (Host, Option<Count>) {
        let host = self.workload.hosts[self.prng.index(self.workload.hosts.len())];
        let truth = self.sites[n].truth.get_mut(&object).expect("every object");
        let count = truth.get(&host).copied().unwrap_or_default();
        let opened = self.prng.within(1..=3);
        let next = match self.prng.below(10) {
            0..5 => Some(Count { current: count.current + opened, total: count.total + opened }),
            5..8 if count.total > 0 => Some(Count { current: count.current.saturating_sub(opened), ..count }),
            5..9 if count.total > 0 => Some(Count { current: 0, ..count }),
            _ => None,
        };
        set(truth, host, next);
        (host, next)
    }

    /// Sets one host's count and tells the process.
    pub(crate) fn count(&mut self, n: usize, host: &str, current: u64) {
        let host = Host::new(host.parse().expect("an address"));
        let count = Count { current, total: current.max(1) };
        set(self.sites[n].truth.get_mut(&Object::InboundCidr).expect("every object"), host, Some(count));
        self.give(n, Fact::Counts(Object::InboundCidr, vec![(host, Some(count))]));
    }
}

fn set(truth: &mut BTreeMap<Host, Count>, host: Host, count: Option<Count>) {
    match count {
        Some(count) => truth.insert(host, count),
        None => truth.remove(&host),
    };
}
