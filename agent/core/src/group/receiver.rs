//! The order of one peer's frames on one connection.
//!
//! Every frame has a sequence number. A repeated one is ignored; a gap makes all that follows untrustworthy
//! until the sender opens a new full transfer. A connection over TCP has neither; the rule makes the rest of
//! the core correct over any transport and any bug of ours.
use crate::time::{Instant, Span};

/// What to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// Take it.
    Take,
    /// Seen before, or untrustworthy: leave it.
    Ignore,
    /// Leave it, and ask for a full transfer.
    AskAgain,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    last: u64,
    broken: bool,
    asked: Option<Instant>,
    complete: bool,
    gaps: u64,
}

impl Receiver {
    /// Judges a frame by its number; `opens` when it opens a full transfer, `is_state` when it carries counts.
    pub fn judge(&mut self, now: Instant, sequence: u64, opens: bool, is_state: bool) -> Accept {
        if sequence <= self.last {
            return Accept::Ignore;
        }
        if sequence != self.last + 1 {
            self.gaps += 1;
            self.broken = true;
        }
        self.last = sequence;
        if opens {
            (self.broken, self.complete, self.asked) = (false, false, None);
        }
        if self.broken && self.asked.is_none_or(|asked| now.since(asked) >= ASK_AGAIN_AFTER) {
            self.asked = Some(now);
            return Accept::AskAgain;
        }
        if self.broken && is_state { Accept::Ignore } else { Accept::Take }
    }

    /// A full transfer came to its end.
    pub fn completed(&mut self) {
        self.complete = true;
    }

    /// Tells whether everything the peer counts has arrived, as far as the peer had sent it.
    pub fn is_complete(&self) -> bool {
        self.complete && !self.broken
    }

    /// Returns the number of gaps seen.
    pub fn gaps(&self) -> u64 {
        self.gaps
    }
}

/// Time after which an unanswered request for a full transfer is repeated.
/// chosen: longer than any transfer within the bounds takes to begin on a gigabit link.
const ASK_AGAIN_AFTER: Span = Span::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_ns(0) + Span::from_ms(ms)
    }

    fn state(receiver: &mut Receiver, ms: u64, sequence: u64) -> Accept {
        receiver.judge(at(ms), sequence, false, true)
    }

    #[test]
    fn frames_in_order_are_taken_and_repeated_ones_ignored() {
        let mut receiver = Receiver::default();
        assert_eq!(state(&mut receiver, 0, 1), Accept::Take);
        assert_eq!(state(&mut receiver, 0, 1), Accept::Ignore);
        assert_eq!(state(&mut receiver, 0, 2), Accept::Take);
    }

    #[test]
    fn after_a_gap_nothing_is_trusted_until_a_full_transfer_opens() {
        let mut receiver = Receiver::default();
        assert_eq!(state(&mut receiver, 0, 2), Accept::AskAgain);
        assert_eq!(state(&mut receiver, 1, 3), Accept::Ignore);
        assert_eq!(receiver.judge(at(2), 4, true, true), Accept::Take);
        assert_eq!(state(&mut receiver, 3, 5), Accept::Take);
        assert_eq!(receiver.gaps(), 1);
    }

    #[test]
    fn a_request_that_stays_unanswered_is_repeated_also_on_a_heartbeat() {
        let mut receiver = Receiver::default();
        state(&mut receiver, 0, 2);
        assert_eq!(receiver.judge(at(999), 3, false, false), Accept::Take);
        assert_eq!(receiver.judge(at(1_000), 4, false, false), Accept::AskAgain);
    }

    #[test]
    fn it_is_complete_only_between_a_whole_transfer_and_the_next_gap() {
        let mut receiver = Receiver::default();
        receiver.judge(at(0), 1, true, true);
        assert!(!receiver.is_complete());
        receiver.completed();
        assert!(receiver.is_complete());
        state(&mut receiver, 0, 7);
        assert!(!receiver.is_complete());
    }
}
