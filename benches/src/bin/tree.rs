//! Figures of the counts: the tree's operations, its memory, and what a peer's frames cost.
//!
//! Beside each figure stands its limit: an ordered map of the standard library for the tree, a copy of the same
//! bytes for the codec. Time is the thread's own CPU time: what else a shared machine does is not in it, but for
//! the caches that it empties. `--quick` runs everything once and small, so that it stays correct.
#![expect(clippy::print_stdout, reason = "a benchmark's output is its table")]
#![expect(clippy::cast_precision_loss, reason = "figures for people have few digits")]

mod tree {
    pub(crate) mod allocations;
    pub(crate) mod cluster;
}

use convoy_benches::machine::cpu_seconds;
use convoy_common::{
    addr::{Family, Host},
    prefix::Prefix,
};
use convoy_core::{
    counters::{Cell, CidrTree, Replica},
    wire::Object,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
    net::IpAddr,
    sync::Arc,
};
use tree::{
    allocations,
    cluster::{Receiver, Sender},
};

fn main() {
    let is_quick = std::env::args().any(|arg| arg == "--quick");
    let (sizes, hosts, rounds) = if is_quick {
        (&[1_000][..], 5_000, 1)
    } else {
        (&[1_000, 64_000, 200_000, 1_000_000][..], 200_000, 7)
    };
    for size in sizes {
        operations(*size, rounds);
    }
    memory(hosts);
    for family in Family::ALL {
        for entries in [4_096, 64] {
            deltas(family, hosts, entries, rounds);
        }
        transfer(family, hosts, rounds);
    }
}

/// Every operation of the tree, timed beside the same of an ordered map where that has it.
fn operations(size: usize, rounds: usize) {
    let keys = Prng(size as u64).keys(size);
    let (mut tree, mut map) = (CidrTree::default(), BTreeMap::new());
    for key in &keys {
        tree.set(host(Family::V4, *key), Some(cell(*key)));
        map.insert(*key, cell(*key));
    }
    let hosts = keys.iter().map(|key| host(Family::V4, *key)).collect::<Vec<_>>();
    let sum = tree.sum();
    println!("\n{size} hosts, checksum {}", sum.total ^ sum.current);
    let total = |cell: Option<Cell>| cell.map_or(0, |cell| cell.total);
    let ours = timed(rounds, size, || hosts.iter().map(|host| total(tree.get(*host))).sum::<u64>());
    let theirs = timed(rounds, size, || keys.iter().map(|key| total(map.get(key).copied())).sum::<u64>());
    row("lookup", ours, Some(theirs));
    let mut salt = 0;
    let ours = timed(rounds, size, || {
        salt += 1;
        hosts.iter().filter(|host| tree.set(**host, Some(cell(salt))).is_some()).count()
    });
    let theirs = timed(rounds, size, || {
        salt += 1;
        keys.iter().filter(|key| map.insert(**key, cell(salt)).is_some()).count()
    });
    row("update, random order", ours, Some(theirs));
    let ours = timed(rounds, size, || {
        let mut fresh = CidrTree::default();
        hosts.iter().filter(|host| fresh.set(**host, Some(cell(1))).is_none()).count()
    });
    let theirs = timed(rounds, size, || {
        let mut fresh = BTreeMap::new();
        keys.iter().filter(|key| fresh.insert(**key, cell(1)).is_none()).count()
    });
    row("insert, random order", ours, Some(theirs));
    let prefixes = hosts.iter().take(1_000).filter_map(|host| Prefix::new(*host, 16)).collect::<Vec<_>>();
    let below = |prefix: &Prefix| {
        map.range(key(prefix.first())..=key(prefix.last())).map(|(_, cell)| cell.total).sum::<u64>()
    };
    let many = prefixes.len();
    let ours =
        timed(rounds, many, || prefixes.iter().map(|prefix| tree.sum_below(*prefix).total).sum::<u64>());
    row("sum below a /16", ours, Some(timed(rounds, many, || prefixes.iter().map(below).sum::<u64>())));
    row("sum below 0.0.0.0/0", timed(rounds, 1, || tree.sum_below(Prefix::all(Family::V4))), None);
    row("snapshot, per host", timed(rounds, size, || tree.clone()), None);
    row("rows, per host", timed(rounds, size, || tree.rows().len()), None);
    row("top 10 of /24, per host", timed(rounds, size, || tree.top(24, 64, 10).len()), None);
}

fn row(what: &str, ours: f64, theirs: Option<f64>) {
    match theirs {
        Some(theirs) => println!("  {what:<28} {ours:>12.2} ns   ordered map {theirs:>12.2} ns"),
        None => println!("  {what:<28} {ours:>12.2} ns"),
    }
}

