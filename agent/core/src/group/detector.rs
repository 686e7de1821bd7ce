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
//!
//! Suspicion is an opinion of one node. It moves nothing by itself; see `node::suspicion` for what is made of it.
use super::Liveness;
use crate::{
    bounds,
    time::{Instant, Span},
    wire::{Beat, beat::View},
};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::net::IpAddr;

/// The peers of one node.
#[derive(Clone, Debug, Default)]
pub struct Detector {
    /// By name, ascending; at most [`NODES_MAX`](bounds::NODES_MAX) - 1.
    watches: Vec<Watch>,
    /// Silence before this does not count.
    listen_from: Instant,
    /// Every stage of silence is told, not only the last.
    early: bool,
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

/// What is known of one peer.
#[derive(Clone, Debug)]
pub struct Watch {
    name: Arc<str>,
    address: IpAddr,
    life: Option<Life>,
    counts: Counts,
    news: bool,
}

/// One process of a peer, as far as its datagrams tell.
#[derive(Clone, Copy, Debug)]
struct Life {
    incarnation: u64,
    interval: Span,
    /// The newest datagram.
    newest: u64,
    /// Bit `n`: the datagram `newest - n` was heard.
    window: u64,
    heard: Instant,
    /// Silence counts from here: when it was heard, later by what this node could not have heard.
    listening: Instant,
    stage: Stage,
    /// It says that it does not hear this node.
    unheard: bool,
    view: View,
}

/// What became of a peer's datagrams, over all its lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Taken: newer than all before.
    pub heard: u64,
    /// Numbers that were passed over and did not come later.
    pub lost: u64,
    /// Came after a newer one.
    pub reordered: u64,
    /// Came again.
    pub repeated: u64,
    /// Of an earlier life, or too old to tell whether they came before.
    pub stale: u64,
    /// Times the peer fell silent.
    pub suspicions: u64,
    /// The longest time between two that raised no suspicion: how near it came.
    pub gap_max: Span,
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
    /// Replaces the peers. Those that stay, name and address, keep what is known of them. Silence before `listen_from`
    /// does not count.
    pub fn set_peers(&mut self, peers: &BTreeMap<Arc<str>, IpAddr>, listen_from: Instant) {
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
        self.listen_from = listen_from;
    }

    /// Says whether every stage of silence is to be told, not only the last.
    pub fn tell_early(&mut self, early: bool) {
        self.early = early;
    }

    /// Returns how many peers are heard, without a doubt, and hear this node.
    pub fn heard_now(&self) -> usize {
        let heard =
            |watch: &&Watch| watch.life.is_some_and(|life| life.stage == Stage::Heard && !life.unheard);
        self.watches.iter().filter(heard).count()
    }

    /// Returns what is known of each peer, by name.
    pub fn watches(&self) -> &[Watch] {
        &self.watches
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
        watch.heard(now, beat, self.early);
        Ok(at)
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
        }
    }

    /// Returns when `tick` may next have something to say.
    pub fn next_deadline(&self) -> Option<Instant> {
        let lives = self.watches.iter().filter_map(|watch| watch.life.as_ref());
        lives.filter_map(|life| life.deadline(self.listen_from, self.early)).min()
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
        })
    }
}

impl Watch {
    fn new(name: Arc<str>, address: IpAddr) -> Self {
        Self { name, address, life: None, counts: Counts::default(), news: false }
    }

    /// Returns the peer's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Returns the peer's address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Returns what became of its datagrams.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns the incarnation of the life that was heard last; `None` when none was.
    pub fn incarnation(&self) -> Option<u64> {
        self.life.map(|life| life.incarnation)
    }

    /// Returns when it was last heard.
    pub fn heard_at(&self) -> Option<Instant> {
        self.life.map(|life| life.heard)
    }

    /// Returns the time between its heartbeats, as it announces it.
    pub fn interval(&self) -> Option<Span> {
        self.life.map(|life| life.interval)
    }

    /// Returns whether it has fallen silent.
    pub fn is_suspect(&self) -> bool {
        self.life.is_some_and(|life| life.stage == Stage::Suspect)
    }

    /// Returns whether it is heard, without a doubt if early stages are told.
    pub fn is_heard(&self) -> bool {
        self.life.is_some_and(|life| life.stage == Stage::Heard)
    }

    /// Returns what it last said the agreed view is.
    pub fn view(&self) -> View {
        self.life.map(|life| life.view).unwrap_or_default()
    }

    fn heard(&mut self, now: Instant, beat: &Beat<'_>, early: bool) {
        match &mut self.life {
            Some(life) if life.is_current(now) && beat.incarnation < life.incarnation => {
                self.counts.stale += 1;
            }
            Some(life) if life.is_current(now) && beat.incarnation == life.incarnation => {
                if life.count(beat.sequence, &mut self.counts) {
                    if life.stage != Stage::Suspect {
                        self.counts.gap_max = self.counts.gap_max.max(now.since(life.heard));
                    }
                    self.news |= life.stage == Stage::Suspect || (early && life.stage != Stage::Heard);
                    life.take(now, beat);
                }
            }
            // Another life, or one that was silent for so long that nothing of it is under way any more.
            life => {
                *life = Some(Life::begin(now, beat));
                self.counts.heard += 1;
                self.news = true;
            }
        }
    }
}

impl Life {
    fn begin(now: Instant, beat: &Beat<'_>) -> Self {
        Self {
            incarnation: beat.incarnation,
            interval: interval(beat),
            newest: beat.sequence,
            window: 1,
            heard: now,
            listening: now,
            stage: Stage::Heard,
            unheard: beat.unheard,
            view: beat.view,
        }
    }

    fn take(&mut self, now: Instant, beat: &Beat<'_>) {
        (self.heard, self.listening, self.stage) = (now, now, Stage::Heard);
        (self.interval, self.view, self.unheard) = (interval(beat), beat.view, beat.unheard);
    }

    /// Sorts a number in among those before. Returns whether it is newer than all of them.
    fn count(&mut self, sequence: u64, counts: &mut Counts) -> bool {
        if sequence > self.newest {
            let ahead = sequence - self.newest;
            counts.heard += 1;
            counts.lost = counts.lost.saturating_add(ahead - 1);
            self.window = shifted(self.window, ahead) | 1;
            self.newest = sequence;
            return true;
        }
        match shifted(1, self.newest - sequence) {
            0 => counts.stale += 1,
            bit if self.window & bit != 0 => counts.repeated += 1,
            bit => {
                self.window |= bit;
                counts.reordered += 1;
                counts.lost = counts.lost.saturating_sub(1);
            }
        }
        false
    }

    /// What was silent for longer than this is forgotten by the mesh, too; its numbers bind nobody any more.
    fn is_current(&self, now: Instant) -> bool {
        now.since(self.heard) < Liveness::new(self.interval).gone_after()
    }

    /// Returns when the next stage begins.
    fn deadline(&self, listen_from: Instant, early: bool) -> Option<Instant> {
        Some(self.listening.max(listen_from) + self.stage.next(early)?.begins(self.interval))
    }
}

/// Returns the silence after which a peer with this interval is suspected.
pub fn patience(interval: Span) -> Span {
    Stage::Suspect.begins(interval)
}

fn interval(beat: &Beat<'_>) -> Span {
    Span::from_us(beat.interval_us.into()).clamp(bounds::HEARTBEAT_MIN, bounds::HEARTBEAT_MAX)
}

/// Shifts to the left; what leaves the window is gone.
fn shifted(window: u64, by: u64) -> u64 {
    u32::try_from(by).ok().and_then(|by| window.checked_shl(by)).unwrap_or(0)
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
