//! What the cluster thread would know: the reports, applied in order.
use crate::site::{BOUND, until};
use anyhow::{Context, Result, bail};
use convoy_agent::{
    host::counting::{self, Counting, Handle, Options, Report, State},
    sys::wake::Wake,
};
use convoy_common::{
    addr::Host,
    count::{Count, Direction},
};
use convoy_core::{
    counters::{CidrTree, Replica},
    time::Span,
};
use crossbeam_channel::{Receiver, bounded};
use std::collections::BTreeMap;

/// A receiver of reports.
pub(crate) struct Mirror {
    pub(crate) handle: Handle,
    reports: Receiver<Report>,
    hosts: BTreeMap<(Direction, Host), Count>,
    pub(crate) state: State,
    /// Full reads so far, both directions together.
    pub(crate) fulls: usize,
}

impl Mirror {
    /// Starts the threads with an audit every 200 ms and a queue of `len` reports.
    pub(crate) fn start(counting: Counting, len: usize) -> Result<Self> {
        let (out, reports) = bounded(len);
        let options = Options { delay: Span::ZERO, audit_period: Span::from_ms(200) };
        let handle = counting::spawn(counting, options, out, Wake::new()?)?;
        Ok(Self { handle, reports, hosts: BTreeMap::new(), state: State::default(), fulls: 0 })
    }

    /// Applies what has arrived.
    pub(crate) fn catch_up(&mut self) {
        while let Ok(report) = self.reports.try_recv() {
            self.apply(report);
        }
    }

    /// Waits until `condition` holds for what is known.
    pub(crate) fn until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) -> Result<()> {
        while !condition(self) {
            match self.reports.recv_timeout(BOUND) {
                Ok(report) => self.apply(report),
                Err(_) => bail!("no {what} within {BOUND:?}; known: {:?} {:?}", self.hosts, self.state),
            }
        }
        Ok(())
    }

    /// Waits until the sum of a direction is this, then checks that the kernel says the same.
    pub(crate) fn until_sum(&mut self, direction: Direction, current: u64, total: u64) -> Result<()> {
        let what = format!("{direction} sum of {current} open and {total} in total");
        until_deadline(self, &what, |mirror| mirror.sum(direction) == Count { current, total })
    }

    /// Waits for two more audits, and checks that they found nothing wrong.
    pub(crate) fn audited(&mut self) -> Result<()> {
        let audits = self.state.drift.audits + 3;
        self.until("three audits", |mirror| mirror.state.drift.audits >= audits)?;
        let drift = self.state.drift;
        let found = drift.inbound + drift.outbound + drift.repaired + drift.untold;
        anyhow::ensure!(found == 0, "drift: {drift:?}");
        Ok(())
    }

    /// Returns the sum over all hosts.
    pub(crate) fn sum(&self, direction: Direction) -> Count {
        let mut sum = Count::default();
        for ((of, _), count) in &self.hosts {
            if *of == direction {
                sum.current += count.current;
                sum.total += count.total;
            }
        }
        sum
    }

    /// Returns how many hosts are known.
    pub(crate) fn len(&self, direction: Direction) -> usize {
        self.hosts.keys().filter(|(of, _)| *of == direction).count()
    }

    /// Returns what is known of one host.
    pub(crate) fn get(&self, direction: Direction, host: &str) -> Option<Count> {
        self.hosts.get(&(direction, Host::new(host.parse().ok()?))).copied()
    }

    /// Forgets what is known of one host, as if it had never been reported.
    pub(crate) fn forget(&mut self, direction: Direction, host: &str) -> Result<()> {
        self.hosts.remove(&(direction, Host::new(host.parse()?)));
        Ok(())
    }

    fn tree(&self, direction: Direction) -> CidrTree {
        let mut replica = Replica::default();
        for ((_, host), count) in self.hosts.iter().filter(|((of, _), _)| *of == direction) {
            replica.set_own(*host, Some(*count));
        }
        replica.own().clone()
    }

    fn apply(&mut self, report: Report) {
        match report {
            Report::Full { direction, entries } => {
                self.fulls += 1;
                self.hosts.retain(|(of, _), _| *of != direction);
                self.hosts.extend(entries.into_iter().map(|(host, count)| ((direction, host), count)));
            }
            Report::Changed { direction, entries } => {
                for (host, count) in entries {
                    match count {
                        Some(count) => self.hosts.insert((direction, host), count),
                        None => self.hosts.remove(&(direction, host)),
                    };
                }
            }
            Report::State(state) => self.state = state,
            Report::Told { reply } => drop(reply.send(Direction::ALL.map(|direction| self.tree(direction)))),
        }
    }
}

/// Like [`Mirror::until`], for what may take many reports: the bound is on the whole.
fn until_deadline(mirror: &mut Mirror, what: &str, mut met: impl FnMut(&Mirror) -> bool) -> Result<()> {
    until(what, || {
        mirror.catch_up();
        Ok(met(mirror))
    })
    .with_context(|| {
        let sums = Direction::ALL.map(|direction| mirror.sum(direction));
        format!("known: {sums:?} {:?}", mirror.state)
    })
}
