//! The node's one lease: until when it may answer for what it holds.
use crate::sys::memory::Shared;
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;

/// The lease, in memory that the kernel programs read: no call here enters the kernel, waits, or fails.
///
/// It outlives the agent: when nobody renews it, it runs out, and the node falls silent for everything it holds.
#[derive(Clone, Debug)]
pub struct Lease {
    shared: Arc<Shared>,
}

impl Lease {
    pub(super) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// Lets the node answer until `boottime_ns`, an instant of [`boottime_ns`]. Also shortens it.
    pub fn renew(&self, boottime_ns: u64) {
        self.shared.store_u64(0, boottime_ns);
    }

    /// Ends it: from here on the node answers for no managed address, and announces none.
    pub fn revoke(&self) {
        self.renew(0);
    }

    /// Returns the instant at which it runs out; 0 when it was revoked or never given.
    pub fn until(&self) -> u64 {
        self.shared.load_u64(0).unwrap_or(0)
    }
}

/// Returns the time since the host started, asleep or awake, by the clock that the programs read. Nanoseconds.
pub fn boottime_ns() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    // Neither is negative, and together they fit for five centuries.
    let (seconds, rest) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec));
    seconds.unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(rest.unwrap_or(0))
}
