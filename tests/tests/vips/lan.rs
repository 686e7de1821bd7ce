//! One segment: who hears whom, and whose kernel answers for what.
use convoy_core::time::Instant;
use convoy_core::vip::Want;
use std::{collections::BTreeMap, net::IpAddr};

/// What a host's kernel knows. It outlives the process that told it.
#[derive(Clone, Debug, Default)]
pub(super) struct Kernel {
    /// The host runs.
    pub(super) up: bool,
    pub(super) addresses: BTreeMap<IpAddr, Want>,
    /// Until when it may answer.
    pub(super) lease: Instant,
}

impl Kernel {
    /// Tells whether it answers for an address.
    pub(super) fn answers(&self, now: Instant, address: IpAddr) -> bool {
        self.up && now < self.lease && self.addresses.get(&address) == Some(&Want::Held)
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Lan {
    /// Which part of the segment each host is on.
    part: Vec<usize>,
    /// Frames from the first do not reach the second.
    deaf: Vec<(usize, usize)>,
}

impl Lan {
    pub(super) fn new(hosts: usize) -> Self {
        Self { part: vec![0; hosts], deaf: Vec::new() }
    }

    pub(super) fn partition(&mut self, parts: &[&[usize]]) {
        for (host, part) in self.part.iter_mut().enumerate() {
            *part = parts.iter().position(|part| part.contains(&host)).unwrap_or(parts.len() + host);
        }
    }

    /// What the first sends does not reach the second.
    pub(super) fn cut(&mut self, from: usize, to: usize) {
        self.deaf.push((from, to));
    }

    pub(super) fn heal(&mut self) {
        self.part.fill(0);
        self.deaf.clear();
    }

    /// Tells whether what the first sends reaches the second.
    pub(super) fn reaches(&self, from: usize, to: usize) -> bool {
        self.part[from] == self.part[to] && !self.deaf.contains(&(from, to))
    }

    /// Tells whether a third host may hear both.
    pub(super) fn same_segment(&self, a: usize, b: usize) -> bool {
        self.part[a] == self.part[b]
    }
}
