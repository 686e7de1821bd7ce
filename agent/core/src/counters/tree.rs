//! The CIDR tree: counts per host, answered by prefix.
//!
//! Invariants: 1. the sum of a prefix is the sum of the hosts below it; 2. no IPv4 host is below an IPv6 prefix.
//! Interior prefixes are not stored; [`CidrTree::rows`] makes those that branch (the reference says interior
//! nodes are no invariant, the counts are). Source: manual, "cluster shared show", CIDR tree.
use super::sums::{Cell, Sums};
use alloc::vec::Vec;
use convoy_common::{
    addr::{Family, Host, V4_MAPPED},
    count::Count,
    prefix::Prefix,
};

/// Counts per host of both families. Cloning shares the blocks: it is how a consistent snapshot is taken.
#[derive(Clone, Debug, Default)]
pub struct CidrTree {
    v4: Sums<u32>,
    v6: Sums<u128>,
}

/// One line of a listing: a prefix and the sum below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// A host (full length) or a prefix.
    pub prefix: Prefix,
    /// The sum of the hosts below it.
    pub count: Count,
}

impl CidrTree {
    /// Returns the number of hosts.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Tells whether no host is counted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the count of one host.
    pub fn get(&self, host: Host) -> Option<Cell> {
        match Key::of(host) {
            Key::V4(key) => self.v4.get(key),
            Key::V6(key) => self.v6.get(key),
        }
    }

    /// Puts a host's count, or removes the host, and returns what was there.
    pub fn set(&mut self, host: Host, cell: Option<Cell>) -> Option<Cell> {
        self.update(host, |_| cell)
    }

    /// Replaces a host's count by what `f` makes of it, and returns what was there.
    pub fn update(&mut self, host: Host, f: impl FnOnce(Option<Cell>) -> Option<Cell>) -> Option<Cell> {
        match Key::of(host) {
            Key::V4(key) => self.v4.update(key, f),
            Key::V6(key) => self.v6.update(key, f),
        }
    }

    /// Returns the sum over all hosts of both families.
    pub fn sum(&self) -> Count {
        let (v4, v6) = (self.v4.sum(), self.v6.sum());
        Count { current: v4.current + v6.current, total: v4.total + v6.total }
    }

    /// Returns the sum below `prefix`.
    pub fn sum_below(&self, prefix: Prefix) -> Count {
        match (Key::of(prefix.first()), Key::of(prefix.last())) {
            (Key::V4(first), Key::V4(last)) if prefix.family() == Family::V4 => {
                self.v4.range_sum(first, last)
            }
            _ => self
                .v6
                .range_sum(u128::from_be_bytes(prefix.first().addr), u128::from_be_bytes(prefix.last().addr)),
        }
    }

    /// Returns the hosts of `family` from `first` on, in order.
    pub fn hosts_from(&self, family: Family, first: Host) -> impl Iterator<Item = (Host, Cell)> + '_ {
        let (v4, v6) = match (family, Key::of(first)) {
            (Family::V4, Key::V4(key)) => (Some(self.v4.iter_from(key)), None),
            // Of another family: above or below all IPv4 addresses.
            (Family::V4, Key::V6(key)) => ((key < V4_FIRST).then(|| self.v4.iter_from(0)), None),
            (Family::V6, _) => (None, Some(self.v6.iter_from(u128::from_be_bytes(first.addr)))),
        };
        let v4 = v4.into_iter().flatten().map(|(key, cell)| (host_v4(key), cell));
        v4.chain(v6.into_iter().flatten().map(|(key, cell)| (host_v6(key), cell)))
    }

    /// Returns all hosts, IPv4 first, each family in order.
    pub fn hosts(&self) -> impl Iterator<Item = (Host, Cell)> + '_ {
        let v4 = self.v4.iter().map(|(key, cell)| (host_v4(key), cell));
        v4.chain(self.v6.iter().map(|(key, cell)| (host_v6(key), cell)))
    }

    /// Returns the hosts and every prefix at which they branch, shorter prefixes first, low before high.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::with_capacity(2 * self.len());
        let mut before: Option<Host> = None;
        for (host, cell) in self.hosts() {
            rows.push(Row { prefix: Prefix::host(host), count: cell.count() });
            // In a binary tree every branching prefix parts exactly one pair of neighbours.
            if let Some(prefix) = before.and_then(|before| common_prefix(before, host)) {
                rows.push(Row { prefix, count: self.sum_below(prefix) });
            }
            before = Some(host);
        }
        rows.sort_unstable_by_key(|row| (row.prefix.family(), row.prefix.first(), row.prefix.bits()));
        rows
    }

    /// Returns the prefixes of `bits_v4` and `bits_v6` bits with the most open connections (then the most
    /// opened), at most `limit` of them. Lengths beyond the family's count as whole addresses.
    pub fn top(&self, bits_v4: u8, bits_v6: u8, limit: usize) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        for (host, cell) in self.hosts() {
            let bits = match host.family() {
                Family::V4 => bits_v4.min(32),
                Family::V6 => bits_v6.min(128),
            };
            match rows.last_mut() {
                Some(row) if row.prefix.contains(host) => {
                    row.count.current += u64::from(cell.current);
                    row.count.total += cell.total;
                }
                _ => {
                    let prefix = Prefix::new(host, bits).unwrap_or(Prefix::host(host));
                    rows.push(Row { prefix, count: cell.count() });
                }
            }
        }
        // Stable: equal counts stay in order of their addresses.
        rows.sort_by_key(|row| core::cmp::Reverse((row.count.current, row.count.total)));
        rows.truncate(limit);
        rows
    }
}

/// Returns the longest prefix above both hosts; `None` when they are of different families.
fn common_prefix(a: Host, b: Host) -> Option<Prefix> {
    let family = a.family();
    let differ = u128::from_be_bytes(a.addr) ^ u128::from_be_bytes(b.addr);
    let bits = u8::try_from(differ.leading_zeros()).ok()?.checked_sub(128 - family.bits())?;
    (family == b.family()).then(|| Prefix::new(a, bits)).flatten()
}

enum Key {
    V4(u32),
    V6(u128),
}

impl Key {
    fn of(host: Host) -> Self {
        let [.., a, b, c, d] = host.addr;
        match host.family() {
            Family::V4 => Self::V4(u32::from_be_bytes([a, b, c, d])),
            Family::V6 => Self::V6(u128::from_be_bytes(host.addr)),
        }
    }
}

fn host_v4(key: u32) -> Host {
    let mut addr = [0; 16];
    addr[..12].copy_from_slice(&V4_MAPPED);
    addr[12..].copy_from_slice(&key.to_be_bytes());
    Host { addr }
}

fn host_v6(key: u128) -> Host {
    Host { addr: key.to_be_bytes() }
}

/// `::ffff:0.0.0.0`, the lowest v4-mapped address.
const V4_FIRST: u128 = 0xffff << 32;

#[cfg(test)]
mod tests;
