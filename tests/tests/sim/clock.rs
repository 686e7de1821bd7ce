//! Clocks that drift: each node's second has its own length.
use crate::prng::Prng;
use convoy_core::time::Instant;

/// True time, nanoseconds since the run began. No node ever sees it.
pub(crate) type At = u64;

/// One millisecond and one second of true time.
pub(crate) const MS: At = 1_000_000;
pub(crate) const SECOND: At = 1_000 * MS;

/// One node's clock: monotonic, with an origin and a rate of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: u64,
    /// Nanoseconds that this clock counts in a true millisecond.
    rate: u64,
}

impl Clock {
    /// Returns a clock that counts true time.
    pub(crate) fn exact() -> Self {
        Self { origin: 0, rate: MS }
    }

    /// Returns a clock up to a tenth too slow or too fast.
    pub(crate) fn random(prng: &mut Prng) -> Self {
        Self { origin: prng.below(1 << 50), rate: prng.within(900_000..=1_100_000) }
    }

    /// Returns what the clock shows.
    pub(crate) fn shows(&self, at: At) -> Instant {
        let local = u128::from(at) * u128::from(self.rate) / u128::from(MS);
        Instant::from_ns(self.origin + u64::try_from(local).expect("runs are short"))
    }

    /// Returns the first moment at which the clock shows `local`.
    pub(crate) fn when(&self, local: Instant) -> At {
        let local = u128::from(local.as_ns().saturating_sub(self.origin));
        let at = (local * u128::from(MS)).div_ceil(u128::from(self.rate));
        u64::try_from(at).unwrap_or(At::MAX)
    }
}
