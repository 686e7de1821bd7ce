//! Whether a node that fell silent still answers for its addresses: asked on the wire, until nobody needs to know.
use super::Ghost;
use crate::{
    time::{Instant, Span},
    wire::arp::Mac,
};
use alloc::vec::Vec;
use core::net::IpAddr;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Inquest {
    /// Addresses that are asked for.
    pub(super) sample: Vec<IpAddr>,
    pub(super) state: State,
    /// When it was begun.
    pub(super) since: Instant,
    /// Since when the host has answered without its node being heard.
    pub(super) alive_since: Option<Instant>,
    /// Since when nobody has answered.
    silent_since: Option<Instant>,
    /// It was told that it answers.
    pub(super) told: bool,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The question with this number is on the wire.
    Asking(u64),
    /// Nobody answered.
    Silent(Instant),
    /// Somebody did, or nothing could be asked; it is asked again then.
    Alive(Instant),
}

impl Inquest {
    /// Returns one that asks for some of these.
    pub(super) fn new(now: Instant, ghost: Ghost, addresses: &[IpAddr]) -> Self {
        let sample = match ghost {
            Ghost::Of(_) => sample(addresses),
            Ghost::Anyone => addresses.iter().take(ANYONES).copied().collect(),
        };
        Self {
            sample,
            state: State::Alive(now),
            since: now,
            alive_since: None,
            silent_since: None,
            told: false,
        }
    }

    /// Tells whether nobody answered, a moment ago.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        matches!(self.state, State::Silent(at) if now.since(at) <= FRESH)
    }

    /// Tells whether there will be an answer.
    pub(super) fn goes_on(&self) -> bool {
        matches!(self.state, State::Asking(_) | State::Alive(_))
    }

    /// Returns when to ask again.
    pub(super) fn ask_at(&self) -> Option<Instant> {
        match self.state {
            State::Alive(at) => Some(at),
            State::Asking(_) | State::Silent(_) => None,
        }
    }

    /// The wire has answered, or not.
    pub(super) fn take(&mut self, now: Instant, asked: bool, answered: Option<(IpAddr, Mac)>) {
        self.state = match (asked, answered) {
            (true, None) => {
                let since = *self.silent_since.get_or_insert(now);
                let is_over = self.alive_since.is_none() || now.since(since) >= GUARD;
                if is_over { State::Silent(now) } else { State::Alive(now + AGAIN) }
            }
            (false, None) => State::Alive(now + AGAIN),
            (_, Some(_)) => {
                self.alive_since.get_or_insert(now);
                self.silent_since = None;
                State::Alive(now + AGAIN)
            }
        };
    }
}

/// Returns some of many, spread over all.
fn sample(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let step = addresses.len().div_ceil(SAMPLE).max(1);
    addresses.iter().step_by(step).copied().collect()
}

/// Addresses asked for at once. chosen: a host that answers for one of its addresses answers for all; eight, so that one
/// that an operator has just removed by hand is not the only witness.
const SAMPLE: usize = 8;
/// Addresses asked for at once when they may be on different hosts; the others are asked for afterwards.
const ANYONES: usize = 256;
/// Time between two questions for an address.
pub(super) const EVERY: Span = Span::from_ms(2);
/// Time without an answer after which nobody answers. chosen: four questions, done when a node whose heartbeats are 10 ms
/// apart goes from doubted to missing; a kernel answers in an interrupt, within a fraction of a millisecond on an idle host
/// and in a few on one whose processors are all busy.
pub(super) const LASTING: Span = Span::from_ms(8);
/// Pause before a host that answers is asked again. chosen: it falls silent when its lease ends; that is noticed soon.
const AGAIN: Span = Span::from_ms(10);
/// For how long a host must have been silent that did answer while its node was not heard. chosen: its lease has run out;
/// whatever it answered to before has left every queue by then, and half a second of outage is a tenth longer.
const GUARD: Span = Span::from_ms(50);
/// Age up to which silence is evidence.
const FRESH: Span = Span::from_ms(60);
