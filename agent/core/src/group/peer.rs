//! Whether one peer is alive, from when it was last heard.
//!
//! ```text
//!            heard              silent for SUSPECT_INTERVALS,
//!   gone ------------> alive    or its connection closed
//!    ^                 |  ^ \
//!    |  goodbye        |  |  `------------.
//!    |<----------------'  | heard          v
//!    |                    `------------ suspect
//!    |   silent for GONE_INTERVALS         |
//!    `-------------------------------------'
//! ```
//! Alive: its view counts. Suspect: its view still counts, silence is shown. Gone: its view has been taken away;
//! a new hello brings it back. Suspicion moves nothing by itself.
//!
//! Heartbeat datagrams that stop are another reason to suspect, and faster; see `detector`. A peer is alive when neither
//! gives one. They neither end a peer nor keep it: gone is who is silent on the mesh.
use crate::time::{Instant, Span};
use core::fmt;

/// What this node believes of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Heard lately.
    Alive,
    /// Silent, or cut off without a goodbye; its counts still stand.
    Suspect,
    /// Left, silent for long, or never heard; it has no counts.
    Gone,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Gone => "gone",
        })
    }
}

/// Silences after which a peer is suspected and given up, in its heartbeat interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liveness {
    suspect_after: Span,
    gone_after: Span,
}

impl Liveness {
    /// Derives both silences from the interval between heartbeats.
    pub fn new(interval: Span) -> Self {
        let gone_after = interval.times(GONE_INTERVALS).max(GONE_AFTER_MIN);
        Self { suspect_after: interval.times(SUSPECT_INTERVALS), gone_after }
    }

    /// Returns the silence after which a peer is given up.
    pub fn gone_after(self) -> Span {
        self.gone_after
    }
}

/// One peer's state. Starts gone: nothing was heard yet.
#[derive(Clone, Debug)]
pub struct Peer {
    liveness: Liveness,
    state: State,
    since: Instant,
    heard: Instant,
    /// Silence counts from here: when it was heard, later by what this node could not have heard.
    listening: Instant,
    /// Silence before this does not count.
    listen_from: Instant,
    /// In the agreed view; then only a silence this long ends it.
    seated: Option<Span>,
    /// It is silent on the mesh, or its connection closed.
    silent: bool,
    /// Its heartbeat datagrams have stopped.
    doubted: bool,
}

impl Peer {
    /// Returns a peer that was never heard. Its silence does not count before `listen_from`.
    pub fn new(liveness: Liveness, now: Instant, listen_from: Instant) -> Self {
        Self {
            liveness,
            state: State::Gone,
            since: now,
            heard: now,
            listening: now,
            listen_from,
            seated: None,
            silent: false,
            doubted: false,
        }
    }

    /// Returns the state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Returns when the state was entered.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Returns when something of this peer last arrived.
    pub fn heard_at(&self) -> Instant {
        self.heard
    }

    /// Returns whether it is silent on the mesh, or its connection closed.
    pub fn is_silent(&self) -> bool {
        self.silent
    }

    /// The peer said how often it is heard. Takes effect from what was last heard on.
    pub fn expect(&mut self, liveness: Liveness) {
        self.liveness = liveness;
    }

    /// Its silence does not count before `at`.
    pub fn listen_from(&mut self, at: Instant) {
        self.listen_from = at;
    }

    /// It is in the agreed view, where a silence of `Some` ends its counts, or it is not. Who leaves the view has the
    /// time that any silent peer has: a daemon that is started again is back within it, and its counts never leave.
    pub fn seat(&mut self, now: Instant, silence: Option<Span>) {
        if self.seated.is_some() && silence.is_none() && self.state == State::Suspect {
            let grace = now.since(self.quiet_since()).min(self.liveness.suspect_after);
            self.listening = Instant::from_ns(now.as_ns().saturating_sub(grace.as_ns()));
        }
        self.seated = silence;
    }

    /// Something of this peer arrived on a connection that said who it is. Returns the new state if it changed.
    pub fn heard(&mut self, now: Instant) -> Option<State> {
        (self.heard, self.listening, self.silent) = (now, now, false);
        self.enter(self.present(), now)
    }

