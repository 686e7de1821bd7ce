//! How the thread ends: everything it did is undone, and hooks do not keep it for ever.
use super::{Want, table::Lane, thread::Thread};
use crate::host::gate;
use convoy_core::bounds;
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

impl Thread {
    /// Wants every address absent from now on.
    pub(super) fn begin_to_stop(&mut self, now: Instant) {
        self.stopping = Some(now + Duration::from_nanos(bounds::HOOKS_WITHIN.as_ns()) * 2);
        for address in self.table.those(|_| true) {
            if let Some(entry) = self.table.get_mut(address) {
                (entry.want, entry.answer_due) = (Want::Absent, false);
                entry.failure = None;
            }
            self.settle(address);
        }
    }

    /// Tells whether nothing is left to be undone, or hooks have had their time.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        let Some(end) = self.stopping else { return false };
        let waits = [Lane::Close, Lane::Leaving].iter().any(|lane| self.table.waits(*lane));
        if end > now {
            return !waits && self.hooks.is_empty();
        }
        // What waits for hooks that nobody has time for goes without them.
        self.stopping = Some(now + self.plan.check);
        for address in self.table.those(|entry| entry.serving || entry.hooking) {
            if let Some(entry) = self.table.get_mut(address) {
                (entry.serving, entry.hooking) = (false, false);
            }
            self.settle(address);
        }
        self.hooks = JoinSet::new();
        false
    }

    /// Takes the gate away; nothing is on the host that it was for.
    pub(super) fn close(self, bpffs: &Path) {
        let left = self.table.those(|entry| !entry.found.is_empty());
        if !left.is_empty() {
            tracing::error!(?left, "addresses stay on the host; remove them with `ip addr del`");
        }
        drop(self);
        if let Err(error) = gate::remove(bpffs) {
            tracing::error!(%error, "the gate cannot be taken away");
        }
    }
}
