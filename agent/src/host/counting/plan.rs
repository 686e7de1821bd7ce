//! What to seed, unseed, repair and reclaim, decided from plain data.
//!
//! Invariants: 1. a host that moved between two reads is not judged; 2. nothing is repaired on one sighting;
//! 3. a host with open connections, or one that moved since the last sweep, is not reclaimed. Reads nothing itself.
use super::report;
use convoy_common::{
    addr::Host,
    count::Direction,
    kernel::{HostCount, is_retired},
};
use std::collections::{BTreeMap, BTreeSet};

/// The ports whose connections are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ports {
    inbound: BTreeSet<u16>,
    outbound: BTreeSet<u16>,
}

impl Ports {
    pub(super) fn new(inbound: &[u16], outbound: &[u16]) -> Self {
        Self { inbound: inbound.iter().copied().collect(), outbound: outbound.iter().copied().collect() }
    }

    /// Returns the ports of a direction.
    pub(super) fn of(&self, direction: Direction) -> Vec<u16> {
        let ports = match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        };
        ports.iter().copied().collect()
    }

    /// Tells which way a connection that nobody saw opening was opened; `None` when it is not ours to count.
    ///
    /// A local port of ours means inbound even if the remote one is ours, too: clients use ports of their own.
    fn direction(&self, local: u16, remote: u16) -> Option<Direction> {
        if self.inbound.contains(&local) {
            Some(Direction::Inbound)
        } else if self.outbound.contains(&remote) {
            Some(Direction::Outbound)
        } else {
            None
        }
    }
}

/// One connection, as a listing of sockets shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    /// The kernel's name for the socket.
    pub(super) cookie: u64,
    /// The remote host.
    pub(super) host: Host,
    /// Local port.
    pub(super) local_port: u16,
    /// Remote port.
    pub(super) remote_port: u16,
    /// Control group; `None` when the kernel does not say.
    pub(super) cgroup: Option<u64>,
}

/// Connections by cookie, each with what it counts, or should count, as.
pub(super) type Seeds = BTreeMap<u64, (Direction, Host)>;

/// What is known before the sockets are listed.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The ports whose connections are counted.
    pub(super) ports: Ports,
    /// Whether stock is being taken: a connection of which nothing is known is uncounted.
    pub(super) taking: bool,
    /// Connections counted by cookie.
    pub(super) seeds: Seeds,
    /// What is noted of single sockets: the direction in which it is counted, `None` when it is not.
    pub(super) notes: BTreeMap<u64, Option<Direction>>,
    /// Groups whose connections are ours; `None` when all are.
    pub(super) groups: Option<BTreeSet<u64>>,
}

/// What one listing of all sockets says.
#[derive(Debug)]
pub(super) struct Census<'a> {
    known: &'a Known,
    live: BTreeSet<u64>,
    needed: BTreeSet<u64>,
    /// What the inbound table should say.
    pub(super) inbound: BTreeMap<Host, u32>,
    /// What the outbound table should say.
    pub(super) outbound: BTreeMap<Host, u32>,
    /// Connections that are counted by their own socket.
    pub(super) counted: Vec<(u64, Direction)>,
    /// Connections that should be counted and are not.
    pub(super) uncounted: Seeds,
}

impl<'a> Census<'a> {
    /// Begins a census.
    pub(super) fn new(known: &'a Known) -> Self {
        Self {
            known,
            live: BTreeSet::new(),
            needed: BTreeSet::new(),
            inbound: BTreeMap::new(),
            outbound: BTreeMap::new(),
            counted: Vec::new(),
            uncounted: Seeds::new(),
        }
    }

    /// Takes one connection down.
    pub(super) fn add(&mut self, connection: &Connection) {
        let &Connection { cookie, host, .. } = connection;
        if let Some(&(direction, host)) = self.known.seeds.get(&cookie) {
            self.live.insert(cookie);
            return self.expect(direction, host);
        }
        let by_port = self.known.ports.direction(connection.local_port, connection.remote_port);
        let note = self.known.notes.get(&cookie);
        let counted_as = match note {
            Some(&counted_as) => counted_as,
            // A group we cannot tell is taken for ours only when all groups are.
            None if !self
                .known
                .groups
                .as_ref()
                .is_none_or(|ids| connection.cgroup.is_some_and(|id| ids.contains(&id))) =>
            {
                return;
            }
            None if self.known.taking => None,
            None => by_port,
        };
        if note.is_some() && (self.known.taking || counted_as != by_port) {
            self.needed.insert(cookie);
        }
        match (counted_as, by_port) {
            (Some(direction), _) => {
                self.counted.push((cookie, direction));
                self.expect(direction, host);
            }
            (None, Some(direction)) => {
                self.uncounted.insert(cookie, (direction, host));
            }
            (None, None) => {}
        }
    }

