//! Compares the tables with the sockets that exist: seeds, unseeds, repairs, makes room.
//!
//! Invariants: 1. connections that nobody saw opening are counted from the second sighting on; 2. a table is
//! repaired only when two audits in a row found the same difference for a host that did not move; 3. a failure is
//! reported and tried again, it never stops counting.
use super::{
    Error, Report, State,
    load::Loaded,
    plan,
    plan::Seeds,
    reclaim::Reclaim,
    seeds::Watch,
    stock::Stock,
    tables::{Entries, Tables},
    threads::Shared,
    told::Told,
};
use convoy_common::{
    addr::Host,
    count::Direction,
    kernel::{Outcome, Stat},
};
use convoy_core::time::Span;
use crossbeam_channel::Sender;
use std::{
    collections::BTreeMap,
    os::fd::AsFd,
    sync::Arc,
    time::{Duration, Instant},
};

/// The thread that audits.
#[derive(Debug)]
pub(super) struct Auditor {
    tables: Arc<Tables>,
    watch: Watch,
    shared: Arc<Shared>,
    out: Sender<Report>,
    stock: Stock,
    /// Differences the last audit found, by direction.
    last: [BTreeMap<Host, i64>; 2],
    reclaim: [Reclaim; 2],
    told: Told,
    state: State,
    /// What the cluster thread knows.
    sent: Option<State>,
    failure: Option<Error>,
}

impl Auditor {
    pub(super) fn new(loaded: Loaded, shared: Arc<Shared>, out: Sender<Report>) -> Result<Self, Error> {
        let Loaded { tables, watch, settings, adopted, .. } = loaded;
        let stock = Stock::open(Arc::clone(&tables), settings.cgroup.clone())?;
        let epoch = tables.epoch();
        let mut state = State {
            bpffs: settings.bpffs.clone(),
            cgroup: settings.cgroup.clone(),
            adopted,
            ..State::default()
        };
        for (direction, table) in Direction::ALL.into_iter().zip(&mut state.tables) {
            table.max = u64::from(tables.hosts(direction).entries_max());
        }
        Ok(Self {
            tables,
            watch,
            shared,
            out,
            stock,
            last: [BTreeMap::new(), BTreeMap::new()],
            reclaim: Direction::ALL.map(|direction| Reclaim::new(direction, epoch)),
            told: Told::default(),
            state,
            sent: None,
            failure: None,
        })
    }

