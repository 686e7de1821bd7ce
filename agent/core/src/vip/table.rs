//! Who has what: the part of DuraVIP that is the same on every node.
//!
//! It changes only by what all members see in the same order, views and agreed messages; so members that began with the
//! same table and saw the same have the same. Members that come from elsewhere get one by an exchange (`exchange`).
//! An address that has had an owner and lost it is given to another at once; one that never had any waits for an
//! election, which the leader calls when the view is mature.
mod change;
mod digest;
mod give;
mod merge;
#[cfg(test)]
mod tests;

use super::{
    Ghost, Handover, Offer, Offered, Phase, Safety, Topic,
    assign::{self, Slot},
    topic,
};
use crate::group::bus::MemberId;
use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};
use core::net::IpAddr;

pub use change::{Cause, Change};
pub use merge::Claim;
pub(super) use merge::Report;

/// A node that takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Its node name.
    pub name: Arc<str>,
    /// Epoch of its first view.
    pub since: u64,
    /// Its share of the addresses.
    pub weight: u32,
    /// What it would hold.
    pub offer: Offer,
    /// What of it it cannot hold now: its link is down, or the kernel refused.
    pub unable: BTreeSet<IpAddr>,
    /// It fell silent, and so did its kernel: it gets nothing until it has said that it is back.
    pub fenced: bool,
    /// It is about to leave.
    pub leaving: bool,
    /// It has another value of a parameter that must be the same on all: it gets nothing new.
    pub differs: bool,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Table {
    formed: bool,
    seats: BTreeMap<MemberId, Seat>,
    drained: BTreeSet<Arc<str>>,
    topics: BTreeMap<IpAddr, Topic>,
    /// Addresses that have lost their owner and have none.
    orphans: BTreeMap<IpAddr, Orphan>,
    changes: Vec<Change>,
    /// The offers of which the topics are.
    judged: Vec<(MemberId, Offer)>,
}

/// Who had an address that nobody has.
#[derive(Clone, Copy, Debug)]
struct Orphan {
    from: Option<MemberId>,
    cause: Cause,
}

impl Table {
    /// Tells whether there has been an election.
    pub fn is_formed(&self) -> bool {
        self.formed
    }

    /// Returns the nodes that take part.
    pub fn seats(&self) -> &BTreeMap<MemberId, Seat> {
        &self.seats
    }

    /// Returns the names of nodes that are to have nothing.
    pub fn drained(&self) -> &BTreeSet<Arc<str>> {
        &self.drained
    }

    /// Returns all addresses.
    pub fn topics(&self) -> &BTreeMap<IpAddr, Topic> {
        &self.topics
    }

    /// Returns the node's name, for people.
    pub fn name(&self, member: MemberId) -> Arc<str> {
        self.seats
            .get(&member)
            .map_or_else(|| alloc::format!("member {member}").into(), |seat| seat.name.clone())
    }

    /// Returns the member with a node name.
    pub fn named(&self, name: &str) -> Option<MemberId> {
        self.seats.iter().find(|(_, seat)| seat.name.eq_ignore_ascii_case(name)).map(|(member, _)| *member)
    }

