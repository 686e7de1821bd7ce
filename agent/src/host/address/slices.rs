//! Which changes go to the kernel next, and what follows from its answers.
use super::{
    Event,
    plumbing::{Answers, Change},
    table::Lane,
    thread::Thread,
};
use convoy_core::vip::Want;
use std::{
    io,
    net::IpAddr,
    time::{Duration, Instant},
};

impl Thread {
    /// Returns the next slice, if there is something to change: what is to be held comes first, then what is to go.
    pub(super) fn next_slice(&mut self) -> Option<Vec<Change>> {
        let room = self.plumber.room();
        let mut changes: Vec<Change> = Vec::new();
        for lane in [Lane::AddHeld, Lane::Delete, Lane::AddSilent] {
            for address in self.table.take(lane, room.saturating_sub(changes.len())) {
                let Some(entry) = self.table.touch(address) else { continue };
                let spots = if lane == Lane::Delete {
                    entry.strays(&self.links)
                } else {
                    Vec::from_iter(entry.spot(&self.links))
                };
                let add = lane != Lane::Delete;
                entry.busy = !spots.is_empty();
                if !add {
                    entry.own_deletes += u32::try_from(spots.len()).unwrap_or(u32::MAX);
                }
                changes.extend(spots.into_iter().map(|spot| Change { address, spot, add }));
            }
        }
        (!changes.is_empty()).then_some(changes)
    }

    /// Takes note of what the kernel said to a slice.
    pub(super) fn take_answers(&mut self, answers: Answers, took: Duration, now: Instant) {
        self.plumber.took(answers.len(), took);
        self.figures.slices += 1;
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.figures.slice_ns_max = self.figures.slice_ns_max.max(took);
        let mut settled = Vec::with_capacity(answers.len());
        for (change, result) in answers {
            let Change { address, spot, add } = change;
            let Some(entry) = self.table.touch(address) else { continue };
            entry.busy = false;
            if !add && !matches!(result, Ok(true)) {
                // Nothing will be told of it.
                entry.own_deletes = entry.own_deletes.saturating_sub(1);
            }
            match result {
                Ok(_) => {
                    entry.found.retain(|found| *found != spot);
                    if add {
                        entry.found.push(spot);
                    }
                    entry.failures = 0;
                    let restored = add && std::mem::take(&mut entry.vanished);
                    if add && entry.open && entry.want == Want::Held {
                        self.announcer.add(address, now);
                    }
                    if restored {
                        self.outbox.tell(Event::Restored { address });
                    }
                }
                Err(error) => {
                    let why = explain(&change, &entry.place.interface, &error);
                    self.fail(&[address], &why, now);
                }
            }
            settled.push(address);
        }
        for address in settled {
            self.settle(address);
        }
    }

    /// Takes note that a step failed; it is tried again later, and told if it is the first time or somebody waits.
    pub(super) fn fail(&mut self, addresses: &[IpAddr], why: &str, now: Instant) {
        self.fail_until(addresses, why, now + RETRY);
    }

    /// The same; it is tried again then.
    pub(super) fn fail_until(&mut self, addresses: &[IpAddr], why: &str, again: Instant) {
        for address in addresses {
            if let Some(entry) = self.table.get_mut(*address) {
                entry.failure = Some((why.to_owned(), again));
                entry.failures += 1;
                entry.answer_due |= entry.failures == 1 && entry.managed;
            }
            self.settle(*address);
        }
        self.retry_at = Some(self.retry_at.map_or(again, |at| at.min(again)));
    }

    /// Tries again what failed a while ago.
    pub(super) fn retry(&mut self, now: Instant) {
        let is_due = |failure: &Option<(String, Instant)>| failure.as_ref().is_some_and(|(_, at)| *at <= now);
        for address in self.table.those(|entry| is_due(&entry.failure)) {
            if let Some(entry) = self.table.get_mut(address) {
                entry.failure = None;
            }
            self.settle(address);
        }
        self.retry_at =
            self.table.iter().filter_map(|(_, entry)| entry.failure.as_ref().map(|(_, at)| *at)).min();
    }
}

/// Says what the kernel refused, and what to do.
fn explain(change: &Change, interface: &str, error: &io::Error) -> String {
    let (address, prefix_len) = (change.address, change.spot.prefix_len);
    let (verb, preposition) = if change.add { ("add", "to") } else { ("delete", "from") };
    let remedy = match error.raw_os_error() {
        Some(libc::EPERM) => "give convoyd CAP_NET_ADMIN".to_owned(),
        Some(libc::EACCES) => format!("IPv6 is off there: sysctl net.ipv6.conf.{interface}.disable_ipv6=0"),
        _ => format!("see `ip addr show dev {interface}`"),
    };
    format!("cannot {verb} {address}/{prefix_len} {preposition} {interface}: {error}; {remedy}")
}

/// chosen: as long as an operator needs to see it, far less than a pass.
const RETRY: Duration = Duration::from_secs(1);
