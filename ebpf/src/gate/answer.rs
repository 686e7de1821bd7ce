//! Whether this node may answer for an address now, and whether it is on this host.
use crate::maps::{ADDRESSES, LEASE, STANDINGS, STATS};
use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use convoy_common::{
    addr::Host,
    gate::{Standing, Stat},
};
use convoy_ebpf::atomic;

/// Tells whether it may; an address that is not managed is everybody's. Counts a "no" under `stat`.
#[inline(always)]
pub fn is_ours_to_give(address: &Host, stat: Stat) -> bool {
    let Some(standing) = standing(address) else { return true };
    if standing == Standing::Held.number() {
        // SAFETY: the helper has no obligations.
        if unsafe { bpf_ktime_get_boot_ns() } < number(LEASE.get_ptr(0)) {
            return true;
        }
        bump(Stat::Lapsed);
    }
    bump(stat);
    false
}

/// Tells whether a managed address is on this host; counts a "yes".
#[inline(always)]
pub fn is_here(address: &Host) -> bool {
    let is_here = standing(address).is_some_and(|standing| {
        standing == Standing::Held.number() || standing == Standing::Standby.number()
    });
    if is_here {
        bump(Stat::Aside);
    }
    is_here
}

/// Returns the standing of an address as a number, if it is managed.
#[inline(always)]
fn standing(address: &Host) -> Option<u64> {
    // SAFETY: points to a live map value, and the slot of an address does not change.
    let slot = unsafe { atomic::load32(ADDRESSES.get_ptr(address)?) };
    Some(number(STANDINGS.get_ptr(slot)))
}

/// Reads a number that the agent changes; there is none, and it is zero, only if the agent made the maps wrongly.
#[inline(always)]
fn number(at: Option<*const u64>) -> u64 {
    match at {
        // SAFETY: points to a live map value that the agent changes with single stores.
        Some(at) => unsafe { atomic::load64(at) },
        None => 0,
    }
}

/// Adds one to a counter.
#[inline(always)]
fn bump(stat: Stat) {
    if let Some(value) = STATS.get_ptr_mut(stat.index()) {
        // SAFETY: points to a live map value.
        unsafe { atomic::add64(value, 1) };
    }
}
