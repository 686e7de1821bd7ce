//! One table from what the members report: for members that did not come here together.
//!
//! Whoever claims an address has it. If several do, it goes to one that can answer now before one that is fenced, then
//! to the preferred one, then to who has been a member for longest.
use super::{Cause, Change, Ghost, MemberId, Offer, Orphan, Seat, Table};
use crate::group::view::{Role, View};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};
use core::{cmp::Reverse, net::IpAddr};

/// What a member reports of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::vip) struct Report {
    /// There has been an election where it comes from.
    pub(in crate::vip) formed: bool,
    /// Its kernel may answer now.
    pub(in crate::vip) firm: bool,
    /// It is about to leave.
    pub(in crate::vip) leaving: bool,
    /// Its share.
    pub(in crate::vip) weight: u32,
    /// Nodes that are to have nothing, where it comes from.
    pub(in crate::vip) drained: Vec<Arc<str>>,
    /// What it would hold.
    pub(in crate::vip) offer: Offer,
    /// What it says of each of those, in the same order.
    pub(in crate::vip) claims: Vec<Claim>,
}

/// What a member says of an address that it offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four answers to four questions, each a bit on the bus")]
pub struct Claim {
    /// It has it.
    pub own: bool,
    /// Somebody has had it, where it comes from.
    pub known: bool,
    /// It cannot hold it now.
    pub unable: bool,
    /// It has it, and has not seen yet that nobody else answers for it.
    pub closed: bool,
}

impl Table {
    /// Returns what this node reports.
    pub(in crate::vip) fn report(
        &self,
        own: MemberId,
        offer: &Offer,
        unable: &BTreeSet<IpAddr>,
        opened: &BTreeSet<IpAddr>,
        weight: u32,
    ) -> Report {
        let claim = |address: IpAddr| {
            let topic = self.topics.get(&address);
            Claim {
                own: topic.is_some_and(|topic| topic.owner == Some(own)),
                closed: topic.is_some_and(|topic| {
                    topic.owner == Some(own) && topic.ghost.is_some() && !opened.contains(&address)
                }),
                known: topic.is_some_and(|topic| topic.owner.is_some())
                    || self.orphans.contains_key(&address),
                unable: unable.contains(&address),
            }
        };
        Report {
            formed: self.formed,
            firm: false,
            leaving: false,
            weight,
            drained: self.drained.iter().cloned().collect(),
            offer: offer.clone(),
            claims: offer.iter().map(|offered| claim(offered.address)).collect(),
        }
    }

    /// Returns the table that all members of a view have after they have reported.
    pub(in crate::vip) fn merged(
        view: &View,
        differing: &BTreeMap<MemberId, bool>,
        reports: &BTreeMap<MemberId, Report>,
    ) -> Self {
        let mut table = Self {
            formed: reports.values().any(|report| report.formed),
            drained: reports.values().flat_map(|report| report.drained.iter().cloned()).collect(),
            ..Self::default()
        };
        let mut claims = BTreeMap::<IpAddr, Vec<MemberId>>::new();
        let (mut known, mut closed) = (BTreeSet::new(), BTreeSet::new());
        for (member, report) in reports {
            let Some(place) = view.members.get(member).filter(|place| place.card.role == Role::Node) else {
                continue;
            };
            let mut unable = BTreeSet::new();
            for (offered, claim) in report.offer.iter().zip(&report.claims) {
                if claim.own {
                    claims.entry(offered.address).or_default().push(*member);
                }
                known.extend(claim.known.then_some(offered.address));
                closed.extend(claim.closed.then_some((*member, offered.address)));
                unable.extend(claim.unable.then_some(offered.address));
            }
            let seat = Seat {
                name: place.card.name.clone(),
                since: place.since,
                weight: report.weight,
                offer: report.offer.clone(),
                unable,
                fenced: false,
                leaving: report.leaving,
                differs: differing.get(member).copied().unwrap_or_default(),
            };
            table.seats.insert(*member, seat);
        }
        table.judge(Cause::Merged, true);
        for (address, claimants) in claims {
            let Some(topic) = table.topics.get_mut(&address) else { continue };
            let preference = topic.preference.clone();
            let is_firm = |member: &MemberId| reports.get(member).is_some_and(|report| report.firm);
            let rank = |member: &MemberId| {
                let seat = &table.seats[member];
                let preferred =
                    preference.as_deref().is_some_and(|name| seat.name.eq_ignore_ascii_case(name));
                (is_firm(member), preferred, Reverse((seat.since, *member)))
            };
            topic.owner = claimants.into_iter().max_by_key(rank);
            // Who has no lease may have lost it to one that is not here, and is not told so by anybody who is.
            let is_sure = |owner: &MemberId| is_firm(owner) && !closed.contains(&(*owner, address));
            if topic.owner.is_some_and(|owner| !is_sure(&owner)) {
                topic.ghost = Some(Ghost::Anyone);
            }
        }
        for address in known {
            if let Some(topic) = table.topics.get_mut(&address).filter(|topic| topic.owner.is_none()) {
                // Who had it, and whether it still answers, nobody here may know: the wire is asked.
                topic.ghost = Some(Ghost::Anyone);
                table.orphans.insert(address, Orphan { from: None, cause: Cause::Departed });
            }
        }
        table.judge(Cause::Merged, true);
        table.changes.clear();
        table
    }

    /// Returns how owners differ from those of an earlier table.
    pub(in crate::vip) fn changes_since(&self, before: &Self) -> Vec<Change> {
        let owner = |table: &Self, address: &IpAddr| table.topics.get(address).and_then(|topic| topic.owner);
        let addresses = before.topics.keys().chain(self.topics.keys()).copied().collect::<BTreeSet<_>>();
        let change = |address: IpAddr| {
            let (from, to) = (owner(before, &address), owner(self, &address));
            let from = from.or_else(|| before.orphans.get(&address).and_then(|orphan| orphan.from));
            (from != to).then_some(Change { address, from, to, cause: Cause::Merged })
        };
        addresses.into_iter().filter_map(change).collect()
    }
}
