//! The lease on managed addresses, kept with every turn of the heartbeat thread: memory that the kernel reads, no call.
use super::Link;
use crate::host::gate::{self, boottime_ns};
use convoy_core::{
    group::Detector,
    time::Instant,
    vip::lease::{Act, Keeper, News, Rules},
};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    keeper: Option<Keeper>,
    lease: Option<gate::Lease>,
}

impl Keeping {
    /// Keeps this one from now on; it is not valid before that is allowed.
    pub(super) fn set_lease(&mut self, lease: gate::Lease) {
        lease.revoke();
        self.lease = Some(lease);
    }

    /// Goes by these rules; none where nothing is managed.
    pub(super) fn set_rules(&mut self, rules: Option<Rules>) {
        match (&mut self.keeper, rules) {
            (Some(keeper), Some(rules)) => keeper.set_rules(rules),
            (keeper, Some(rules)) => *keeper = Some(Keeper::new(rules)),
            (_, None) => {
                self.end();
                self.keeper = None;
            }
        }
    }

    /// Renews it, or ends it. Returns what the cluster thread must know.
    pub(super) fn tick(&mut self, now: Instant, detector: &Detector, link: &Link) -> Option<News> {
        let keeper = self.keeper.as_mut()?;
        let lease = self.lease.as_ref()?;
        // Read before the decision: if this thread is stopped right after it, what it writes has run out by then.
        let clock = boottime_ns();
        match keeper.tick(now, detector.heard_now(now), link.allowed(), link.alive_at()) {
            Act::Nothing => {}
            Act::Renew(until) => lease.renew(clock + until.since(now).as_ns()),
            Act::Revoke => lease.revoke(),
        }
        keeper.poll()
    }

    /// What [`tick`](Self::tick) returned found no room; it is returned again.
    pub(super) fn keep_news(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            keeper.keep_news();
        }
    }

    /// Tells whether there is something that found no room.
    pub(super) fn has_news(&self) -> bool {
        self.lease.is_some() && self.keeper.as_ref().is_some_and(Keeper::has_news)
    }

    /// Returns when it must be renewed.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.lease.as_ref()?;
        self.keeper.as_ref()?.next_deadline()
    }

    /// Nothing is held any more.
    pub(super) fn end(&self) {
        if let Some(lease) = &self.lease {
            lease.revoke();
        }
    }
}
