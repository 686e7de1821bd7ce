//! What is to become of each managed address, where it is on the host, and the next step for each.
//!
//! Every address waits in at most one [`Lane`], the one of its next step; a newer order moves it to another. Invariants: 1.
//! a gate closes before anything else happens to its address; 2. an address that is in a slice of netlink work waits in no
//! lane but that; 3. only addresses that configuration names, or named since this process began, are in the table, so
//! nothing else is ever touched. Pure: steps are carried out elsewhere and reported back.
use super::Place;
use convoy_core::vip::Want;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Instant,
};

/// The next step of an address, in the order in which lanes are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Close its gate.
    Close,
    /// Open its gate and announce it.
    Open,
    /// Add it to its link; it is to be held.
    AddHeld,
    /// Run the hooks before it goes.
    Leaving,
    /// Delete it from wherever it is not to be.
    Delete,
    /// Add it to its link; it is to be silent.
    AddSilent,
    /// Run the hooks after it came.
    Plumbed,
}

/// Where on the host an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// Of the link.
    pub(super) index: u32,
    /// Of the address there.
    pub(super) prefix_len: u8,
}

/// A link that the plan names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkState {
    pub(super) index: u32,
    pub(super) mac: convoy_core::wire::arp::Mac,
    /// Switched on, with a carrier.
    pub(super) up: bool,
}

/// The links that the plan names and that exist, by name.
pub(super) type Links = BTreeMap<Arc<str>, LinkState>;

/// One managed address.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own; the lane follows from all of them"
)]
pub(super) struct Entry {
    pub(super) place: Place,
    /// Configuration still names it.
    pub(super) managed: bool,
    pub(super) want: Want,
    /// The order that says so; 0 before the first.
    pub(super) order: u64,
    /// Everywhere it is, as far as is known.
    pub(super) found: Vec<Spot>,
    /// Its gate is open.
    pub(super) open: bool,
    /// The gate was told that it is silent and on the host.
    pub(super) standby: bool,
    pub(super) has_hooks: bool,
    /// The hooks after plumbing were started, and those before unplumbing were not.
    pub(super) serving: bool,
    /// Its hooks run.
    pub(super) hooking: bool,
    /// It is in a slice.
    pub(super) busy: bool,
    /// Why the last attempt failed, and when the next is due.
    pub(super) failure: Option<(String, Instant)>,
    /// Attempts that failed, one after the other.
    pub(super) failures: u32,
    /// Own deletions whose notifications are still to come.
    pub(super) own_deletes: u32,
    /// It was removed behind our back and is not back yet.
    pub(super) vanished: bool,
    /// Removals behind our back, and when the first of them was.
    pub(super) removals: (u32, Option<Instant>),
    /// Somebody waits to be told what became of the last order.
    pub(super) answer_due: bool,
    /// The table's tick at which `found` was last changed.
    pub(super) touched: u64,
    lane: Option<Lane>,
}

/// All managed addresses.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: BTreeMap<IpAddr, Entry>,
    lanes: [BTreeSet<IpAddr>; LANES],
    tick: u64,
}

impl Entry {
    /// Returns where it belongs, if its link exists.
    pub(super) fn spot(&self, links: &Links) -> Option<Spot> {
        let link = links.get(&self.place.interface)?;
        Some(Spot { index: link.index, prefix_len: self.place.prefix_len })
    }

    /// Tells whether it is where it belongs.
    pub(super) fn is_plumbed(&self, links: &Links) -> bool {
        self.spot(links).is_some_and(|spot| self.found.contains(&spot))
    }

    /// Returns how far it has come.
    pub(super) fn now(&self, links: &Links) -> Want {
        match (self.is_plumbed(links), self.open) {
            (false, _) => Want::Absent,
            (true, false) => Want::Silent,
            (true, true) => Want::Held,
        }
    }

    /// Returns the places from which it is to be deleted.
    pub(super) fn strays(&self, links: &Links) -> Vec<Spot> {
        let keep = if self.want == Want::Absent { None } else { self.spot(links) };
        self.found.iter().copied().filter(|spot| Some(*spot) != keep).collect()
    }

    /// Returns the next step, or nothing when it is done or cannot go on for now.
    fn next(&self, links: &Links) -> Option<Lane> {
        if self.open && self.want != Want::Held {
            return Some(Lane::Close);
        }
        if self.busy {
            return None;
        }
        let plumbed = self.is_plumbed(links);
        if self.want == Want::Held && plumbed && !self.open {
            return Some(Lane::Open);
        }
        let is_blocked = self.failure.is_some();
        if !self.strays(links).is_empty() && !is_blocked {
            return match (self.want, self.serving, self.hooking) {
                (Want::Absent, _, true) => None,
                (Want::Absent, true, false) => Some(Lane::Leaving),
                _ => Some(Lane::Delete),
            };
        }
        let is_up = links.get(&self.place.interface).is_some_and(|link| link.up);
        match (self.want, plumbed) {
            (Want::Held, false) if is_up && !is_blocked => Some(Lane::AddHeld),
            (Want::Silent, false) if is_up && !is_blocked => Some(Lane::AddSilent),
            (Want::Held | Want::Silent, true) if self.has_hooks && !self.serving && !self.hooking => {
                Some(Lane::Plumbed)
            }
            _ => None,
        }
    }
}