    /// Its heartbeat datagrams have stopped, or come again. Returns the new state if it changed.
    pub fn doubt(&mut self, now: Instant, doubted: bool) -> Option<State> {
        self.doubted = doubted;
        match self.state {
            State::Alive | State::Suspect => self.enter(self.present(), now),
            State::Gone => None,
        }
    }

    /// This node did not run for `late`: silence that it could not have heard is no evidence.
    pub fn excuse(&mut self, now: Instant, late: Span) {
        self.listening = (self.listening + late).min(now);
    }

    /// Its connection closed without a goodbye. Returns the new state if it changed.
    pub fn cut_off(&mut self, now: Instant) -> Option<State> {
        self.silent = true;
        match self.state {
            State::Alive | State::Suspect => self.enter(State::Suspect, now),
            State::Gone => None,
        }
    }

    /// It said goodbye, or another life of it appeared. Returns the new state if it changed.
    pub fn left(&mut self, now: Instant) -> Option<State> {
        self.enter(State::Gone, now)
    }

    /// Time has passed. Returns the new state if it changed.
    pub fn tick(&mut self, now: Instant) -> Option<State> {
        let silent = now.since(self.quiet_since());
        match self.state {
            State::Alive | State::Suspect if silent >= self.gone_after() => self.enter(State::Gone, now),
            State::Alive | State::Suspect if silent >= self.liveness.suspect_after => {
                self.silent = true;
                self.enter(State::Suspect, now)
            }
            State::Alive | State::Suspect | State::Gone => None,
        }
    }

    /// Returns when `tick` may next have something to say.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Alive | State::Suspect if !self.silent => {
                Some(self.quiet_since() + self.liveness.suspect_after)
            }
            State::Alive | State::Suspect => Some(self.quiet_since() + self.gone_after()),
            State::Gone => None,
        }
    }

    fn gone_after(&self) -> Span {
        self.seated.unwrap_or(Span::ZERO).max(self.liveness.gone_after)
    }

    /// What a peer is that is not gone.
    fn present(&self) -> State {
        if self.silent || self.doubted { State::Suspect } else { State::Alive }
    }

    fn quiet_since(&self) -> Instant {
        self.listening.max(self.listen_from)
    }

    fn enter(&mut self, state: State, now: Instant) -> Option<State> {
        if self.state == state {
            return None;
        }
        (self.state, self.since) = (state, now);
        Some(state)
    }
}

