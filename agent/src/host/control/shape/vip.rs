//! The JSON of addresses that the cluster shares.
use crate::host::address::Snapshot;
use convoy_core::{
    time::{Instant, Span},
    vip,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The question `vip move`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveRequest {
    /// Which: addresses, or CIDR blocks for all managed addresses in them.
    pub addresses: Vec<String>,
    /// Where to.
    pub node: String,
}

/// The question `vip drain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrainRequest {
    /// The node.
    pub node: String,
    /// Whether it is to have nothing, or may have again.
    pub on: bool,
}

/// Answer to `vips`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vips {
    /// All addresses, ascending, IPv4 first.
    pub vips: Vec<VipRow>,
    /// All members agree that this node has what it has: its kernel may answer.
    pub firm: bool,
    /// Nodes that are to have nothing.
    pub drained: Vec<String>,
    /// The members are still to agree on one table.
    pub exchanging: bool,
    /// What this host did about them; none where it manages none.
    pub host: Option<HostFigures>,
}

/// What a host did about managed addresses since its daemon started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostFigures {
    /// Addresses that it may have to hold.
    pub managed: usize,
    /// Frames that announced addresses.
    pub announced: u64,
    /// Announcements that could not be sent, because a link was down or gone.
    pub unsent: u64,
    /// Hosts that are not told of moves, for there are too many.
    pub untold: usize,
    /// Messages to the kernel with changes of addresses.
    pub slices: u64,
    /// The longest time that one of them took, milliseconds.
    pub slice_ms_max: f64,
    /// Times that the kernel dropped notifications; a full read made up for each.
    pub overruns: u64,
    /// What the address thread told and nobody took.
    pub dropped: u64,
    /// Questions about managed addresses that the gate dropped, of its whole life.
    pub gate_questions: u64,
    /// The same of announcements on their way out.
    pub gate_announcements: u64,
    /// Of both, those dropped only because the lease was over.
    pub gate_lapsed: u64,
    /// Neighbour advertisements of others, for addresses that are on this host, that the gate kept from its IPv6.
    pub gate_aside: u64,
}

/// One address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VipRow {
    /// The address.
    pub address: String,
    /// Bindings that send from it, of all candidates.
    pub bindings: Vec<String>,
    /// The node that has it; none if nobody has.
    pub owner: Option<String>,
    /// `owned`, `moving`, `waiting`, `unowned` or `broken`.
    pub state: String,
    /// `safe`, `in conflict`, `UNSAFE` or `BROKEN`.
    pub safety: String,
    /// Seconds since it has this owner, as far as this node knows.
    pub stable_s: f64,
    /// Nodes that could have it, by name.
    pub candidates: Vec<CandidateRow>,
    /// `Duravip_Preference`.
    pub preference: Option<String>,
    /// The address that it follows.
    pub follow: Option<String>,
    /// Seconds since the nodes that offer it are those.
    pub view_stable_s: f64,
    /// Seconds since what they offer with it is that.
    pub configuration_stable_s: f64,
    /// What it is on this host: `absent`, `silent` or `held`; none where this node does not offer it.
    pub here: Option<String>,
    /// The node to which it is moving.
    pub moving_to: Option<String>,
    /// Why it is moving.
    pub moving_why: Option<String>,
    /// Why it is not on this host what it is to be.
    pub failed: Option<String>,
    /// Link address of whoever answers for it although nobody should.
    pub contested_by: Option<String>,
}

/// A node that could have an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateRow {
    /// Its name.
    pub node: String,
    /// What it serves on the address: `multivip` for bindings, and the kinds of its listeners.
    pub services: Vec<String>,
    /// Whether it may be given the address now.
    pub able: bool,
}

/// Answer to `vip move`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moving {
    /// Where to.
    pub node: String,
    /// Addresses on their way.
    pub moving: Vec<String>,
    /// Addresses that are there already.
    pub there: Vec<String>,
}

/// Answer to `vip drain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// The node.
    pub node: String,
    /// Whether it is to have nothing.
    pub on: bool,
    /// Addresses that it has now, and is to hand over.
    pub has: usize,
}

/// Answer to `vip announce`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// Addresses that this node told the others it would hold.
    pub offered: usize,
    /// Addresses that it announces on their links.
    pub held: usize,
}

