//! Which peers have fallen silent, from their heartbeat datagrams.
//!
//! A peer is suspected when nothing newer was heard of it for three and a half of the intervals that it announces, and
//! at least [`PATIENCE_MIN`]: three datagrams in a row were lost or never sent, and the last had half an interval to
//! be late. At 100 a second that is 35 ms of silence, so a peer that dies is suspected 25 to 35 ms later. The rule is
//! fixed, not fitted to the jitter that was seen: a thread that runs before all others is late by less than an interval
//! on a busy host (benches/README.md has the figures), and an operator can tell beforehand what a fixed rule does.
//!
//! Invariants: 1. only a datagram newer than all before it is a sign of life: repetitions and stragglers are counted,
//! and delay nothing; 2. silence that this node could not have heard, because it did not run, is no evidence; 3. a peer
//! of which nothing was ever heard is not suspected: datagrams may not reach this node at all; 4. news of a peer that
//! nobody has taken is replaced by newer news of it, so there is never more than one for each.
//!
//! Before that come two stages of which only those hear who want to know early (`vip::holder`): a *doubted* peer was not
//! heard for one and a half intervals, a *missing* one for two and a half. Nothing but questions follows from a doubt.
//! Of a peer that is not heard here another may say in its own heartbeats that it heard a newer datagram: it is *vouched
//! for*, for two and a half of its intervals each time, and what it sends is lost on the way to this node alone. Any two
//! nodes that each hear more than half of all, and are heard by them, have such a third one in common. A peer that dies was
//! heard as far by all, so nobody vouches for it, and waiting for that costs nothing.
//!
//! Suspicion is an opinion of one node. It moves nothing by itself; see `node::suspicion` for what is made of it.

mod watch;

use super::Liveness;
use crate::{
    bounds,
    time::{Instant, Span},
    wire::{Beat, beat::Roll},
};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::net::IpAddr;

use watch::Life;
pub use watch::{Counts, Watch};

/// The peers of one node.
#[derive(Clone, Debug, Default)]
pub struct Detector {
    /// By name, ascending; at most [`NODES_MAX`](bounds::NODES_MAX) - 1.
    watches: Vec<Watch>,
    /// Of the names of all nodes, and how many of them come before this one's.
    roll: (u32, usize),
    /// Silence before this does not count.
    listen_from: Instant,
    /// Every stage of silence is told, not only the last.
    early: bool,
    /// Of the agreed view here; 0 when there is none.
    epoch: u64,
    /// For how long a peer that is in a newer view still counts as heard; none is for ever.
    grace: Option<Span>,
}

/// For how long a peer has not been heard, as far as it means something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not for long.
    #[default]
    Heard,
    /// One heartbeat is missing.
    Doubted,
    /// Two are.
    Missing,
    /// Three are: that is no accident.
    Suspect,
}

impl Stage {
    /// Returns the silence with which a stage begins, for a peer with this interval.
    pub fn begins(self, interval: Span) -> Span {
        let (halves, least) = match self {
            Self::Heard => (0, Span::ZERO),
            Self::Doubted => (DOUBT_HALVES, DOUBT_MIN),
            Self::Missing => (MISSING_HALVES, MISSING_MIN),
            Self::Suspect => (PATIENCE_HALVES, PATIENCE_MIN),
        };
        Span::from_ns(interval.as_ns().saturating_mul(halves) / 2).max(least)
    }

    /// Returns the stage after this one; without the early ones there is but one.
    fn next(self, early: bool) -> Option<Self> {
        match self {
            Self::Heard if !early => Some(Self::Suspect),
            Self::Heard => Some(Self::Doubted),
            Self::Doubted => Some(Self::Missing),
            Self::Missing => Some(Self::Suspect),
            Self::Suspect => None,
        }
    }
}

/// The newest opinion of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// Of whom.
    pub name: Arc<str>,
    /// Of which life.
    pub incarnation: u64,
    /// How silent it is.
    pub stage: Stage,
    /// For how long nothing was heard.
    pub silent: Span,
    /// Another peer hears it.
    pub vouched: bool,
    /// Of the agreed view at that peer, as it said last; 0 when it has none.
    pub epoch: u64,
}