/// Heartbeats missed before a peer is suspected. chosen: one may be late, two are rare, three are a sign.
const SUSPECT_INTERVALS: u64 = 3;
/// Heartbeats missed before a peer is given up.
/// chosen: 2 s at the default rate; a restarted daemon is back well within it and its counts never leave.
const GONE_INTERVALS: u64 = 20;
/// Shortest silence after which a peer is given up, whatever its rate: a busy host may stall for that long.
const GONE_AFTER_MIN: Span = Span::from_ms(500);

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Span = Span::from_ms(100);

    fn at(ms: u64) -> Instant {
        Instant::from_ns(0) + Span::from_ms(ms)
    }

    fn heard_at(ms: u64) -> Peer {
        let mut peer = Peer::new(Liveness::new(INTERVAL), at(0), at(0));
        peer.heard(at(ms));
        peer
    }

    #[test]
    fn a_peer_that_was_never_heard_is_gone_and_waits_for_nothing() {
        let mut peer = Peer::new(Liveness::new(INTERVAL), at(0), at(0));
        assert_eq!((peer.state(), peer.deadline(), peer.tick(at(9_999))), (State::Gone, None, None));
    }

    #[test]
    fn silence_leads_to_suspicion_and_then_to_the_end() {
        let mut peer = heard_at(0);
        assert_eq!(peer.tick(at(299)), None);
        assert_eq!(peer.deadline(), Some(at(300)));
        assert_eq!(peer.tick(at(300)), Some(State::Suspect));
        assert_eq!(peer.tick(at(1_999)), None);
        assert_eq!(peer.tick(at(2_000)), Some(State::Gone));
    }

    #[test]
    fn a_sign_of_life_ends_suspicion() {
        let mut peer = heard_at(0);
        peer.tick(at(400));
        assert_eq!(peer.heard(at(401)), Some(State::Alive));
        assert_eq!(peer.since(), at(401));
    }

    #[test]
    fn a_closed_connection_is_suspicious_at_once_and_a_goodbye_is_final() {
        let mut peer = heard_at(0);
        assert_eq!(peer.cut_off(at(1)), Some(State::Suspect));
        assert_eq!(peer.left(at(2)), Some(State::Gone));
        assert_eq!(peer.cut_off(at(3)), None);
    }

    #[test]
    fn heartbeats_that_stop_are_suspicious_and_the_mesh_does_not_clear_it() {
        let mut peer = heard_at(0);
        assert_eq!(peer.doubt(at(50), true), Some(State::Suspect));
        assert_eq!((peer.heard(at(100)), peer.doubt(at(110), true)), (None, None));
        assert_eq!((peer.tick(at(400)), peer.doubt(at(410), false)), (None, None), "now it is silent, too");
        assert_eq!(peer.heard(at(420)), Some(State::Alive));
        assert_eq!(peer.doubt(at(430), true), Some(State::Suspect));
        assert_eq!(peer.doubt(at(440), false), Some(State::Alive));
    }

    #[test]
    fn heartbeats_neither_end_a_peer_nor_keep_nor_bring_it() {
        let mut peer = heard_at(0);
        peer.doubt(at(50), true);
        assert_eq!((peer.deadline(), peer.tick(at(300))), (Some(at(300)), None));
        peer.doubt(at(1_999), false);
        assert_eq!(peer.tick(at(2_000)), Some(State::Gone));
        assert_eq!((peer.doubt(at(2_001), true), peer.doubt(at(2_002), false)), (None, None));
        assert_eq!(peer.heard(at(2_003)), Some(State::Alive));
    }

    #[test]
    fn a_stall_of_one_tick_too_many_ends_in_gone_at_once() {
        assert_eq!(heard_at(0).tick(at(60_000)), Some(State::Gone));
    }

    #[test]
    fn silence_that_nobody_listened_to_does_not_count() {
        let mut peer = heard_at(0);
        peer.tick(at(400));
        peer.excuse(at(60_000), Span::from_ms(59_500));
        assert_eq!((peer.tick(at(60_000)), peer.deadline()), (None, Some(at(61_500))));
        assert_eq!((peer.heard_at(), peer.tick(at(61_500))), (at(0), Some(State::Gone)));
    }

    #[test]
    fn a_member_of_the_view_is_suspect_for_long_and_gone_soon_after_it_leaves() {
        let mut peer = heard_at(0);
        peer.seat(at(10), Some(Span::from_ms(30_000)));
        assert_eq!(peer.tick(at(300)), Some(State::Suspect));
        assert_eq!((peer.tick(at(29_999)), peer.deadline()), (None, Some(at(30_000))));
        peer.seat(at(20_000), None);
        assert_eq!((peer.tick(at(20_000)), peer.deadline()), (None, Some(at(21_700))));
        assert_eq!(peer.tick(at(21_700)), Some(State::Gone));
    }

    #[test]
    fn a_member_of_the_view_that_is_silent_for_too_long_is_gone() {
        let mut peer = heard_at(0);
        peer.seat(at(10), Some(Span::from_ms(30_000)));
        peer.tick(at(300));
        assert_eq!(peer.tick(at(30_000)), Some(State::Gone));
    }

    #[test]
    fn silence_soon_after_the_start_does_not_count() {
        let mut peer = Peer::new(Liveness::new(INTERVAL), at(0), at(15_000));
        peer.heard(at(100));
        assert_eq!((peer.tick(at(15_299)), peer.deadline()), (None, Some(at(15_300))));
        assert_eq!(peer.tick(at(15_300)), Some(State::Suspect));
        peer.listen_from(at(0));
        assert_eq!(peer.tick(at(15_301)), Some(State::Gone));
    }

    #[test]
    fn fast_heartbeats_do_not_shorten_the_end_below_its_floor() {
        let mut peer = Peer::new(Liveness::new(Span::from_ms(5)), at(0), at(0));
        peer.heard(at(0));
        assert_eq!(peer.tick(at(15)), Some(State::Suspect));
        assert_eq!(peer.tick(at(499)), None);
        assert_eq!(peer.tick(at(500)), Some(State::Gone));
    }
}