    /// Takes what has changed since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        core::mem::take(&mut self.changes)
    }

    /// Tells whether a node may be given an address that it offers.
    pub fn is_able(&self, member: MemberId, address: IpAddr) -> bool {
        self.seats.get(&member).is_some_and(|seat| {
            let away = seat.fenced || seat.leaving || seat.differs || self.is_drained(&seat.name);
            !away && !seat.unable.contains(&address)
        })
    }

    fn is_drained(&self, name: &str) -> bool {
        self.drained.iter().any(|drained| drained.eq_ignore_ascii_case(name))
    }

    /// These are the members from now on; who is not in the table has no part in it yet.
    pub(super) fn set_members(&mut self, members: &BTreeMap<MemberId, bool>) {
        self.seats.retain(|member, _| members.contains_key(member));
        for (member, seat) in &mut self.seats {
            seat.differs = members.get(member).copied().unwrap_or_default();
        }
        self.judge(Cause::Departed, false);
    }

    /// A node would hold other addresses from now on.
    pub(super) fn set_offer(&mut self, member: MemberId, offer: Offer, weight: u32) {
        let Some(seat) = self.seats.get_mut(&member) else { return };
        (seat.offer, seat.weight) = (offer, weight);
        let offered = seat.offer.iter().map(|offered| offered.address).collect::<BTreeSet<_>>();
        seat.unable.retain(|address| offered.contains(address));
        // It has stopped answering for what it no longer offers before it said so.
        self.judge(Cause::Reconfigured, true);
    }

    /// A node can, or cannot, hold some of its addresses. It has stopped answering for them before it said so.
    pub(super) fn set_able(&mut self, member: MemberId, addresses: &[IpAddr], able: bool) {
        let Some(seat) = self.seats.get_mut(&member) else { return };
        for address in addresses {
            if able {
                seat.unable.remove(address);
            } else if seat.offer.binary_search_by_key(address, |offered| offered.address).is_ok() {
                seat.unable.insert(*address);
            }
        }
        self.judge(Cause::Unable, true);
    }

    /// A node fell silent and its kernel answers for nothing any more: others get what it had.
    pub(super) fn take_over(&mut self, member: MemberId) {
        let Some(seat) = self.seats.get_mut(&member).filter(|seat| !seat.fenced) else { return };
        seat.fenced = true;
        self.judge(Cause::Silent, false);
    }

    /// A node that was silent is back.
    pub(super) fn welcome(&mut self, member: MemberId) {
        if let Some(seat) = self.seats.get_mut(&member) {
            seat.fenced = false;
        }
        self.judge(Cause::Elected, true);
    }

    /// Names a node that is to have nothing, or may have again.
    pub(super) fn drain(&mut self, name: &str, on: bool) {
        self.drained.retain(|drained| !drained.eq_ignore_ascii_case(name));
        if on {
            self.drained.insert(name.into());
            let members = self.seats.iter().filter(|(_, seat)| seat.name.eq_ignore_ascii_case(name));
            let members = members.map(|(member, _)| *member).collect::<Vec<_>>();
            for member in members {
                self.empty(member, Cause::Drained);
            }
        }
        self.judge(Cause::Drained, true);
    }

    /// A node is about to leave.
    pub(super) fn leave(&mut self, member: MemberId) {
        let Some(seat) = self.seats.get_mut(&member) else { return };
        seat.leaving = true;
        self.empty(member, Cause::Left);
        self.judge(Cause::Left, true);
    }

    /// An operator wants addresses on a node. Those that it cannot have stay.
    pub(super) fn ask_for(&mut self, addresses: &[IpAddr], to: MemberId) {
        for address in addresses {
            self.hand_over(*address, to, Cause::Moved);
        }
        self.follow();
    }

    /// The view is mature: every address gets an owner, preferred ones go home.
    pub(super) fn elect(&mut self) {
        self.formed = true;
        self.fill(true);
        let (addresses, slots) = self.slots();
        let members = self.seats.keys().copied().collect::<Vec<_>>();
        for (at, to) in assign::homeward(&slots) {
            self.hand_over(addresses[at], members[to], Cause::Preferred);
        }
        self.follow();
    }

    /// Loads are to be evened by about `most` moves. Nothing is done while others are under way.
    pub(super) fn balance(&mut self, most: usize) {
        if !self.formed || self.topics.values().any(|topic| topic.handover.is_some()) {
            return;
        }
        let (addresses, slots) = self.slots();
        let members = self.seats.keys().copied().collect::<Vec<_>>();
        for (at, to) in assign::balance(&slots, &self.weights(), most) {
            self.hand_over(addresses[at], members[to], Cause::Balanced);
        }
        self.follow();
    }

    /// Returns moves that even connections, at most `most`, of addresses that `is_free` to move. None while others are under
    /// way.
    pub(super) fn relief(
        &self,
        connections: &BTreeMap<MemberId, u64>,
        most: usize,
        is_free: impl Fn(IpAddr) -> bool,
    ) -> Vec<(IpAddr, MemberId)> {
        if !self.formed || self.topics.values().any(|topic| topic.handover.is_some()) {
            return Vec::new();
        }
        let (addresses, mut slots) = self.slots();
        for (slot, address) in slots.iter_mut().zip(&addresses) {
            slot.candidates = if is_free(*address) { slot.candidates } else { 0 };
        }
        let members = self.seats.keys().copied().collect::<Vec<_>>();
        let counts = members.iter().map(|member| connections.get(member).copied().unwrap_or_default());
        let moves = assign::relieve(&slots, &self.weights(), &counts.collect::<Vec<_>>(), most);
        moves.into_iter().map(|(at, to)| (addresses[at], members[to])).collect()
    }

    /// The leader would have these move, to even connections.
    pub(super) fn relieve(&mut self, moves: &[(IpAddr, MemberId)]) {
        if self.topics.values().any(|topic| topic.handover.is_some()) {
            return;
        }
        for (address, to) in moves {
            self.hand_over(*address, *to, Cause::Balanced);
        }
        self.follow();
    }

    /// A node has put addresses on its host, silent.
    pub(super) fn ready(&mut self, sender: MemberId, addresses: &[IpAddr]) {
        for address in addresses {
            let handover = self.topics.get_mut(address).and_then(|topic| topic.handover.as_mut());
            if let Some(handover) = handover.filter(|handover| handover.to == sender) {
                handover.phase = Phase::Releasing;
            }
        }
    }

    /// A node answers for addresses no more.
    pub(super) fn released(&mut self, sender: MemberId, addresses: &[IpAddr]) {
        for address in addresses {
            let topic = self.topics.get_mut(address).filter(|topic| topic.owner == Some(sender));
            let Some(topic) = topic else { continue };
            if let Some(Handover { to, phase: Phase::Releasing, cause }) =
                topic.handover.take_if(|handover| handover.phase == Phase::Releasing)
            {
                topic.owner = Some(to);
                self.changes.push(Change { address: *address, from: Some(sender), to: Some(to), cause });
            }
        }
        self.follow();
    }

    /// A node has seen that nobody else answers for addresses that it has.
    pub(super) fn opened(&mut self, sender: MemberId, addresses: &[IpAddr]) {
        for address in addresses {
            if let Some(topic) = self.topics.get_mut(address).filter(|topic| topic.owner == Some(sender)) {
                topic.ghost = None;
            }
        }
    }

    /// Tells whether loads are even: balancing has nothing to do.
    pub fn is_even(&self) -> bool {
        assign::balance(&self.slots().1, &self.weights(), 1).is_empty()
    }

    /// Returns who would get what if a node were gone.
    pub(super) fn heirs(&self, member: MemberId) -> Vec<Change> {
        let (addresses, mut slots) = self.slots();
        let members = self.seats.keys().copied().collect::<Vec<_>>();
        let Some(number) = members.iter().position(|other| *other == member) else { return Vec::new() };
        let had = slots.iter().map(|slot| slot.owner == Some(number)).collect::<Vec<_>>();
        for slot in &mut slots {
            slot.candidates &= !(1 << number);
            slot.owner = slot.owner.filter(|owner| *owner != number);
        }
        if !self.formed || !had.contains(&true) {
            return Vec::new();
        }
        // Those that nobody has stay so.
        let inherited = slots.iter_mut().zip(&had);
        inherited
            .filter(|(slot, had)| slot.owner.is_none() && !**had)
            .for_each(|(slot, _)| slot.candidates = 0);
        assign::fill(&mut slots, &self.weights());
        let of_member = slots.iter().zip(&addresses).zip(&had).filter(|(_, had)| **had);
        let to = of_member.map(|((slot, address), _)| (*address, slot.owner.map(|owner| members[owner])));
        let heirs = to.collect::<BTreeMap<_, _>>();
        let change = |address, to| Change { address, from: Some(member), to, cause: Cause::Silent };
        let followers =
            self.topics.iter().filter(|(_, topic)| topic.follow.is_some() && topic.owner == Some(member));
        let followers = followers.filter_map(|(address, topic)| {
            let to = (*heirs.get(&topic.follow?)?)?;
            let may = topic.candidates.contains(&to) && self.is_able(to, *address);
            may.then(|| change(*address, Some(to)))
        });
        let followers = followers.collect::<Vec<_>>();
        heirs.into_iter().map(|(address, to)| change(address, to)).chain(followers).collect()
    }

    /// Looks at all offers again, if they are others. Returns the topics as they were.
    fn topics_anew(&mut self) -> BTreeMap<IpAddr, Topic> {
        let same = |(known, (member, seat)): (&(MemberId, Offer), (&MemberId, &Seat))| {
            known.0 == *member && Arc::ptr_eq(&known.1, &seat.offer)
        };
        if self.judged.len() == self.seats.len() && self.judged.iter().zip(&self.seats).all(same) {
            return self.topics.clone();
        }
        self.judged = self.seats.iter().map(|(member, seat)| (*member, seat.offer.clone())).collect();
        let offers = self
            .seats
            .iter()
            .flat_map(|(member, seat)| seat.offer.iter().map(move |offered| (*member, offered)));
        core::mem::replace(&mut self.topics, topic::of_offers(offers))
    }

    /// Looks at all offers again, and gives what lost its owner to others.
    fn judge(&mut self, cause: Cause, clean: bool) {
        let before = self.topics_anew();
        self.orphans.retain(|address, _| self.topics.contains_key(address));
        for (address, Topic { owner, handover, ghost, .. }) in before {
            let Some(topic) = self.topics.get(&address) else {
                if owner.is_some() {
                    self.changes.push(Change { address, from: owner, to: None, cause });
                }
                continue;
            };
            let broken = topic.safety == Safety::Broken;
            let heir = handover.filter(|handover| {
                !broken && topic.candidates.contains(&handover.to) && self.is_able(handover.to, address)
            });
            let stays = owner.filter(|owner| {
                !broken && topic.candidates.contains(owner) && self.may_stay(*owner, address)
            });
            let Some(topic) = self.topics.get_mut(&address) else { continue };
            (topic.owner, topic.handover, topic.ghost) = (stays, heir, ghost);
            if owner == stays {
                continue;
            }
            topic.handover = None;
            if !clean {
                topic.haunt(owner);
            }
            if let Some(heir) = heir {
                topic.owner = Some(heir.to);
                self.changes.push(Change { address, from: owner, to: topic.owner, cause });
            } else if broken {
                self.changes.push(Change { address, from: owner, to: None, cause: Cause::Broken });
            } else {
                self.orphans.insert(address, Orphan { from: owner, cause });
            }
        }
        let lost = self.orphans.keys().copied().collect::<BTreeSet<_>>();
        self.fill(false);
        for address in lost.into_iter().filter(|address| self.orphans.contains_key(address)) {
            self.changes.push(Change { address, from: self.orphans[&address].from, to: None, cause });
        }
        self.follow();
    }
}

const _: () = assert!(crate::bounds::NODES_MAX <= 64);
