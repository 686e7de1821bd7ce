//! What heartbeat datagrams mean for a peer: a doubt beside the mesh's own, and never more than a doubt.
//!
//! Datagrams are heard on a thread of their own, and faster than the mesh; see `group::detector`. Rules: 1. only those
//! of the life that the mesh is connected to count; 2. a peer that has fallen silent is shown as suspect until it is
//! heard again; nothing else follows from it; 3. a peer of whose life no datagram ever came is judged by the mesh
//! alone: a firewall that drops them ends nobody; 4. the operator is told of it once that has lasted.
use super::{Entry, Node};
use crate::{
    group::{
        State,
        detector::{Opinion, Stage},
    },
    time::{Instant, Span},
};
use alloc::{format, string::String, sync::Arc};

/// What is known of one peer's datagrams.
#[derive(Debug, Default)]
pub(super) struct Beats {
    /// The life that was heard last, and whether it has fallen silent.
    newest: Option<(u64, bool)>,
    /// Since when none has come although the mesh is connected; `None` while they come, and while they need not.
    missed_since: Option<Instant>,
    /// Another peer hears them.
    vouched: bool,
    /// Over when one comes.
    pub(super) trouble: Option<String>,
}

impl Beats {
    /// A peer's life is connected from `now` on.
    pub(super) fn expect(&mut self, now: Instant, incarnation: u64) {
        self.missed_since = (self.newest != Some((incarnation, false))).then_some(now);
    }

    /// Returns whether that life has fallen silent.
    pub(super) fn are_silent(&self, incarnation: Option<u64>) -> bool {
        self.newest.is_some_and(|(newest, suspect)| suspect && incarnation == Some(newest))
    }
}

impl Entry {
    /// Returns when it is time to tell the operator that no datagrams come, though the mesh hears the peer.
    pub(super) fn beats_deadline(&self) -> Option<Instant> {
        let mesh_hears = match self.peer.state() {
            State::Alive | State::Suspect => self.incoming.is_some() && !self.peer.is_silent(),
            State::Gone => false,
        };
        let untold = mesh_hears && self.beats.trouble.is_none();
        self.beats.missed_since.filter(|_| untold).map(|since| since + MISSED_MAX)
    }
}

impl Node {
    pub(super) fn on_opinion(&mut self, now: Instant, opinion: &Opinion) {
        self.vips.handle(now, opinion.into());
        let Opinion { name, incarnation, stage, vouched, .. } = opinion;
        let Some(entry) = self.peers.get_mut(name) else { return };
        entry.beats.vouched = *vouched;
        if matches!(stage, Stage::Doubted | Stage::Missing) {
            return;
        }
        let suspect = *stage == Stage::Suspect;
        let is_current = entry.incarnation == Some(*incarnation);
        entry.beats.newest = Some((*incarnation, suspect));
        if !is_current {
            return;
        }
        if suspect {
            entry.beats.missed_since.get_or_insert(now);
        } else {
            (entry.beats.missed_since, entry.beats.trouble) = (None, None);
        }
        if let Some(state) = entry.peer.doubt(now, suspect) {
            self.on_state(now, name, state);
        }
    }

    /// Tells the operator if it is time.
    pub(super) fn miss_beats(&mut self, now: Instant, name: &Arc<str>) {
        let (Some(port), Some(entry)) = (self.settings.heartbeat_port, self.peers.get(name)) else { return };
        if entry.beats_deadline().is_some_and(|at| at <= now) {
            let one_way = (" and another node hears them", "from it to this node");
            let (who, between) = if entry.beats.vouched { one_way } else { ("", "between all nodes") };
            let text = format!(
                "no heartbeats from {name}, though its connection lives{who}; open UDP port {port} {between}"
            );
            self.trouble(name, |entry| &mut entry.beats.trouble, text);
        }
    }
}

/// Time without datagrams from a peer that the mesh hears, after which the operator is told.
/// chosen: longer than a restart takes, and than the silence after which the slowest heartbeats are missed.
const MISSED_MAX: Span = Span::from_secs(5);
