//! Which slot belongs to which managed address.
//!
//! Invariants: 1. a slot belongs to one address at most; 2. a slot that was given back is not given out again before
//! every program that may still read it for its former address has ended (`rest`, then `wake`).
use convoy_common::addr::Host;
use std::collections::BTreeMap;

/// The slots of a table of one size.
#[derive(Debug)]
pub(super) struct Slots {
    of: BTreeMap<Host, u32>,
    /// Free for use.
    free: Vec<u32>,
    /// Given back; a program may still be reading them.
    resting: Vec<u32>,
}

impl Slots {
    /// Takes over what a table of `max` addresses holds; refuses, with the address, a slot that cannot be.
    pub(super) fn new(max: u32, taken: impl IntoIterator<Item = (Host, u32)>) -> Result<Self, Host> {
        let mut is_free = vec![true; index(max)];
        let mut of = BTreeMap::new();
        for (host, slot) in taken {
            match is_free.get_mut(index(slot)) {
                Some(free) if *free => *free = false,
                Some(_) | None => return Err(host),
            }
            of.insert(host, slot);
        }
        // The lowest is given out first: what the kernel reads lies close together.
        let free =
            (0..max).rev().filter(|slot| is_free.get(index(*slot)).is_some_and(|free| *free)).collect();
        Ok(Self { of, free, resting: Vec::new() })
    }

    /// Returns the slot of a managed address.
    pub(super) fn get(&self, host: &Host) -> Option<u32> {
        self.of.get(host).copied()
    }

    /// Returns the managed addresses, in order.
    pub(super) fn hosts(&self) -> impl Iterator<Item = Host> {
        self.of.keys().copied()
    }

    /// Returns how many addresses are managed.
    pub(super) fn len(&self) -> usize {
        self.of.len()
    }

    /// Returns how many slots can be given out: at once, and after [`wake`](Self::wake).
    pub(super) fn room(&self) -> (usize, usize) {
        (self.free.len(), self.free.len() + self.resting.len())
    }

    /// Gives out a slot; `None` when none is free. The address must not have one.
    pub(super) fn take(&mut self, host: Host) -> Option<u32> {
        let slot = self.free.pop()?;
        self.of.insert(host, slot);
        Some(slot)
    }

    /// Gives back the slot of an address that is no longer in the kernel's table; it rests.
    pub(super) fn rest(&mut self, host: &Host) {
        self.resting.extend(self.of.remove(host));
    }

    /// Ends the rest of all slots.
    pub(super) fn wake(&mut self) {
        self.free.append(&mut self.resting);
    }
}

/// Widens a slot's number; `usize` has at least 32 bits wherever eBPF runs.
pub(super) const fn index(slot: u32) -> usize {
    slot as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn host(last: u8) -> Host {
        Host::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)))
    }

    #[test]
    fn a_slot_rests_before_it_is_given_out_again() {
        let mut slots = Slots::new(2, []).unwrap();
        assert_eq!((slots.take(host(1)), slots.take(host(2)), slots.take(host(3))), (Some(0), Some(1), None));
        slots.rest(&host(1));
        assert_eq!((slots.get(&host(1)), slots.room(), slots.take(host(3))), (None, (0, 1), None));
        slots.wake();
        assert_eq!((slots.take(host(3)), slots.len()), (Some(0), 2));
        assert_eq!(slots.hosts().collect::<Vec<_>>(), [host(2), host(3)]);
    }

    #[test]
    fn slots_in_use_are_taken_over_and_impossible_ones_refused() {
        let mut slots = Slots::new(3, [(host(7), 1)]).unwrap();
        assert_eq!(
            (slots.get(&host(7)), slots.take(host(8)), slots.take(host(9))),
            (Some(1), Some(0), Some(2))
        );
        assert_eq!(Slots::new(3, [(host(7), 3)]).err(), Some(host(7)));
        assert_eq!(Slots::new(3, [(host(7), 1), (host(8), 1)]).err(), Some(host(8)));
    }
}
