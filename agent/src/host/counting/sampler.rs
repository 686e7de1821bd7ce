//! Drains changes and reports what the changed hosts hold now.
//!
//! Invariants: 1. the ring is drained, then the epoch is raised, then hosts are read: a change that is not in what
//! was read comes after the raise and is announced again, into a ring that is not drained any more. Raising first
//! loses changes: what is announced between raise and drain is taken at once, and silent until the next raise;
//! 2. a key stays pending until its report is in the queue; 3. never waits for the queue: it reads and reports
//! later, what the hosts hold then; 4. a change the ring had no room for is answered by a full read.
//! Source: `ebpf/src/count.rs` for the other side of the protocol.
use super::{Error, Report, report, tables::Tables, threads::Shared};
use aya::maps::{MapData, RingBuf};
use convoy_common::{
    addr::Host,
    count::{Count, Direction},
    kernel::{Changed, Stat},
};
use convoy_core::time::Span;
use crossbeam_channel::Sender;
use std::{os::fd::AsFd, sync::Arc};
use zerocopy::FromBytes;

/// The thread that reports changes.
pub(super) struct Sampler {
    tables: Arc<Tables>,
    ring: RingBuf<MapData>,
    shared: Arc<Shared>,
    out: Sender<Report>,
    inbound: Pending,
    outbound: Pending,
    /// Of the kernel's counter: drops that were answered.
    dropped: u64,
    failing: bool,
}

/// What is to be reported of one direction.
#[derive(Debug)]
enum Pending {
    /// These hosts changed; a host may be there more than once.
    Hosts(Vec<Host>),
    /// Too many, unknown, or asked for: all of them.
    All,
}

impl Pending {
    fn add(&mut self, host: Host) {
        let Self::Hosts(hosts) = self else { return };
        if hosts.len() == PENDING_MAX {
            // Only a queue that stays full gets us here, and only unless most of it is the same hosts again.
            hosts.sort_unstable();
            hosts.dedup();
        }
        if hosts.len() == PENDING_MAX { *self = Self::All } else { hosts.push(host) }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Hosts(hosts) => hosts.is_empty(),
            Self::All => false,
        }
    }
}

impl Sampler {
    pub(super) fn new(
        tables: Arc<Tables>,
        ring: RingBuf<MapData>,
        shared: Arc<Shared>,
        out: Sender<Report>,
    ) -> Self {
        let dropped = tables.stat(Stat::RingDropped);
        Self {
            tables,
            ring,
            shared,
            out,
            inbound: Pending::All,
            outbound: Pending::All,
            dropped,
            failing: false,
        }
    }

    /// Reports until the threads shall end.
    pub(super) fn run(mut self) {
        loop {
            self.collect();
            self.report(Direction::Inbound);
            self.report(Direction::Outbound);
            let delay = self.shared.delay();
            if delay > Span::ZERO && self.shared.wait(&[], delay) {
                return;
            }
            let fds = [self.ring.as_fd(), self.shared.nudge.as_fd()];
            let blocked = !self.inbound.is_empty() || !self.outbound.is_empty();
            let retry = if self.failing { IDLE } else { RETRY };
            if self.shared.wait(&fds, if blocked { retry } else { IDLE }) {
                return;
            }
        }
    }

    /// Takes all that changed so far down as pending.
    fn collect(&mut self) {
        self.shared.nudge.clear();
        while let Some(item) = self.ring.next() {
            let Ok((changed, _)) = Changed::read_from_prefix(&item) else { continue };
            match Direction::from_number(changed.direction) {
                Some(Direction::Inbound) => self.inbound.add(changed.host),
                Some(Direction::Outbound) => self.outbound.add(changed.host),
                None => {}
            }
        }
        self.tables.next_epoch();
        for (direction, host) in self.shared.take_again() {
            self.pending(direction).add(host);
        }
        let dropped = self.tables.stat(Stat::RingDropped);
        if dropped != self.dropped || self.shared.take_refresh() {
            self.dropped = dropped;
            (self.inbound, self.outbound) = (Pending::All, Pending::All);
        }
    }

    /// Reports what is pending of one direction, if the queue has room.
    fn report(&mut self, direction: Direction) {
        if self.pending(direction).is_empty() || self.out.is_full() {
            return;
        }
        let made = match std::mem::replace(self.pending(direction), Pending::Hosts(Vec::new())) {
            Pending::All => self.full(direction),
            Pending::Hosts(hosts) => self.changed(direction, hosts),
        };
        // Between `is_full` and here the auditor may have taken the last place.
        if made.is_err() != self.failing {
            self.failing = made.is_err();
            self.shared.set_trouble(made.as_ref().err().map(ToString::to_string));
        }
        match made.map(|report| self.shared.send(&self.out, report)) {
            Ok(None) => {}
            Ok(Some(Report::Changed { entries, .. })) => {
                let hosts = self.pending(direction);
                for (host, _) in entries {
                    hosts.add(host);
                }
            }
            // A failure was said above; nothing is lost, all of it is read as soon as that works again.
            Ok(Some(_)) | Err(_) => *self.pending(direction) = Pending::All,
        }
    }

    fn full(&self, direction: Direction) -> Result<Report, Error> {
        let entries = self.tables.read(direction)?;
        let entries = entries.iter().map(|(host, entry)| (*host, report::count(entry))).collect();
        Ok(Report::Full { direction, entries })
    }

    fn changed(&self, direction: Direction, mut hosts: Vec<Host>) -> Result<Report, Error> {
        hosts.sort_unstable();
        hosts.dedup();
        let read = |host| self.tables.count(direction, host).map(|count| (host, count));
        let entries = hosts.into_iter().map(read).collect::<Result<Vec<(Host, Option<Count>)>, Error>>()?;
        Ok(Report::Changed { direction, entries })
    }

    fn pending(&mut self, direction: Direction) -> &mut Pending {
        match direction {
            Direction::Inbound => &mut self.inbound,
            Direction::Outbound => &mut self.outbound,
        }
    }
}

/// Hosts pending before a full read is cheaper: a quarter of the largest table the defaults make.
const PENDING_MAX: usize = 65_536;
/// How soon a full queue is tried again.
const RETRY: Span = Span::from_ms(1);
/// How often the counter of drops is looked at when nothing happens.
const IDLE: Span = Span::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_pending_hosts_become_a_full_read() {
        let mut pending = Pending::Hosts(Vec::new());
        let host = |n: usize| Host::new(std::net::Ipv6Addr::from_bits(n as u128 | 1 << 100).into());
        (0..3 * PENDING_MAX).for_each(|n| pending.add(host(n % 1000)));
        assert!(matches!(&pending, Pending::Hosts(hosts) if hosts.len() <= PENDING_MAX));
        (0..2 * PENDING_MAX).for_each(|n| pending.add(host(n)));
        assert!(matches!(pending, Pending::All));
        pending.add(host(1));
        assert!(matches!(pending, Pending::All) && !pending.is_empty());
    }
}
