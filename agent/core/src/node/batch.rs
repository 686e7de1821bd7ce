//! Changes that wait for company, and how they become deltas.
use super::{Batching, Node};
use crate::{
    bounds,
    counters::Changes,
    time::Instant,
    wire::{EntryBuf, Object},
};
use alloc::vec::Vec;
use convoy_common::{
    addr::{Family, Host},
    count::Count,
};

/// Changed hosts of one object that no peer has been told of.
///
/// The first change after a pause goes at once; those that follow within the delay of it wait and go together. So
/// a quiet host is seen without delay, a busy one sends no more often than the delay says, and none waits longer.
#[derive(Debug, Default)]
pub(super) struct Batch {
    hosts: Vec<Host>,
    since: Instant,
    sent: Option<Instant>,
}

impl Batch {
    fn add(&mut self, now: Instant, host: Host) {
        if self.hosts.is_empty() {
            self.since = now;
        }
        self.hosts.push(host);
    }

    fn is_due(&self, now: Instant, batching: Batching) -> bool {
        self.hosts.len() >= batching.pending_max || self.deadline(batching).is_some_and(|at| at <= now)
    }

    /// Returns when the changes are to go: once the delay since the last ones has passed, which is never later than
    /// the delay after the oldest of them.
    pub(super) fn deadline(&self, batching: Batching) -> Option<Instant> {
        let earliest = self.sent.map_or(self.since, |sent| sent + batching.delay_max);
        (!self.hosts.is_empty()).then(|| earliest.max(self.since))
    }
}

impl Node {
    pub(super) fn on_counts(&mut self, now: Instant, object: Object, changes: Changes<'_>) {
        for (host, count) in changes {
            if self.replica_mut(object).set_own(*host, *count) {
                self.note_change(now, object, *host);
            }
        }
    }

    pub(super) fn on_all_counts(&mut self, now: Instant, object: Object, counts: &[(Host, Count)]) {
        for host in self.replica_mut(object).replace_own(counts) {
            self.note_change(now, object, host);
        }
        self.awaited.remove(&object);
    }

    /// Sends the batches that are full or have waited long enough.
    pub(super) fn flush_due(&mut self, now: Instant) {
        for object in Object::ALL {
            let Some(batching) = self.batching(object) else { continue };
            if self.batches.get(&object).is_some_and(|batch| batch.is_due(now, batching)) {
                self.flush(now, object);
            }
        }
    }

    fn note_change(&mut self, now: Instant, object: Object, host: Host) {
        let Some(batching) = self.batching(object) else { return };
        let Some(batch) = self.batches.get_mut(&object) else { return };
        batch.add(now, host);
        if batch.hosts.len() >= batching.pending_max {
            self.flush(now, object);
        }
    }

    /// Tells every connected peer what the changed hosts' counts are now. A peer that is not connected gets
    /// them with its full transfer.
    fn flush(&mut self, now: Instant, object: Object) {
        let Some(batch) = self.batches.get_mut(&object) else { return };
        batch.sent = Some(now);
        let mut hosts = core::mem::take(&mut batch.hosts);
        hosts.sort_unstable_by_key(|host| (host.family(), *host));
        hosts.dedup();
        for family in Family::ALL {
            let of_family = hosts.partition_point(|host| host.family() <= family);
            for chunk in hosts.drain(..of_family).as_slice().chunks(bounds::FRAME_ENTRIES_MAX) {
                let mut entries = EntryBuf::new(family);
                for host in chunk {
                    entries.push(*host, self.replica(object).own().get(*host));
                }
                self.send_delta(object, &entries);
            }
        }
        if let Some(batch) = self.batches.get_mut(&object) {
            batch.hosts = hosts; // keeps the allocation
        }
    }

    fn send_delta(&mut self, object: Object, entries: &EntryBuf) {
        if self.awaited.is_empty() {
            self.say_to_all(|sender| sender.delta(&Object::ALL, object, entries));
        } // else the full transfer, which has not begun, will have it
    }
}
