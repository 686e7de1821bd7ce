//! What the heartbeat thread finds, for the node and for the log.
use super::Cluster;
use crate::host::{
    control::shape::{HeartbeatStatus, Heartbeats},
    heartbeat::{Event, PeerBeats, Refusal, Snapshot},
};
use convoy_core::{
    group::detector::{Opinion, Stage},
    node::Input,
    time::{Instant, Span},
    vip::{self, lease::News},
};
use std::time::Duration;

impl Cluster {
    pub(super) fn take_beats(&self, event: &Event) {
        match event {
            Event::Opinion(opinion) => {
                let Opinion { name, incarnation, stage, silent, vouched, .. } = opinion;
                if *stage == Stage::Suspect {
                    let silent_ms = silent.as_ms();
                    tracing::debug!(node = %name, incarnation, silent_ms, vouched, "its heartbeats have stopped");
                }
                self.mesh.feed(Input::Opinion(opinion));
            }
            Event::Lease(News { generation, contact }) => {
                let (generation, contact) = (*generation, *contact);
                self.mesh.feed(Input::Vip(vip::Input::Lease { generation, contact }));
            }
            Event::Refused { why, from } => {
                tracing::warn!(%from, "{why}; others of the kind are only counted");
            }
            Event::Trouble(text) => tracing::error!("{text}"),
        }
    }
}

/// Returns what a client is told about a peer's heartbeats.
pub(super) fn row(beats: &PeerBeats, now: Instant) -> Heartbeats {
    let counts = beats.counts;
    Heartbeats {
        heard_s: beats.heard_at.map(|at| seconds(now.since(at))),
        suspect: beats.suspect,
        incarnation: beats.incarnation,
        interval_s: beats.interval.map(seconds),
        heard: counts.heard,
        lost: counts.lost,
        reordered: counts.reordered,
        repeated: counts.repeated,
        stale: counts.stale,
        unsent: beats.unsent,
        suspicions: counts.suspicions,
        gap_max_s: seconds(counts.gap_max),
        view_epoch: beats.view.epoch,
        view_digest: format!("{:016x}", beats.view.digest),
    }
}

/// Returns what a client is told about the heartbeat thread.
pub(super) fn status(snapshot: &Snapshot) -> HeartbeatStatus {
    let name = |name: &str| name.to_owned();
    HeartbeatStatus {
        priority: snapshot.priority.to_string(),
        sent: snapshot.sent,
        refused: Refusal::NAMES.map(name).into_iter().zip(snapshot.refused).collect(),
        deferred: snapshot.deferred,
        late_max_s: seconds(snapshot.late_max),
    }
}

/// Seconds to the microsecond: these spans are short.
fn seconds(span: Span) -> f64 {
    Duration::from_micros(span.as_ns() / 1_000).as_secs_f64()
}
