//! Until when nothing is taken of a node, whatever the wire says: it may answer, and not be heard.
//!
//! ```text
//!   it asked for its lease, and this node has agreed     for the time of a lease
//!   the others form a view without it, its heartbeats    until it must have noticed: it reads in the others' heartbeats
//!   come, and say that it is still in an older one       that they have a newer view, and gives up its lease
//! ```
//! The second is for paths that lose frames in one direction. The bus leaves a node out, of which it cannot know at once; a
//! question on the wire does not reach it.
use super::{Ghost, Holder, Instant, MemberId};
use crate::{
    bounds,
    vip::{inquest::State, lease},
};

impl Holder {
    /// A member asks for its lease: what was seen of it before is void, and for as long as it may take its kernel to answer
    /// nothing that it has is taken.
    pub(super) fn promise(&mut self, now: Instant, member: MemberId) {
        self.promises.retain(|_, until| *until > now);
        self.promises.insert(member, now + self.settings.lease);
        self.inquests.remove(&Ghost::Of(member));
    }

    /// Returns until when nothing is taken of whoever had it, if that is to come.
    pub(super) fn barred(&self, now: Instant, ghost: Ghost) -> Option<Instant> {
        let promised = match ghost {
            Ghost::Of(member) => self.promises.get(&member).copied(),
            Ghost::Anyone => None,
        };
        let noticed = self.is_unaware(ghost).then(|| self.settled_at + lease::noticed(&self.settings));
        promised.max(noticed).filter(|until| *until > now)
    }

    /// Tells whether somebody who may have it lives, is not in the view, and says that it is in an older one.
    fn is_unaware(&self, ghost: Ghost) -> bool {
        let Some(view) = &self.view else { return false };
        let may_have = |name: &str| match ghost {
            Ghost::Of(member) => self.names.get(&member).is_some_and(|own| own.eq_ignore_ascii_case(name)),
            Ghost::Anyone => true,
        };
        self.lively.iter().any(|(name, epoch)| {
            (1..view.epoch).contains(epoch) && may_have(name) && view.named(name).next().is_none()
        })
    }

    /// A node's heartbeats come, and say which view it is in; or none come, to anybody. Who waited for it to notice that it was
    /// left out need not any more.
    pub(super) fn note_lively(&mut self, now: Instant, name: &str, epoch: Option<u64>) {
        if self.lively.get(name).copied() == epoch {
            return;
        }
        self.lively.remove(name);
        if let Some(epoch) = epoch.filter(|_| self.lively.len() < NAMES_MAX) {
            self.lively.insert(name.into(), epoch);
        }
        for (ghost, inquest) in &mut self.inquests {
            let is_of = match ghost {
                Ghost::Of(member) => self.names.get(member).is_some_and(|own| own.eq_ignore_ascii_case(name)),
                Ghost::Anyone => true,
            };
            if let (State::Alive(at), true) = (inquest.state, is_of) {
                inquest.state = State::Alive(at.min(now));
            }
        }
    }
}

/// Names that are remembered. chosen: those of the peers, and of hundreds that were peers before a reload.
const NAMES_MAX: usize = 16 * bounds::NODES_MAX;