    /// Returns what the table of `direction` should say.
    pub(super) fn expected(&self, direction: Direction) -> &BTreeMap<Host, u32> {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }

    /// Returns the seeds whose connection is gone.
    pub(super) fn gone(&self) -> Vec<u64> {
        self.known.seeds.keys().filter(|cookie| !self.live.contains(*cookie)).copied().collect()
    }

    /// Returns the notes that this listing had no use for.
    pub(super) fn unneeded_notes(&self) -> BTreeSet<u64> {
        self.known.notes.keys().filter(|cookie| !self.needed.contains(*cookie)).copied().collect()
    }

    fn expect(&mut self, direction: Direction, host: Host) {
        let table = match direction {
            Direction::Inbound => &mut self.inbound,
            Direction::Outbound => &mut self.outbound,
        };
        *table.entry(host).or_default() += 1;
    }
}

/// Returns what to seed: connections that were uncounted in two listings.
///
/// One is not enough: a connection we open is established an instant before its callback counts it.
pub(super) fn to_seed(first: &Seeds, second: &Seeds) -> Seeds {
    second
        .iter()
        .filter(|(cookie, _)| first.contains_key(*cookie))
        .map(|(cookie, what)| (*cookie, *what))
        .collect()
}

/// Returns by how much each host's entry is short of the sockets listed between the two reads of its table.
///
/// Both reads are in order of host. A host that opens or closes a connection meanwhile shows it in one of its two
/// numbers and is left out.
pub(super) fn differences(
    before: &[(Host, HostCount)],
    after: &[(Host, HostCount)],
    expected: &BTreeMap<Host, u32>,
) -> BTreeMap<Host, i64> {
    let mut short = BTreeMap::new();
    for (host, entry) in after {
        let Some((_, old)) = find(before, *host) else { continue };
        if (old.current, old.total) != (entry.current, entry.total) || is_retired(entry.current) {
            continue;
        }
        let difference = expected.get(host).map_or(0, |&open| i64::from(open)) - report::current(entry);
        if difference != 0 {
            short.insert(*host, difference);
        }
    }
    for (host, &open) in expected {
        if find(before, *host).is_none() && find(after, *host).is_none() {
            short.insert(*host, i64::from(open));
        }
    }
    short
}

/// Returns the differences that two audits in a row found.
pub(super) fn confirmed(last: &BTreeMap<Host, i64>, now: &BTreeMap<Host, i64>) -> BTreeMap<Host, i64> {
    now.iter().filter(|(host, by)| last.get(*host) == Some(*by)).map(|(host, by)| (*host, *by)).collect()
}

/// Returns up to `want` idle hosts that did not move since `last_epoch`, longest idle first, with their totals.
///
/// An entry's `reported` is the drain epoch of its last change, so its distance from `epoch` is its age.
pub(super) fn to_retire(
    entries: &[(Host, HostCount)],
    epoch: u32,
    last_epoch: u32,
    want: usize,
) -> Vec<(Host, u64)> {
    let young = epoch.wrapping_sub(last_epoch);
    let mut idle: Vec<(u32, Host, u64)> = entries
        .iter()
        .filter(|(_, entry)| entry.current == 0)
        .map(|(host, entry)| (epoch.wrapping_sub(entry.reported), *host, entry.total))
        .filter(|(age, ..)| *age > young)
        .collect();
    idle.sort_unstable_by(|a, b| b.cmp(a));
    idle.truncate(want);
    idle.into_iter().map(|(_, host, total)| (host, total)).collect()
}

/// Returns how many entries must go so that a table of `max` holding `len` has room again; 0 while it has.
pub(super) fn to_free(len: usize, max: usize) -> usize {
    let share = |percent: usize| max.saturating_mul(percent) / 100;
    if len > share(FULL_PERCENT) { len - share(FREED_PERCENT) } else { 0 }
}

fn find(sorted: &[(Host, HostCount)], host: Host) -> Option<&(Host, HostCount)> {
    sorted.binary_search_by_key(&host, |(host, _)| *host).ok().and_then(|at| sorted.get(at))
}

/// Share of a table at which idle hosts are removed.
const FULL_PERCENT: usize = 75;
/// Share of a table that removing idle hosts leaves. chosen: a sweep then has something to do for a while.
const FREED_PERCENT: usize = 70;

#[cfg(test)]
mod tests;
