//! This node's counts on their way to one peer, over one connection.
//!
//! Invariants:
//! 1. a connection begins with a full transfer; deltas go between and after its ranges, never before: they
//!    would tell what the ranges tell again, and keep the connection from draining;
//! 2. at most [`bounds::SEND_QUEUE_MAX`] bytes wait: beyond it deltas are dropped and a new full transfer starts
//!    as soon as the connection drains, so a slow peer costs bounded memory and ends up right;
//! 3. a range is read from the tree when it is sent: what changed before is in it, what changes after is a delta.
use crate::{
    bounds,
    counters::Replica,
    wire::{EntryBuf, Message, Object, message},
};
use alloc::{collections::VecDeque, vec::Vec};
use convoy_common::{
    addr::{Family, Host},
    prefix::Prefix,
};

/// See the module.
#[derive(Debug)]
pub struct Sender {
    sequence: u64,
    waiting: usize,
    /// What is left of the full transfer, next part first. Empty when it is complete.
    transfer: VecDeque<Part>,
    opens: bool,
    lagged: u64,
    transfers: u64,
}

/// A piece of the full transfer: one family of one object, from an address on.
#[derive(Clone, Copy, Debug)]
struct Part {
    object: Object,
    family: Family,
    from: Host,
}

impl Sender {
    /// Returns a sender that begins with a full transfer of `objects`.
    pub fn new(objects: &[Object]) -> Self {
        let mut sender =
            Self { sequence: 0, waiting: 0, transfer: VecDeque::new(), opens: true, lagged: 0, transfers: 0 };
        sender.restart(objects);
        sender
    }

    /// Begins the full transfer anew.
    pub fn restart(&mut self, objects: &[Object]) {
        let parts = objects.iter().flat_map(|object| {
            Family::ALL.map(|family| Part { object: *object, family, from: Prefix::all(family).first() })
        });
        self.transfer = parts.collect();
        self.opens = true;
        self.transfers += 1;
    }

    /// Returns the frame of a message without counts.
    pub fn say(&mut self, message: &Message<'_>) -> Vec<u8> {
        self.sequence += 1;
        let bytes = message::emit(self.sequence, message);
        self.waiting += bytes.len();
        bytes
    }

    /// Returns the frame of a heartbeat, or `None` when enough waits to be the sign of life itself: a connection
    /// that takes nothing must not fill with heartbeats.
    pub fn beat(&mut self) -> Option<Vec<u8>> {
        (self.waiting < bounds::SEND_WINDOW).then(|| self.say(&Message::Heartbeat))
    }

    /// Returns the frame of a delta, or `None` when the peer gets the full state later: it has not begun, or
    /// too much waits and it begins anew.
    pub fn delta(&mut self, objects: &[Object], object: Object, entries: &EntryBuf) -> Option<Vec<u8>> {
        if self.opens {
            return None; // the transfer has yet to read it
        }
        if self.waiting >= bounds::SEND_QUEUE_MAX {
            self.lagged += 1;
            self.restart(objects);
            return None;
        }
        Some(self.say(&Message::Delta { object, entries: entries.as_entries() }))
    }

    /// Returns the next frame of the full transfer, if one is under way and the connection takes it.
    pub fn advance<'a>(&mut self, replica: impl Fn(Object) -> &'a Replica) -> Option<Vec<u8>> {
        if self.waiting >= bounds::SEND_WINDOW {
            return None;
        }
        let part = *self.transfer.front()?;
        let all = Prefix::all(part.family);
        let mut entries = EntryBuf::new(part.family);
        let mut hosts = replica(part.object).own().hosts_from(part.family, part.from).peekable();
        let mut last = all.last();
        while let Some((host, cell)) = hosts.next() {
            entries.push(host, Some(cell));
            if entries.len() == bounds::FRAME_ENTRIES_MAX && hosts.peek().is_some() {
                last = host;
                break;
            }
        }
        match successor(last).filter(|_| last != all.last()) {
            Some(next) => self.transfer[0].from = next,
            None => {
                self.transfer.pop_front();
            }
        }
        let (opens, completes) = (core::mem::take(&mut self.opens), self.transfer.is_empty());
        let entries = entries.as_entries();
        Some(self.say(&Message::Range {
            object: part.object,
            opens,
            completes,
            first: part.from,
            last,
            entries,
        }))
    }

    /// The connection took `bytes`.
    pub fn wrote(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.waiting);
        self.waiting = self.waiting.saturating_sub(bytes);
    }

    /// Tells whether the full transfer is complete, as far as this side knows.
    pub fn is_complete(&self) -> bool {
        self.transfer.is_empty()
    }

    /// Returns how often deltas were dropped because too much waited.
    pub fn lagged(&self) -> u64 {
        self.lagged
    }
}

/// Returns the next higher address, `None` above the highest.
fn successor(host: Host) -> Option<Host> {
    let next = u128::from_be_bytes(host.addr).checked_add(1)?;
    Some(Host { addr: next.to_be_bytes() })
}

#[cfg(test)]
mod tests;
