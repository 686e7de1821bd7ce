//! When this node's next heartbeat is due.
//!
//! Beats keep to a grid: one that was late does not delay those after it, so that a peer that counts silence in
//! intervals counts right. Beats that were missed altogether are not made up: a burst says nothing that one does not.
use crate::time::{Instant, Span};

/// The schedule, and the number of the latest beat.
#[derive(Clone, Debug)]
pub struct Pulse {
    interval: Span,
    due: Instant,
    sequence: u64,
}

impl Pulse {
    /// Returns a schedule whose first beat is due at once. `interval` is more than zero.
    pub fn new(interval: Span, now: Instant) -> Self {
        Self { interval, due: now, sequence: 0 }
    }

    /// Returns the time between two beats.
    pub fn interval(&self) -> Span {
        self.interval
    }

    /// Changes the time between two beats; the next one, which says so, is due at once.
    pub fn set_interval(&mut self, interval: Span, now: Instant) {
        if interval != self.interval {
            (self.interval, self.due) = (interval, now);
        }
    }

    /// The next beat is due at once; those after it are timed from it.
    pub fn hurry(&mut self, now: Instant) {
        self.due = self.due.min(now);
    }

    /// Returns when the next beat is due.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Returns the number of the beat that is due at `now`, from 1, if one is.
    pub fn beat(&mut self, now: Instant) -> Option<u64> {
        if now < self.due {
            return None;
        }
        let next = self.due + self.interval;
        self.due = if next > now { next } else { now + self.interval };
        self.sequence = self.sequence.saturating_add(1);
        Some(self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_ns(0) + Span::from_ms(ms)
    }

    fn pulse() -> Pulse {
        Pulse::new(Span::from_ms(10), at(0))
    }

    #[test]
    fn a_late_beat_does_not_delay_the_next() {
        let mut pulse = pulse();
        assert_eq!((pulse.beat(at(0)), pulse.due()), (Some(1), at(10)));
        assert_eq!(pulse.beat(at(9)), None);
        assert_eq!((pulse.beat(at(14)), pulse.due()), (Some(2), at(20)));
    }

    #[test]
    fn missed_beats_are_not_made_up() {
        let mut pulse = pulse();
        assert_eq!((pulse.beat(at(95)), pulse.due(), pulse.beat(at(95))), (Some(1), at(105), None));
    }

    #[test]
    fn another_interval_is_said_at_once() {
        let mut pulse = pulse();
        pulse.beat(at(0));
        pulse.set_interval(Span::from_ms(5), at(3));
        assert_eq!((pulse.beat(at(3)), pulse.due(), pulse.interval()), (Some(2), at(8), Span::from_ms(5)));
        pulse.set_interval(Span::from_ms(5), at(4));
        assert_eq!(pulse.due(), at(8));
    }
}
