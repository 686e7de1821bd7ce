//! One host's entry: add, take away, announce.
//!
//! Invariants: 1. an entry marked as retired counts nothing, so that deleting it loses nothing; 2. the count is
//! changed before the drain epoch is read, and the agent drains, then raises the epoch, then reads: so a change is
//! either in what the agent reads or announced again after its drain; 3. one announcement per host and epoch.
use crate::maps::{CHANGES, CONTROL, Hosts, INBOUND_HOSTS, OUTBOUND_HOSTS, STATS};
use aya_ebpf::bindings::BPF_NOEXIST;
use convoy_common::{
    addr::Host,
    count::Direction,
    kernel::{Changed, HostCount, Outcome, Stat, is_retired},
};
use convoy_ebpf::atomic;

/// Returns the table of `direction`.
#[inline(always)]
pub fn hosts(direction: Direction) -> &'static Hosts {
    match direction {
        Direction::Inbound => &INBOUND_HOSTS,
        Direction::Outbound => &OUTBOUND_HOSTS,
    }
}

/// Counts `more` connections of `host` that are open now; makes the entry if there is none.
#[inline(always)]
pub fn opened(direction: Direction, host: &Host, more: u32) -> Outcome {
    let hosts = hosts(direction);
    let entry = match hosts.get_ptr_mut(host) {
        Some(entry) => entry,
        None => {
            let epoch = epoch();
            let fresh = HostCount { current: more, reported: epoch, total: more as u64 };
            if hosts.insert(host, &fresh, BPF_NOEXIST as u64).is_ok() {
                announce(direction, host);
                return Outcome::Applied;
            }
            // Another processor made it meanwhile, or the map takes no more.
            match hosts.get_ptr_mut(host) {
                Some(entry) => entry,
                None => return Outcome::Refused,
            }
        }
    };
    // SAFETY: `entry` points to a live map value.
    if is_retired(unsafe { atomic::add32(&raw mut (*entry).current, more) }) {
        // SAFETY: as above.
        unsafe { atomic::add32(&raw mut (*entry).current, more.wrapping_neg()) };
        bump(Stat::Deferred);
        return Outcome::Refused;
    }
    // SAFETY: as above.
    unsafe { atomic::add64(&raw mut (*entry).total, more as u64) };
    announce_once(direction, host, entry);
    Outcome::Applied
}

/// Takes `fewer` connections of `host` away.
#[inline(always)]
pub fn closed(direction: Direction, host: &Host, fewer: u32) -> Outcome {
    let Some(entry) = hosts(direction).get_ptr_mut(host) else { return Outcome::Unchanged };
    // SAFETY: `entry` points to a live map value.
    unsafe { atomic::add32(&raw mut (*entry).current, fewer.wrapping_neg()) };
    announce_once(direction, host, entry);
    Outcome::Applied
}

/// Adds one to a counter.
#[inline(always)]
pub fn bump(stat: Stat) {
    if let Some(value) = STATS.get_ptr_mut(stat as u32) {
        // SAFETY: `value` points to a live map value.
        unsafe { atomic::add64(value, 1) };
    }
}

/// Announces the host unless that was done in this epoch.
#[inline(always)]
fn announce_once(direction: Direction, host: &Host, entry: *mut HostCount) {
    let epoch = epoch();
    // SAFETY: `entry` points to a live map value.
    let seen = unsafe { atomic::load32(&raw const (*entry).reported) };
    if seen == epoch {
        return;
    }
    // SAFETY: as above.
    if unsafe { atomic::swap32(&raw mut (*entry).reported, seen, epoch) } {
        announce(direction, host);
    }
}

/// Puts the host's key into the ring.
#[inline(always)]
fn announce(direction: Direction, host: &Host) {
    match CHANGES.reserve(0) {
        Some(mut record) => {
            record.write(Changed { host: *host, direction: direction as u8, pad: [0; 7] });
            record.submit(0);
        }
        None => bump(Stat::RingDropped),
    }
}

/// Returns the drain epoch.
#[inline(always)]
fn epoch() -> u32 {
    match CONTROL.get_ptr(0) {
        // SAFETY: the pointer is to a live map value that the agent changes with single stores.
        Some(control) => unsafe { atomic::load32(&raw const (*control).epoch) },
        None => 0,
    }
}
