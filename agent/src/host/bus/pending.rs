//! Own messages from when the bus takes them to their delivery, and the ring that each was sent in.
//!
//! Corosync cuts messages into frames, and carries into a new ring what waited in the old one: whoever comes from
//! elsewhere has only the last frames of such a message, or knows its sender later than the others do. So
//!
//! 1. a message says at its end in which ring it was sent, and whoever gets it in another one passes it over. All members
//!    of a ring are told of it at the same place of the order, so all pass over the same messages, its sender too;
//! 2. what was sent in a ring and has not come back when the next one holds is sent again, in its order, before anything
//!    newer. Nobody who went along has delivered it, and those who did not are elsewhere.
//!
//! ```text
//!   payload, then: node u32, sequence u64 of the ring, kind u8 (1 message, 2 probe); integers little-endian
//! ```
//! Source: `exec/totempg.c` and `exec/cpg.c` of corosync 3.1.
use super::shared::Outgoing;
use crate::sys::cpg::Ring;
use std::collections::VecDeque;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// The ring that holds; none before this process is told of one.
    ring: Option<Ring>,
    /// To be sent before anything newer.
    again: VecDeque<Outgoing>,
    /// Sent in this ring, and not come back. They wait, as far as the user is concerned: corosync itself would take all
    /// that the host has memory for.
    sent: VecDeque<Outgoing>,
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// What stands before the end is the user's.
    User = 1,
    /// Only its sender looks at it.
    Probe = 2,
}

impl Pending {
    /// Takes the ring that holds from here on. Returns whether it is another one.
    pub(super) fn enter(&mut self, ring: Ring) -> bool {
        if self.ring == Some(ring) {
            return false;
        }
        self.ring = Some(ring);
        while let Some(message) = self.sent.pop_back() {
            self.again.push_front(message);
        }
        true
    }

    /// Returns what a message ends in that is sent now; none while no ring is known.
    pub(super) fn end(&self, purpose: Purpose) -> Option<[u8; END_LEN]> {
        self.ring.map(|ring| end(ring, purpose))
    }

    /// Cuts the end off a message and returns whether it is the user's, and sent in this ring.
    pub(super) fn read(&self, bytes: &mut Vec<u8>) -> bool {
        let Some(at) = bytes.len().checked_sub(END_LEN) else { return false };
        let found = bytes.split_off(at);
        self.end(Purpose::User).is_some_and(|end| found == end)
    }

    /// Returns the next message that must go before anything newer.
    pub(super) fn next(&mut self) -> Option<Outgoing> {
        self.again.pop_front()
    }

    /// A message could not be sent now.
    pub(super) fn put_back(&mut self, message: Outgoing) {
        self.again.push_front(message);
    }

    /// Corosync has taken a message.
    pub(super) fn sent(&mut self, message: Outgoing) {
        self.sent.push_back(message);
    }

    /// The next of what was sent has come back; returns its bytes.
    pub(super) fn came_back(&mut self) -> Option<usize> {
        self.sent.pop_front().map(|message| message.payload.len())
    }

    /// Forgets everything; returns the bytes of each.
    pub(super) fn forget(&mut self) -> impl Iterator<Item = usize> {
        self.sent.drain(..).chain(self.again.drain(..)).map(|message| message.payload.len())
    }
}

fn end(ring: Ring, purpose: Purpose) -> [u8; END_LEN] {
    let [n0, n1, n2, n3] = ring.node.to_le_bytes();
    let [s0, s1, s2, s3, s4, s5, s6, s7] = ring.sequence.to_le_bytes();
    [n0, n1, n2, n3, s0, s1, s2, s3, s4, s5, s6, s7, purpose as u8]
}

/// Bytes of the end of a message.
const END_LEN: usize = 13;

#[cfg(test)]
mod tests {
    use super::{super::shared::Spell, *};

    const OLD: Ring = Ring { node: 7, sequence: 40 };
    const NEW: Ring = Ring { node: 7, sequence: 44 };

    fn message(text: &str) -> Outgoing {
        Outgoing { spell: Spell::default(), payload: text.into() }
    }

    fn in_ring(ring: Ring) -> Pending {
        let mut pending = Pending::default();
        assert!(pending.enter(ring));
        pending
    }

    #[test]
    fn what_was_sent_in_another_ring_is_passed_over() {
        let (old, new) = (in_ring(OLD), in_ring(NEW));
        let sent = |by: &Pending, purpose| [b"text".as_slice(), &by.end(purpose).unwrap()].concat();
        let mut good = sent(&new, Purpose::User);
        assert!(new.read(&mut good));
        assert_eq!(good, b"text");
        assert!(!new.read(&mut sent(&old, Purpose::User)));
        assert!(!new.read(&mut sent(&new, Purpose::Probe)));
        assert!(!new.read(&mut b"others say this".to_vec()));
        assert!(!new.read(&mut Vec::new()));
        assert!(!Pending::default().read(&mut vec![0; END_LEN]), "no ring is known");
    }

    #[test]
    fn what_has_not_come_back_is_sent_again_in_its_order_before_anything_newer() {
        let mut pending = in_ring(OLD);
        for text in ["0", "1", "22"] {
            pending.sent(message(text));
        }
        pending.put_back(message("333"));
        assert_eq!(pending.came_back(), Some(1));
        assert!(!pending.enter(OLD), "the same ring");
        assert!(pending.enter(NEW));
        assert_eq!(pending.came_back(), None);
        let again: Vec<_> = std::iter::from_fn(|| pending.next()).map(|message| message.payload).collect();
        assert_eq!(again, [b"1".to_vec(), b"22".to_vec(), b"333".to_vec()]);
    }

    #[test]
    fn every_byte_that_waits_is_accounted_for() {
        let mut pending = in_ring(OLD);
        pending.sent(message("1"));
        pending.put_back(message("22"));
        assert_eq!(pending.forget().sum::<usize>(), 3);
        assert_eq!(pending.forget().count(), 0);
    }
}