/// Why a heartbeat is not believed. It is dropped; its kind is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disbelief {
    /// Its name is not in the peer list.
    #[error("heartbeat of a node that is not in the peer list; add it to msgc_server peers on all nodes")]
    Unknown,
    /// The peer list has another address for that name.
    #[error("heartbeat from another address than the peer list has for its name; correct the list")]
    Address,
}

impl Detector {
    /// Replaces the peers of the node `own`. Those that stay, name and address, keep what is known of them. Silence before
    /// `listen_from` does not count.
    pub fn set_peers(&mut self, own: &str, peers: &BTreeMap<Arc<str>, IpAddr>, listen_from: Instant) {
        debug_assert!(peers.len() < bounds::NODES_MAX);
        let mut before = core::mem::take(&mut self.watches);
        let watch = |(name, address): (&Arc<str>, &IpAddr)| {
            let known = before.iter().position(|watch| watch.name == *name && watch.address == *address);
            match known {
                Some(at) => before.swap_remove(at),
                None => Watch::new(name.clone(), *address),
            }
        };
        self.watches = peers.iter().map(watch).collect();
        let mut names = self.watches.iter().map(|watch| &**watch.name()).collect::<Vec<_>>();
        let own_at = names.partition_point(|name| *name < own);
        names.insert(own_at, own);
        self.roll = (Roll::digest_of(names.into_iter()), own_at);
        self.listen_from = listen_from;
    }

    /// Says whether every stage of silence is to be told, not only the last.
    pub fn tell_early(&mut self, early: bool) {
        self.early = early;
    }

    /// Says for how long a peer that is in a newer view than this node still counts in [`heard_now`](Self::heard_now):
    /// views reach their members one after the other. This node may not be in that view.
    pub fn set_grace(&mut self, grace: Option<Span>) {
        self.grace = grace;
    }

    /// The agreed view here is another one; 0 is none.
    pub fn set_epoch(&mut self, now: Instant, epoch: u64) {
        self.epoch = epoch;
        self.watches
            .iter_mut()
            .filter_map(|watch| watch.life.as_mut())
            .for_each(|life| life.compare(now, epoch));
    }

    /// Returns how many peers are heard, without a doubt, hear this node, and go on with it.
    pub fn heard_now(&self, now: Instant) -> usize {
        let left_behind = |life: &Life| life.left_behind_at(self.grace).is_some_and(|at| at <= now);
        let heard = |life: &&Life| life.stage == Stage::Heard && !life.unheard && !left_behind(life);
        self.watches.iter().filter_map(|watch| watch.life.as_ref()).filter(heard).count()
    }

    /// Returns what is known of each peer, by name.
    pub fn watches(&self) -> &[Watch] {
        &self.watches
    }

    /// Returns how far this node has heard all others, for its own heartbeats.
    pub fn roll(&self) -> Roll {
        let (digest, _) = self.roll;
        let mut roll = Roll { digest, ..Roll::default() };
        for (at, watch) in self.watches.iter().enumerate() {
            if let (Some(heard), Some(mark)) = (roll.heard.get_mut(self.line(at)), watch.mark()) {
                *heard = mark;
            }
        }
        roll
    }

    /// Returns the place of a peer in the roll.
    fn line(&self, at: usize) -> usize {
        let (_, own_at) = self.roll;
        at + usize::from(at >= own_at)
    }

    /// A heartbeat arrived. Returns the position of its sender in [`watches`](Self::watches).
    ///
    /// # Errors
    /// It is not believed; nothing has changed.
    pub fn heard(&mut self, now: Instant, from: IpAddr, beat: &Beat<'_>) -> Result<usize, Disbelief> {
        let found = self.watches.binary_search_by(|watch| (*watch.name).cmp(beat.name));
        let at = found.ok().ok_or(Disbelief::Unknown)?;
        let watch = &mut self.watches[at];
        if watch.address != from {
            return Err(Disbelief::Address);
        }
        let is_newer = watch.heard(now, beat, self.early);
        if let Some(life) = watch.life.as_mut().filter(|_| is_newer) {
            life.compare(now, self.epoch);
        }
        if is_newer && beat.roll.digest == self.roll.0 {
            self.take_vouching(now, at, &beat.roll);
        }
        Ok(at)
    }

