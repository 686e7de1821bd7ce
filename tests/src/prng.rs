//! The only source of chance in a run. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number
//! generators" (`SplitMix64`).
use std::ops::RangeInclusive;

/// A stream of numbers that its seed decides.
#[derive(Clone, Debug)]
pub struct Prng(u64);

impl Prng {
    /// Returns the stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next 64 bits.
    #[expect(clippy::should_implement_trait, reason = "it never ends, and is no iterator of anything")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Returns a number below `n`; 0 when `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(n);
        // The upper half of 128 bits always fits.
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// Returns a number of `range`, each as likely.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// Returns a number of `range`, each order of magnitude about as likely.
    pub fn scale(&mut self, range: RangeInclusive<u64>) -> u64 {
        let low = (*range.start()).max(1);
        let doublings = self.within(0..=u64::from((range.end() / low).max(1).ilog2()) + 1);
        let top = low.saturating_mul(1 << doublings).min(*range.end());
        self.within(*range.start()..=top)
    }

    /// Returns a place in a list of `len`, which is not empty.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// Tells yes this many times out of a thousand.
    pub fn per_mille(&mut self, p: u64) -> bool {
        self.below(1_000) < p
    }
}

/// Scatters a number over all 64 bits.
pub fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}
