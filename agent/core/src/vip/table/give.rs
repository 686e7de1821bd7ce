//! How addresses get owners: those that nobody has, those that a node is to be rid of, those that follow others.
use super::{
    BTreeMap, Cause, Change, Handover, IpAddr, MemberId, Orphan, Phase, Safety, Seat, Slot, Table, Topic,
    Vec, assign,
};

impl Table {
    /// Tells whether a node may go on holding what it has.
    pub(super) fn may_stay(&self, member: MemberId, address: IpAddr) -> bool {
        self.seats.get(&member).is_some_and(|seat| !seat.fenced && !seat.unable.contains(&address))
    }

    /// Gives addresses without an owner to those that have least; those that never had one only if `all`.
    pub(super) fn fill(&mut self, all: bool) {
        if !self.formed || (!all && self.orphans.is_empty()) {
            return;
        }
        let (addresses, mut slots) = self.slots();
        for (slot, address) in slots.iter_mut().zip(&addresses) {
            if !all && slot.owner.is_none() && !self.orphans.contains_key(address) {
                slot.candidates = 0;
            }
        }
        let before = slots.iter().map(|slot| slot.owner).collect::<Vec<_>>();
        assign::fill(&mut slots, &self.weights());
        for ((slot, before), address) in slots.iter().zip(before).zip(addresses) {
            if let (None, Some(owner)) = (before, slot.owner) {
                self.adopt(address, owner);
            }
        }
    }

    /// The node with this number gets an address that nobody has.
    pub(super) fn adopt(&mut self, address: IpAddr, owner: usize) {
        let to = self.seats.keys().nth(owner).copied();
        let orphan = self.orphans.remove(&address);
        let Orphan { from, cause } = orphan.unwrap_or(Orphan { from: None, cause: Cause::Elected });
        if let Some(topic) = self.topics.get_mut(&address) {
            if orphan.is_none() {
                // Nobody here knows whether somebody has it: a node that left before, or a stranger.
                topic.haunt(None);
            }
            topic.owner = to;
            self.changes.push(Change { address, from, to, cause });
        }
    }

    /// Nobody is left with what a node has, if others can have it.
    pub(super) fn empty(&mut self, member: MemberId, cause: Cause) {
        let (addresses, mut slots) = self.slots();
        let members = self.seats.keys().copied().collect::<Vec<_>>();
        let Some(number) = members.iter().position(|other| *other == member) else { return };
        let its = slots.iter().map(|slot| slot.owner == Some(number)).collect::<Vec<_>>();
        slots.iter_mut().zip(&its).filter(|(_, its)| **its).for_each(|(slot, _)| slot.owner = None);
        assign::fill(&mut slots, &self.weights());
        for ((slot, address), its) in slots.iter().zip(addresses).zip(its) {
            if let (true, Some(to)) = (its, slot.owner) {
                self.hand_over(address, members[to], cause);
            }
        }
        self.follow();
    }

    /// Begins to move an address to a node that can have it.
    pub(super) fn hand_over(&mut self, address: IpAddr, to: MemberId, cause: Cause) {
        let able = self.is_able(to, address);
        let Some(topic) = self.topics.get_mut(&address) else { return };
        if !able || !topic.candidates.contains(&to) || topic.safety == Safety::Broken || topic.is_for(to) {
            return;
        }
        match topic.owner {
            Some(owner) if owner == to => topic.handover = None,
            Some(_) => topic.handover = Some(Handover { to, phase: Phase::Preparing, cause }),
            None => {
                let number = self.seats.keys().position(|member| *member == to);
                if let Some(number) = number {
                    self.adopt(address, number);
                }
            }
        }
    }

    /// Addresses that follow others go where those are, or are about to go.
    pub(super) fn follow(&mut self) {
        let wanted = |topic: &Topic| {
            let target = self.topics.get(&topic.follow?)?;
            target.handover.map(|handover| handover.to).or(target.owner)
        };
        let followers = self.topics.iter().filter(|(_, topic)| topic.follow.is_some());
        let moves = followers.filter_map(|(address, topic)| Some((*address, wanted(topic)?)));
        for (address, to) in moves.collect::<Vec<_>>() {
            self.hand_over(address, to, Cause::Followed);
        }
    }

    /// Returns the addresses that move on their own, and each as a slot; nodes are numbered in the order of the seats.
    pub(super) fn slots(&self) -> (Vec<IpAddr>, Vec<Slot>) {
        let numbers = self
            .seats
            .keys()
            .enumerate()
            .map(|(number, member)| (*member, number))
            .collect::<BTreeMap<_, _>>();
        let number = |member: MemberId| numbers.get(&member).copied();
        let able = self
            .seats
            .values()
            .map(|seat| !(seat.fenced || seat.leaving || seat.differs || self.is_drained(&seat.name)));
        let able = able.collect::<Vec<_>>();
        let slot = |(address, topic): (&IpAddr, &Topic)| {
            let may = |(number, (member, seat)): (usize, (&MemberId, &Seat))| {
                let may = able[number] && topic.candidates.contains(member) && !seat.unable.contains(address);
                u64::from(may) << number
            };
            let candidates = self.seats.iter().enumerate().map(may).sum();
            let owner = topic.handover.map(|handover| handover.to).or(topic.owner);
            let preference = topic.preference.as_deref().and_then(|name| self.named(name)).and_then(number);
            (*address, Slot { candidates, owner: owner.and_then(number), preference })
        };
        let free = |(_, topic): &(&IpAddr, &Topic)| topic.follow.is_none() && topic.safety != Safety::Broken;
        self.topics.iter().filter(free).map(slot).unzip()
    }

    pub(super) fn weights(&self) -> Vec<u32> {
        self.seats.values().map(|seat| seat.weight).collect()
    }
}