/// Answer to `vip debug`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debugging {
    /// Whether moves are told in detail in the log.
    pub on: bool,
}

/// Answer to `vip history`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moves {
    /// The latest first; what moved together is one.
    pub moves: Vec<MoveRow>,
}

/// Addresses that moved together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MoveRow {
    /// Seconds since this node learnt of it.
    pub ago_s: f64,
    /// The node that had them; none if nobody had.
    pub from: Option<String>,
    /// The node that has them; none if nobody has.
    pub to: Option<String>,
    /// Why.
    pub cause: String,
    /// The first of them.
    pub first: String,
    /// How many.
    pub count: usize,
    /// Milliseconds for which nobody answered for them; none where this node did not take them over.
    pub outage_ms: Option<f64>,
}

/// Answer to `arp`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArpTable {
    /// Who this host heard of on the links of managed addresses, ascending.
    pub hosts: Vec<ArpRow>,
}

/// A host on a link of managed addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArpRow {
    /// Its address.
    pub address: String,
    /// Its link address.
    pub mac: String,
    /// Seconds since it was heard.
    pub age_s: u64,
}

impl From<Snapshot> for HostFigures {
    fn from(snapshot: Snapshot) -> Self {
        Self {
            managed: snapshot.managed,
            announced: snapshot.announced,
            unsent: snapshot.unsent,
            untold: snapshot.untold,
            slices: snapshot.slices,
            slice_ms_max: milliseconds(Span::from_ns(snapshot.slice_ns_max)),
            overruns: snapshot.overruns,
            dropped: snapshot.dropped,
            gate_questions: snapshot.gate.questions,
            gate_announcements: snapshot.gate.announcements,
            gate_lapsed: snapshot.gate.lapsed,
            gate_aside: snapshot.gate.aside,
        }
    }
}

impl From<vip::Row> for VipRow {
    fn from(row: vip::Row) -> Self {
        let (moving_to, moving_why) =
            row.moving_to.map(|(node, cause)| (node.to_string(), cause.to_string())).unzip();
        Self {
            address: row.address.to_string(),
            bindings: words(&row.bindings),
            owner: row.owner.map(|owner| owner.to_string()),
            state: row.state.word().into(),
            safety: row.safety.to_string(),
            stable_s: seconds(row.stable),
            candidates: row.candidates.into_iter().map(CandidateRow::from).collect(),
            preference: row.preference.map(|node| node.to_string()),
            follow: row.follow.map(|address| address.to_string()),
            view_stable_s: seconds(row.view_stable),
            configuration_stable_s: seconds(row.configuration_stable),
            here: row.here.map(|want| here(want).into()),
            moving_to,
            moving_why,
            failed: row.failed,
            contested_by: row.contested_by.map(mac),
        }
    }
}

impl From<vip::Candidate> for CandidateRow {
    fn from(candidate: vip::Candidate) -> Self {
        let vip::Candidate { node, services, able } = candidate;
        Self { node: node.to_string(), services: words(&services), able }
    }
}

impl MoveRow {
    /// Returns what is told at `now` of a move.
    pub fn at(now: Instant, record: &vip::Record) -> Self {
        let name = |node: &Option<Arc<str>>| node.as_deref().map(str::to_owned);
        Self {
            ago_s: seconds(now.since(record.at)),
            from: name(&record.from),
            to: name(&record.to),
            cause: record.cause.to_string(),
            first: record.first.to_string(),
            count: record.count,
            outage_ms: record.outage.map(milliseconds),
        }
    }
}

/// Returns a link address as people write it.
pub fn mac(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn here(want: vip::Want) -> &'static str {
    match want {
        vip::Want::Absent => "absent",
        vip::Want::Silent => "silent",
        vip::Want::Held => "held",
    }
}

fn words(names: &[Arc<str>]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "for people and scripts; 53 bits hold a century of microseconds"
)]
fn seconds(span: Span) -> f64 {
    (span.as_ns() / 1_000_000) as f64 / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "as above")]
fn milliseconds(span: Span) -> f64 {
    (span.as_ns() / 1_000) as f64 / 1_000.0
}