    /// Audits until the threads shall end.
    pub(super) fn run(mut self) {
        // At the start everything old is uncounted: that must not wait for the first audit.
        let mut missed = true;
        let mut audited = Instant::now();
        loop {
            let period = Duration::from_nanos(self.shared.audit_period().as_ns());
            let due = audited.elapsed() >= period || self.shared.take_audit();
            let done = if due {
                audited = Instant::now();
                self.audit().map(|()| true)
            } else if missed
                || self.shared.take_sweep()
                || self.tables.is_taking_stock()
                || self.watch.needs_sweeps() && self.state.seeded > 0
            {
                self.catch_up().map(|()| true)
            } else {
                Ok(false)
            };
            // What an audit or a sweep did not manage stays a trouble until one does.
            match done {
                Ok(true) => self.failure = None,
                Ok(false) => {}
                Err(error) => self.failure = Some(error),
            }
            self.send();
            let tick = if self.tables.is_taking_stock() { STOCK_TICK } else { TICK };
            let left = period.saturating_sub(audited.elapsed()).min(tick);
            let left = Span::from_ns(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX));
            let auditor = self.shared.auditor.as_fd();
            if self.shared.wait(&[auditor], left) {
                return;
            }
            self.shared.auditor.clear();
            missed = self.read_stats();
        }
    }

    /// Compares both tables with the sockets, and acts on what it finds.
    fn audit(&mut self) -> Result<(), Error> {
        self.told.ask(&self.shared, &self.out);
        let known = self.stock.known(self.shared.ports())?;
        let before = self.tables.read_sorted()?;
        let census = self.stock.list(&known)?;
        let after = self.tables.read_sorted()?;
        self.tell_again(&after);
        for (table, entries) in self.state.tables.iter_mut().zip(&after) {
            table.used = entries.len() as u64;
        }

        let now = Direction::ALL.map(|direction| {
            let at = index(direction);
            plan::differences(&before[at], &after[at], census.expected(direction))
        });
        let found = [plan::confirmed(&self.last[0], &now[0]), plan::confirmed(&self.last[1], &now[1])];
        self.last = now;
        let drift = &mut self.state.drift;
        (drift.inbound, drift.outbound) = (size(&found[0]), size(&found[1]));
        drift.audits += 1;
        for (direction, found) in Direction::ALL.into_iter().zip(found) {
            self.repair(direction, &found)?;
        }
        self.stock.prune(&census)?;
        self.unseed(&census.gone())?;
        self.make_room(&after)?;
        self.seed(&census.uncounted)
    }

    /// Counts what was missed, without judging anything.
    fn catch_up(&mut self) -> Result<(), Error> {
        if self.state.tables.iter().any(|table| table.refused > 0) {
            let tables = self.tables.read_sorted()?;
            self.make_room(&tables)?;
        }
        let (gone, uncounted) = self.missed()?;
        self.unseed(&gone)?;
        self.seed(&uncounted)
    }

    /// Has reported again what the cluster side was not told.
    fn tell_again(&mut self, tables: &[Entries; 2]) {
        let missed = self.told.compare(tables);
        if !missed.is_empty() {
            tracing::warn!(hosts = missed.len(), "changes that the cluster was not told are told again");
            self.state.drift.untold += missed.len() as u64;
            self.shared.look_again(missed);
        }
    }

    /// Adds to or takes from hosts what two audits found wrong.
    fn repair(&mut self, direction: Direction, found: &BTreeMap<Host, i64>) -> Result<(), Error> {
        for (host, by) in found {
            let step = i32::try_from(*by).unwrap_or(if *by > 0 { i32::MAX } else { -i32::MAX });
            if self.tables.adjust(direction, *host, step)? == Outcome::Applied {
                self.state.drift.repaired += by.unsigned_abs();
                tracing::warn!(%direction, %host, by, "a count was wrong and is corrected");
            }
            self.last[index(direction)].remove(host);
        }
        Ok(())
    }

    /// Seeds what is still uncounted at a second look; where nothing is, all stock is taken.
    fn seed(&mut self, first: &Seeds) -> Result<(), Error> {
        let taking = self.tables.is_taking_stock();
        if (taking || !first.is_empty()) && !self.shared.wait(&[], SECOND_LOOK) {
            let (shared, ports) = (Arc::clone(&self.shared), self.shared.ports());
            let (_, second) = self.missed()?;
            let missed = plan::to_seed(first, &second);
            // What was uncounted because of its port stays so: the sweep after the change judges by the new ones.
            let Some(held) = shared.hold_ports(&ports) else { return Ok(()) };
            if taking && second.is_empty() {
                self.stock.end();
            }
            if !missed.is_empty() {
                // Before the first seed, so that no close goes unseen.
                self.tables.expect_seeds(true);
                self.watch.start();
            }
            let mut seeded = 0_u64;
            for (cookie, (direction, host)) in missed {
                if self.tables.seed(cookie, direction, host)? == Outcome::Applied {
                    seeded += 1;
                }
            }
            drop(held);
            if seeded > 0 {
                tracing::info!(seeded, "connections that were open already are counted");
                // What closed between the second look and its seed went unseen; one more look finds it gone.
                let (gone, _) = self.missed()?;
                self.unseed(&gone)?;
            }
        }
        self.state.seeded = self.tables.seeded()?.len() as u64;
        if self.state.seeded > 0 {
            return Ok(());
        }
        self.tables.expect_seeds(false);
        self.watch.stop()
    }

    fn unseed(&mut self, gone: &[u64]) -> Result<(), Error> {
        for cookie in gone {
            self.tables.unseed(*cookie)?;
        }
        Ok(())
    }

    /// Removes idle hosts where a table is nearly full.
    fn make_room(&mut self, tables: &[Entries; 2]) -> Result<(), Error> {
        for ((reclaim, entries), direction) in self.reclaim.iter_mut().zip(tables).zip(Direction::ALL) {
            let gone = reclaim.sweep(&self.tables, entries)?;
            if !gone.is_empty() {
                tracing::info!(%direction, hosts = gone.len(), "idle hosts left a table that was nearly full");
                self.state.tables[index(direction)].reclaimed += gone.len() as u64;
                self.shared.look_again(gone.into_iter().map(|host| (direction, host)));
            }
        }
        Ok(())
    }

    /// Lists sockets once: the seeds that are gone, and what should be counted and is not.
    fn missed(&mut self) -> Result<(Vec<u64>, Seeds), Error> {
        let known = self.stock.known(self.shared.ports())?;
        let census = self.stock.list(&known)?;
        Ok((census.gone(), census.uncounted))
    }

    /// Reads the kernel's counters; tells whether connections went uncounted since the last time.
    fn read_stats(&mut self) -> bool {
        let read = |stat| self.tables.stat(stat);
        let missed = [read(Stat::RefusedInbound), read(Stat::RefusedOutbound)];
        let odd = [read(Stat::Unmarked), read(Stat::Deferred)];
        let state = &mut self.state;
        let known = (state.tables.map(|table| table.refused), [state.unmarked, state.deferred]);
        for (table, refused) in state.tables.iter_mut().zip(missed) {
            table.refused = refused;
        }
        [state.unmarked, state.deferred] = odd;
        state.notes_lost = self.tables.stat(Stat::NotesLost);
        state.notices_lost = self.tables.stat(Stat::RingDropped);
        (missed, odd) != known
    }

    /// Sends the state if it changed; what finds no room is sent, as it is then, the next time.
    fn send(&mut self) {
        self.state.troubles.clear();
        self.state.troubles.extend(self.failure.as_ref().map(explain));
        self.state.troubles.extend(self.shared.trouble());
        if self.sent.as_ref() != Some(&self.state)
            && self.shared.send(&self.out, Report::State(self.state.clone())).is_none()
        {
            self.sent = Some(self.state.clone());
        }
    }
}

/// Returns an error with its cause, as a person reads it.
fn explain(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Returns how many connections a set of differences is about.
fn size(found: &BTreeMap<Host, i64>) -> u64 {
    found.values().map(|by| by.unsigned_abs()).sum()
}

const fn index(direction: Direction) -> usize {
    match direction {
        Direction::Inbound => 0,
        Direction::Outbound => 1,
    }
}

/// How often the kernel's counters are looked at, and seeds swept where their close cannot be watched.
const TICK: Duration = Duration::from_secs(1);
/// How often stock is taken until nothing uncounted is left: meanwhile each connection costs a note.
const STOCK_TICK: Duration = Duration::from_millis(50);
/// Time between two looks at an uncounted connection: a callback follows its state change within microseconds.
const SECOND_LOOK: Span = Span::from_ms(5);