impl Table {
    /// Takes the names of another plan. Returns the addresses that are new; those that are no longer named are wanted
    /// absent from now on.
    pub(super) fn adopt(
        &mut self,
        managed: &BTreeMap<IpAddr, Place>,
        has_hooks: impl Fn(IpAddr) -> bool,
    ) -> Vec<IpAddr> {
        for (address, entry) in &mut self.entries {
            entry.managed = managed.contains_key(address);
            if !entry.managed {
                entry.want = Want::Absent;
                entry.answer_due = false;
            }
        }
        let mut added = Vec::new();
        for (address, place) in managed {
            let entry = self.entries.entry(*address).or_insert_with(|| {
                added.push(*address);
                Entry::new(place.clone())
            });
            entry.place = place.clone();
            entry.has_hooks = has_hooks(*address);
        }
        added
    }

    /// Looks an address up.
    pub(super) fn get(&self, address: IpAddr) -> Option<&Entry> {
        self.entries.get(&address)
    }

    /// Looks an address up to change it; follow with [`settle`](Self::settle).
    pub(super) fn get_mut(&mut self, address: IpAddr) -> Option<&mut Entry> {
        self.entries.get_mut(&address)
    }

    /// Looks an address up to change where it is; marks it as changed since any survey that has begun.
    pub(super) fn touch(&mut self, address: IpAddr) -> Option<&mut Entry> {
        self.tick += 1;
        let entry = self.entries.get_mut(&address)?;
        entry.touched = self.tick;
        Some(entry)
    }

    /// Returns the time of the table, which passes when something in it is touched.
    pub(super) fn tick(&self) -> u64 {
        self.tick
    }

    /// Puts an address into the lane of its next step. Tells whether it came to rest: nothing further happens to it
    /// without news.
    pub(super) fn settle(&mut self, address: IpAddr, links: &Links) -> bool {
        let Some(entry) = self.entries.get_mut(&address) else { return false };
        let next = entry.next(links);
        if entry.lane != next {
            if let Some(lane) = entry.lane {
                self.lanes[lane.index()].remove(&address);
            }
            if let Some(lane) = next {
                self.lanes[lane.index()].insert(address);
            }
            entry.lane = next;
        }
        matches!(next, None | Some(Lane::Plumbed))
            && !entry.busy
            && !(entry.hooking && entry.want == Want::Absent)
    }

    /// Takes up to `most` addresses out of a lane. Each is to be settled again when its step is done.
    pub(super) fn take(&mut self, lane: Lane, most: usize) -> Vec<IpAddr> {
        let waiting = &mut self.lanes[lane.index()];
        let taken: Vec<IpAddr> = std::iter::from_fn(|| waiting.pop_first()).take(most).collect();
        for address in &taken {
            if let Some(entry) = self.entries.get_mut(address) {
                entry.lane = None;
            }
        }
        taken
    }

    /// Tells whether addresses wait in a lane.
    pub(super) fn waits(&self, lane: Lane) -> bool {
        !self.lanes[lane.index()].is_empty()
    }

    /// Drops an address that configuration does not name any more.
    pub(super) fn drop(&mut self, address: IpAddr) {
        if let Some(entry) = self.entries.remove(&address)
            && let Some(lane) = entry.lane
        {
            self.lanes[lane.index()].remove(&address);
        }
    }

    /// Returns all addresses and what is known of each, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (IpAddr, &Entry)> {
        self.entries.iter().map(|(address, entry)| (*address, entry))
    }

    /// Returns the number of addresses.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the addresses of which this holds, to be gone through while the table changes.
    pub(super) fn those(&self, which: impl Fn(&Entry) -> bool) -> Vec<IpAddr> {
        self.iter().filter(|(_, entry)| which(entry)).map(|(address, _)| address).collect()
    }
}

impl Entry {
    fn new(place: Place) -> Self {
        Self {
            place,
            managed: true,
            want: Want::Absent,
            order: 0,
            found: Vec::new(),
            open: false,
            standby: false,
            has_hooks: false,
            serving: false,
            hooking: false,
            busy: false,
            failure: None,
            failures: 0,
            own_deletes: 0,
            vanished: false,
            removals: (0, None),
            answer_due: false,
            touched: 0,
            lane: None,
        }
    }
}

impl Lane {
    fn index(self) -> usize {
        match self {
            Self::Close => 0,
            Self::Open => 1,
            Self::AddHeld => 2,
            Self::Leaving => 3,
            Self::Delete => 4,
            Self::AddSilent => 5,
            Self::Plumbed => 6,
        }
    }
}

const LANES: usize = 7;

#[cfg(test)]
mod tests;