/// Memory of views and sums, counted at the allocator.
fn memory(hosts: usize) {
    println!("\nmemory of own counts, two views and global, {hosts} hosts on each of three nodes");
    for (what, is_same) in [("the same hosts", true), ("hosts of their own", false)] {
        for family in Family::ALL {
            let before = allocations::live();
            let mut replica = Replica::default();
            for (n, sender) in (0..).zip([None, Some("b"), Some("c")]) {
                let sender = sender.map(Arc::<str>::from);
                for key in Prng(if is_same { 7 } else { n }).keys(hosts) {
                    let host = host(family, key);
                    match &sender {
                        None => assert!(replica.set_own(host, Some(cell(1).count()))),
                        Some(sender) => replica.apply(sender, [(host, Some(cell(1)))]),
                    }
                }
            }
            let per_host = (allocations::live() - before) / (3 * hosts);
            let (sum, global) = (replica.global().sum(), replica.global().len());
            let what = format!("{what}, {family:?}");
            println!("  {what:<28} {per_host:>12} B a host and node, checksum {} of {global}", sum.total);
        }
    }
}

/// Changes of known hosts from two peers, through the whole node.
fn deltas(family: Family, hosts: usize, entries: usize, rounds: usize) {
    let mut receiver = Receiver::new(family, hosts);
    let (mut prng, mut times, mut allocated, mut applied) = (Prng(9), Vec::new(), 0, 0);
    let frames_per_round = (2 * hosts).div_ceil(entries);
    for _ in 0..rounds {
        let frames = (0..frames_per_round).map(|n| receiver.delta(n % 2, entries, &mut prng));
        let frames = frames.collect::<Vec<_>>();
        applied = frames.iter().map(|(entries, _)| entries).sum();
        let before = allocations::made();
        let begin = cpu_seconds();
        for (n, (_, bytes)) in frames.iter().enumerate() {
            receiver.read(n % 2, bytes);
        }
        times.push(cpu_seconds() - begin);
        allocated += allocations::made() - before;
    }
    let checksum = receiver.checksum();
    println!("\ndeltas of {entries} entries, {family:?}, {hosts} hosts on three nodes, checksum {checksum}");
    println!("  {:<28} {:>12.2} M entries/s a core", "applied", applied as f64 / middle(times) / 1e6);
    let frames = frames_per_round * rounds;
    println!("  {:<28} {:>12.2} a frame", "allocations", allocated as f64 / frames as f64);
}

/// A full transfer from node to node, without a network.
fn transfer(family: Family, hosts: usize, rounds: usize) {
    let (mut encode, mut decode, mut copy) = (Vec::new(), Vec::new(), Vec::new());
    let (mut bytes, mut checksum) = (0, 0);
    for _ in 0..rounds {
        let mut sender = Sender::new(family, hosts);
        let begin = cpu_seconds();
        let frames = sender.transfer();
        encode.push(cpu_seconds() - begin);
        let mut receiver = Receiver::new(family, 0);
        let begin = cpu_seconds();
        for bytes in &frames {
            receiver.read(0, bytes);
        }
        decode.push(cpu_seconds() - begin);
        let begin = cpu_seconds();
        black_box(frames.clone());
        copy.push(cpu_seconds() - begin);
        bytes = frames.iter().map(Vec::len).sum();
        checksum = receiver.checksum();
        assert_eq!(receiver.node.replica(Object::InboundCidr).global().len(), hosts);
    }
    println!("\nfull transfer of {hosts} hosts, {family:?}, {bytes} bytes, checksum {checksum}");
    for (what, times) in
        [("encode", encode), ("check, decode, apply", decode), ("copy of the same bytes", copy)]
    {
        println!("  {what:<28} {:>12.2} ms", middle(times) * 1e3);
    }
}

fn host(family: Family, key: u32) -> Host {
    match family {
        Family::V4 => Host::new(IpAddr::from(key.to_be_bytes())),
        Family::V6 => Host { addr: (0x2001_0db8_u128 << 96 | u128::from(key)).to_be_bytes() },
    }
}

fn key(host: Host) -> u32 {
    let [.., a, b, c, d] = host.addr;
    u32::from_be_bytes([a, b, c, d])
}

fn cell(n: u32) -> Cell {
    let current = n % 1_000;
    Cell { current, total: u64::from(current) + 1 }
}

/// Returns nanoseconds an operation, the median of some rounds of `many`.
fn timed<R>(rounds: usize, many: usize, mut round: impl FnMut() -> R) -> f64 {
    let times = (0..rounds).map(|_| {
        let begin = cpu_seconds();
        black_box(round());
        cpu_seconds() - begin
    });
    middle(times.collect()) * 1e9 / many as f64
}

fn middle(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// `SplitMix64`, as in the simulator.
pub(crate) struct Prng(u64);

impl Prng {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let n = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((n ^ (n >> 31)) >> 32).expect("32 bits are left")
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from((u64::from(self.next()) * n as u64) >> 32).expect("below n")
    }

    /// Returns that many different keys in random order.
    fn keys(&mut self, many: usize) -> Vec<u32> {
        let mut seen = BTreeSet::new();
        std::iter::repeat_with(|| self.next()).filter(|key| seen.insert(*key)).take(many).collect()
    }
}
