//! What is known of one peer from its datagrams: which have come, how silent it is, and who vouches for it.
use super::{Liveness, Stage};
use crate::{
    bounds,
    time::{Instant, Span},
    wire::{
        Beat,
        beat::{Roll, View},
    },
};
use alloc::sync::Arc;
use core::net::IpAddr;

/// What is known of one peer.
#[derive(Clone, Debug)]
pub struct Watch {
    pub(super) name: Arc<str>,
    pub(super) address: IpAddr,
    pub(super) life: Option<Life>,
    pub(super) counts: Counts,
    pub(super) news: bool,
}

/// One process of a peer, as far as its datagrams tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub(super) incarnation: u64,
    interval: Span,
    /// The newest datagram.
    newest: u64,
    /// Bit `n`: the datagram `newest - n` was heard.
    window: u64,
    pub(super) heard: Instant,
    /// Silence counts from here: when it was heard, later by what this node could not have heard.
    pub(super) listening: Instant,
    pub(super) stage: Stage,
    /// It says that it does not hear this node.
    pub(super) unheard: bool,
    /// The newest datagram that another peer heard, if this node did not.
    told: Option<u8>,
    /// So it lives; believed until then.
    pub(super) vouched_until: Option<Instant>,
    pub(super) view: View,
    /// Since when it has said that its view is newer than this node's.
    ahead_since: Option<Instant>,
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

impl Watch {
    pub(super) fn new(name: Arc<str>, address: IpAddr) -> Self {
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

    /// Returns the mark of the newest datagram that was heard.
    pub(super) fn mark(&self) -> Option<u8> {
        self.life.map(|life| Roll::mark(life.newest))
    }

    /// Another peer has heard it as far as that.
    pub(super) fn vouch(&mut self, now: Instant, mark: u8, early: bool) {
        let Some(life) = &mut self.life else { return };
        // Each newer datagram counts once, whoever heard it.
        if Roll::is_newer(mark, life.told.unwrap_or_else(|| Roll::mark(life.newest))) {
            life.told = Some(mark);
            let until = now + Stage::Missing.begins(life.interval);
            let was_vouched = life.vouched_until.replace(until).is_some();
            // It was taken for dead, and is not.
            self.news |= early && !was_vouched && life.is_missing();
        }
    }

    /// A datagram arrived. Returns whether it is newer than all before.
    pub(super) fn heard(&mut self, now: Instant, beat: &Beat<'_>, early: bool) -> bool {
        match &mut self.life {
            Some(life) if life.is_current(now) && beat.incarnation < life.incarnation => {
                self.counts.stale += 1;
                false
            }
            Some(life) if life.is_current(now) && beat.incarnation == life.incarnation => {
                if !life.count(beat.sequence, &mut self.counts) {
                    return false;
                }
                if life.stage != Stage::Suspect {
                    self.counts.gap_max = self.counts.gap_max.max(now.since(life.heard));
                }
                let is_news = life.stage != Stage::Heard || life.view.epoch != beat.view.epoch;
                self.news |= life.stage == Stage::Suspect || (early && is_news);
                life.take(now, beat);
                true
            }
            // Another life, or one that was silent for so long that nothing of it is under way any more.
            life => {
                *life = Some(Life::begin(now, beat));
                self.counts.heard += 1;
                self.news = true;
                true
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
            told: None,
            vouched_until: None,
            view: beat.view,
            ahead_since: None,
        }
    }

    fn take(&mut self, now: Instant, beat: &Beat<'_>) {
        (self.heard, self.listening, self.stage) = (now, now, Stage::Heard);
        (self.interval, self.view, self.unheard) = (interval(beat), beat.view, beat.unheard);
        (self.told, self.vouched_until) = (None, None);
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

    /// Compares its view with the one here.
    pub(super) fn compare(&mut self, now: Instant, epoch: u64) {
        let is_ahead = epoch != 0 && self.view.epoch > epoch;
        self.ahead_since = is_ahead.then(|| self.ahead_since.unwrap_or(now));
    }

    /// Returns when it no longer counts, because it is in a newer view than this node.
    pub(super) fn left_behind_at(&self, grace: Option<Span>) -> Option<Instant> {
        Some(self.ahead_since? + grace?)
    }

    /// Tells whether it is taken for dead unless somebody vouches for it.
    pub(super) fn is_missing(&self) -> bool {
        self.stage >= Stage::Missing
    }

    /// Returns when the next stage begins.
    pub(super) fn deadline(&self, listen_from: Instant, early: bool) -> Option<Instant> {
        Some(self.listening.max(listen_from) + self.stage.next(early)?.begins(self.interval))
    }
}

fn interval(beat: &Beat<'_>) -> Span {
    Span::from_us(beat.interval_us.into()).clamp(bounds::HEARTBEAT_MIN, bounds::HEARTBEAT_MAX)
}

/// Shifts to the left; what leaves the window is gone.
fn shifted(window: u64, by: u64) -> u64 {
    u32::try_from(by).ok().and_then(|by| window.checked_shl(by)).unwrap_or(0)
}
