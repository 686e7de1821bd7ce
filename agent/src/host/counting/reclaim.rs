//! Makes room in a table that fills: removes hosts that have been idle longest.
//!
//! Deleting an entry that a program on another processor is about to change would lose that change, even into
//! another host's entry, because the kernel reuses the memory at once. So an entry is first *retired*: an atomic
//! mark, set only while nothing is open, under which programs count nothing in it; then every program that may have
//! looked it up before is waited for; then it is deleted. A connection that meets the mark is seeded afterwards.
//!
//! The total of a removed host goes with it: totals count since the host entered the table.
//! Source: Linux `kernel/bpf/hashtab.c`.
use super::{Error, plan, tables::Tables};
use crate::sys::bpf;
use convoy_common::{
    addr::Host,
    count::Direction,
    kernel::{HostCount, Outcome, is_retired},
};

/// Remembers the last sweep of one table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reclaim {
    direction: Direction,
    last_epoch: u32,
}

impl Reclaim {
    /// Begins with what changed before `epoch` as old enough.
    pub(super) const fn new(direction: Direction, epoch: u32) -> Self {
        Self { direction, last_epoch: epoch }
    }

    /// Removes idle hosts if the table, whose content is `entries`, is nearly full; returns who went.
    pub(super) fn sweep(
        &mut self,
        tables: &Tables,
        entries: &[(Host, HostCount)],
    ) -> Result<Vec<Host>, Error> {
        let max = usize::try_from(tables.hosts(self.direction).entries_max()).unwrap_or(usize::MAX);
        let want = plan::to_free(entries.len(), max);
        // An agent that was killed between the mark and the removal left entries that take no counts.
        let mut retired: Vec<Host> =
            entries.iter().filter(|(_, entry)| is_retired(entry.current)).map(|(host, _)| *host).collect();
        let idle = if want == 0 {
            Vec::new()
        } else {
            plan::to_retire(entries, tables.epoch(), self.last_epoch, want)
        };
        // Without a drain in between two sweeps would be at one epoch, and nothing would ever be old.
        tables.next_epoch();
        self.last_epoch = tables.epoch();
        let mut gone = Vec::new();
        for slice in idle.chunks(SLICE_LEN) {
            for (host, total) in slice {
                if tables.retire(self.direction, *host, *total)? == Outcome::Applied {
                    retired.push(*host);
                }
            }
            self.delete(tables, &mut retired, &mut gone)?;
        }
        self.delete(tables, &mut retired, &mut gone)?;
        Ok(gone)
    }

    /// Deletes entries that are marked, once nobody can be about to change them.
    fn delete(self, tables: &Tables, retired: &mut Vec<Host>, gone: &mut Vec<Host>) -> Result<(), Error> {
        if retired.is_empty() {
            return Ok(());
        }
        bpf::wait_for_programs();
        for host in retired.drain(..) {
            if tables.remove(self.direction, host)? {
                gone.push(host);
            }
        }
        Ok(())
    }
}

/// Entries marked at once; for so long a returning host is not counted. chosen: about 10 ms of work.
const SLICE_LEN: usize = 4096;
