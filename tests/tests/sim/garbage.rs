//! A peer that sends garbage: it may be dropped, but never believed, and hurts nobody.
use crate::{checks::add, faults::settings, prng::Prng};
use convoy_common::{
    addr::{Family, Host},
    prefix::Prefix,
};
use convoy_core::{
    counters::Cell,
    node::{Input, LinkId, Node, Output},
    time::{Instant, Span},
    wire::{EntryBuf, Message, Object, frame, message},
};
use std::net::IpAddr;

/// A node that node 1 has greeted, with counts of its own.
struct Victim {
    node: Node,
    now: Instant,
    links: u64,
    sequence: u64,
}

impl Victim {
    fn new() -> Self {
        let now = Instant::from_ns(0);
        let mut victim = Self { node: Node::new(settings(0, 2), now), now, links: 0, sequence: 0 };
        victim.greet();
        victim
    }

    fn greet(&mut self) {
        (self.links, self.sequence) = (self.links + 1, 0);
        let remote = IpAddr::from([10, 0, 0, 2]);
        self.node.handle(self.now, Input::Accepted(LinkId::Accepted(self.links), remote));
        let hello = message::Hello {
            incarnation: 1,
            interval_us: 100_000,
            name: "node1",
            group: "ec_cluster",
            build: "",
        };
        let bytes = self.next(&Message::Hello(hello));
        self.read(&bytes);
    }

    fn next(&mut self, message: &Message<'_>) -> Vec<u8> {
        self.sequence += 1;
        message::emit(self.sequence, message)
    }

    /// Reads bytes as a driver does; a dropped peer greets anew.
    fn read(&mut self, mut bytes: &[u8]) {
        let link = LinkId::Accepted(self.links);
        loop {
            match frame::split(bytes) {
                Ok(Some((frame, used))) => {
                    self.node.handle(self.now, Input::Frame(link, frame));
                    bytes = &bytes[used..];
                }
                Ok(None) => break,
                Err(error) => {
                    self.node.handle(self.now, Input::Garbage(link, error));
                    break;
                }
            }
        }
        self.check();
        let mut dropped = false;
        while let Some(output) = self.node.poll_output() {
            dropped |= output == Output::Close(link);
        }
        if dropped {
            self.greet();
        }
    }

    fn check(&self) {
        for object in Object::ALL {
            let replica = self.node.replica(object);
            let view = replica.view("node1").map(convoy_core::counters::CidrTree::sum).unwrap_or_default();
            assert_eq!(replica.global().sum(), add(replica.own().sum(), view));
        }
    }
}

fn random_host(prng: &mut Prng, family: Family) -> Host {
    let low = prng.below(64);
    match family {
        Family::V4 => Host::new(IpAddr::from(u32::try_from(low << 24).expect("30 bits").to_be_bytes())),
        Family::V6 => Host { addr: (u128::from(low) << 100).to_be_bytes() },
    }
}

/// Returns a message with entries as a correct node says it.
fn correct(prng: &mut Prng, victim: &mut Victim) -> Vec<u8> {
    let family = Family::ALL[prng.index(2)];
    let object = Object::ALL[prng.index(2)];
    let is_delta = prng.per_mille(500);
    let hosts = (0..prng.below(8)).map(|_| random_host(prng, family));
    let hosts = hosts.collect::<std::collections::BTreeSet<_>>();
    let mut entries = EntryBuf::new(family);
    for host in hosts {
        let current = u32::try_from(prng.below(5)).expect("small");
        let is_gone = is_delta && prng.per_mille(300);
        entries.push(host, (!is_gone).then_some(Cell { current, total: u64::from(current) + 1 }));
    }
    let (all, entries) = (Prefix::all(family), entries.as_entries());
    let message = if is_delta {
        Message::Delta { object, entries }
    } else {
        let (opens, completes) = (prng.per_mille(500), prng.per_mille(500));
        Message::Range { object, opens, completes, first: all.first(), last: all.last(), entries }
    };
    victim.next(&message)
}

/// Changes some bytes of a frame, or its length. Half the time the checksum is made right again, so that the
/// change reaches what lies behind it.
fn mutate(prng: &mut Prng, bytes: &mut Vec<u8>) {
    for _ in 0..prng.within(1..=4) {
        let at = prng.index(bytes.len());
        match prng.below(6) {
            0 => bytes[at] ^= 1 << prng.below(8),
            1 => bytes[at] = [0, 1, 4, 6, 0x7f, 0x80, 0xff][prng.index(7)],
            2 => bytes.truncate(at + 1),
            3 => bytes.insert(at, u8::try_from(prng.below(256)).expect("a byte")),
            4 => drop(bytes.remove(at.min(bytes.len() - 1))),
            _ => bytes.extend((0..prng.below(40)).map(|n| n.to_le_bytes()[0])),
        }
        if bytes.is_empty() {
            return bytes.push(0);
        }
    }
    if bytes.len() > HEADER_AND_TRAILER && prng.per_mille(500) {
        let payload = bytes[20..bytes.len() - 4].to_vec();
        let sequence = u64::from_le_bytes(bytes[12..20].try_into().expect("eight bytes"));
        *bytes = frame::emit(bytes[5], sequence, &payload);
    }
}

#[test]
fn fifty_thousand_mangled_frames_break_no_sum_and_no_node() {
    let (mut prng, mut victim) = (Prng::new(50_000), Victim::new());
    for round in 0..50_000 {
        let mut bytes = correct(&mut prng, &mut victim);
        if prng.per_mille(700) {
            mutate(&mut prng, &mut bytes);
        }
        victim.read(&bytes);
        if round % 100 == 0 {
            victim.now = victim.now + Span::from_ms(prng.below(300));
            victim.node.handle(victim.now, Input::Timeout);
            let change = (random_host(&mut prng, Family::V4), None);
            victim.node.handle(victim.now, Input::Counts(Object::InboundCidr, &[change]));
        }
    }
    assert!(victim.links > 1_000, "garbage was noticed: {} times", victim.links);
}

const HEADER_AND_TRAILER: usize = 24;
