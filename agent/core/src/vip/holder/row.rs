//! What is known of an address, for people and scripts.
use super::{Holder, Want};
use crate::{
    time::{Instant, Span},
    vip::{Cause, Safety},
    wire::arp::Mac,
};
use alloc::{collections::BTreeSet, string::String, sync::Arc, vec::Vec};
use core::{fmt, net::IpAddr};

/// One address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub address: IpAddr,
    /// Bindings that send from it, of all candidates.
    pub bindings: Vec<Arc<str>>,
    /// Name of the node that has it.
    pub owner: Option<Arc<str>>,
    /// How it stands.
    pub state: State,
    /// Where it is moving to, and why.
    pub moving_to: Option<(Arc<str>, Cause)>,
    /// Whether the offers for it fit each other.
    pub safety: Safety,
    /// The node it should be on.
    pub preference: Option<Arc<str>>,
    /// The address that it follows.
    pub follow: Option<IpAddr>,
    /// Since when the nodes that offer it are those.
    pub view_stable: Span,
    /// Since when that is what they offer with it.
    pub configuration_stable: Span,
    /// Since when it has this owner, as far as this node knows.
    pub stable: Span,
    /// What it is on this host; none where this node does not offer it.
    pub here: Option<Want>,
    /// Why it is not what it is to be on this host.
    pub failed: Option<String>,
    /// Who answers for it although nobody should, while this node waits for it.
    pub contested_by: Option<Mac>,
    /// The nodes that offer it, by name.
    pub candidates: Vec<Candidate>,
}

/// A node that offers an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub node: Arc<str>,
    /// What it serves on it; `multivip` for bindings.
    pub services: Vec<Arc<str>>,
    /// Whether it may be given it now.
    pub able: bool,
}

/// How an address stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has an owner.
    Owned,
    /// It goes from one node to another.
    Moving,
    /// It has come here, and waits until nobody else answers for it.
    Waiting,
    /// Nobody has it.
    Unowned,
    /// Its bindings contradict each other: it is not managed.
    Broken,
}

impl State {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Owned => "owned",
            Self::Moving => "moving",
            Self::Waiting => "waiting",
            Self::Unowned => "unowned",
            Self::Broken => "broken",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl Holder {
    /// Returns all addresses, ascending.
    pub fn rows(&self, now: Instant) -> Vec<Row> {
        self.table
            .topics()
            .iter()
            .map(|(address, topic)| {
                let local = self.locals.get(address);
                let name = |member| self.name(member);
                let mut bindings = BTreeSet::new();
                let mut candidates = Vec::new();
                for member in &topic.candidates {
                    let Some(seat) = self.table.seats().get(member) else { continue };
                    let offered = seat.offer.binary_search_by_key(address, |offered| offered.address);
                    let Some(offered) = offered.ok().map(|at| &seat.offer[at]) else { continue };
                    bindings.extend(offered.bindings.iter().cloned());
                    let multivip = (!offered.bindings.is_empty()).then(|| Arc::from("multivip"));
                    let services = multivip.into_iter().chain(offered.services.iter().cloned()).collect();
                    let able = self.table.is_able(*member, *address);
                    candidates.push(Candidate { node: seat.name.clone(), services, able });
                }
                candidates.sort_by(|a, b| a.node.cmp(&b.node));
                let state = match (topic.safety, topic.owner, topic.handover) {
                    (Safety::Broken, ..) => State::Broken,
                    (_, None, _) => State::Unowned,
                    (_, _, Some(_)) => State::Moving,
                    _ if self.is_closed(*address) => State::Waiting,
                    _ => State::Owned,
                };
                Row {
                    address: *address,
                    bindings: bindings.into_iter().collect(),
                    owner: topic.owner.map(name),
                    state,
                    moving_to: topic.handover.map(|handover| (name(handover.to), handover.cause)),
                    safety: topic.safety,
                    preference: topic.preference.clone(),
                    follow: topic.follow,
                    view_stable: now.since(self.view_since),
                    configuration_stable: now
                        .since(*self.offered_since.get(address).unwrap_or(&self.view_since)),
                    stable: local.map_or(Span::ZERO, |local| now.since(local.owner_since)),
                    here: local.map(|local| local.made),
                    failed: local.and_then(|local| local.failed.clone()),
                    contested_by: self.contested.get(address).map(|contest| contest.mac),
                    candidates,
                }
            })
            .collect()
    }
}