    /// A peer says how far it has heard the others.
    fn take_vouching(&mut self, now: Instant, witness: usize, roll: &Roll) {
        for at in (0..self.watches.len()).filter(|at| *at != witness) {
            let mark = roll.heard.get(self.line(at)).copied().unwrap_or_default();
            self.watches[at].vouch(now, mark, self.early);
        }
    }

    /// This node ran `late` after it wanted to: it could hear nobody meanwhile. Say so before what has piled up is
    /// heard.
    pub fn excuse(&mut self, now: Instant, late: Span) {
        if late < LATE_MIN {
            return;
        }
        for life in self.watches.iter_mut().filter_map(|watch| watch.life.as_mut()) {
            life.listening = (life.listening + late).min(now);
        }
    }

    /// Time has passed, and all that had arrived was heard.
    pub fn tick(&mut self, now: Instant) {
        for watch in &mut self.watches {
            let Some(life) = &mut watch.life else { continue };
            while life.deadline(self.listen_from, self.early).is_some_and(|at| at <= now) {
                life.stage = life.stage.next(self.early).unwrap_or_default();
                watch.counts.suspicions += u64::from(life.stage == Stage::Suspect);
                watch.news |= self.early || life.stage == Stage::Suspect;
            }
            if life.vouched_until.take_if(|until| *until <= now).is_some() {
                watch.news |= life.is_missing();
            }
        }
    }

    /// Returns when `tick` may next have something to say.
    pub fn next_deadline(&self) -> Option<Instant> {
        let lives = self.watches.iter().filter_map(|watch| watch.life.as_ref());
        let next = |life: &Life| {
            let vouched = life.vouched_until.filter(|_| life.is_missing());
            life.deadline(self.listen_from, self.early).into_iter().chain(vouched).min()
        };
        lives.filter_map(next).min()
    }

    /// Returns whether [`poll`](Self::poll) has something.
    pub fn has_news(&self) -> bool {
        self.watches.iter().any(|watch| watch.news)
    }

    /// Returns the newest opinion of a peer of which it changed, and when a life of it is first heard. Each opinion is
    /// returned once; who cannot take it now asks later and gets the newest.
    pub fn poll(&mut self, now: Instant) -> Option<Opinion> {
        let watch = self.watches.iter_mut().find(|watch| watch.news)?;
        watch.news = false;
        let life = watch.life?;
        Some(Opinion {
            name: watch.name.clone(),
            incarnation: life.incarnation,
            stage: life.stage,
            silent: now.since(life.heard),
            vouched: life.vouched_until.is_some(),
            epoch: life.view.epoch,
        })
    }
}

/// Returns the silence after which a peer with this interval is suspected.
pub fn patience(interval: Span) -> Span {
    Stage::Suspect.begins(interval)
}

/// Half intervals of silence after which a peer is suspected. chosen: see the module.
const PATIENCE_HALVES: u64 = 7;
/// Half intervals of silence with which doubt begins, and its least. chosen: one datagram is missing, and the next had
/// half an interval to be late.
const DOUBT_HALVES: u64 = 3;
const DOUBT_MIN: Span = Span::from_ms(12);
/// The same for a peer that is missing. chosen: one interval after the doubt, time enough to ask the wire.
const MISSING_HALVES: u64 = 5;
const MISSING_MIN: Span = Span::from_ms(20);
/// Shortest silence after which a peer is suspected, whatever its rate.
/// chosen: a virtual machine that loses its processor is away for up to about 10 ms at a time.
pub const PATIENCE_MIN: Span = Span::from_ms(20);
/// Lateness of this node below which nobody is excused. chosen: what a poll is late by on a host that is not busy.
const LATE_MIN: Span = Span::from_ms(1);

#[cfg(test)]
mod tests;
