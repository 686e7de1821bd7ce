//! Keeping the host as it shall be: what the kernel tells at once, and the passes that miss nothing.
use super::{
    Event,
    plumbing::Survey,
    segment::Segment,
    table::{LinkState, Links, Spot},
    thread::Thread,
    watch::Change,
};
use crate::host::gate::{Error as GateError, Standing};
use convoy_core::vip::Want;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::IpAddr,
    sync::Arc,
    time::Instant,
};

impl Thread {
    /// Takes the plan as it is now, and surveys the host at once.
    pub(super) fn adopt(&mut self, now: Instant) {
        let hooks = &self.plan.hooks;
        let has_hooks = |address: IpAddr| hooks.get(&address).is_some_and(|hooks| !hooks.is_empty());
        let added = self.table.adopt(&self.plan.managed, has_hooks);
        if let Err(error) = self.gate.set(&added, Standing::Silent) {
            self.trouble(format!("cannot fence addresses: {error}"));
            self.fail(&added, &error.to_string(), now);
        }
        self.announcer.set_refresh(self.plan.refresh, now);
        let interfaces = self.interfaces();
        self.links.retain(|name, _| interfaces.contains(&**name));
        self.segments.retain(|name, _| interfaces.contains(&**name));
        if let Err(error) = self.gate.detach_others(&interfaces) {
            self.trouble(error.to_string());
        }
        for interface in interfaces {
            self.attach(&interface);
        }
        for address in self.table.those(|_| true) {
            self.settle(address);
        }
        self.told_up.clear();
        self.check_at = now;
    }

    /// Returns the names of the links that matter: of the plan, and of addresses that are still to go.
    fn interfaces(&self) -> BTreeSet<String> {
        self.table.iter().map(|(_, entry)| entry.place.interface.to_string()).collect()
    }

    fn attach(&mut self, interface: &str) {
        match self.gate.attach(interface) {
            // Told as a link that is down.
            Ok(()) | Err(GateError::NoInterface { .. }) => {}
            Err(error) => self.trouble(format!("addresses on {interface} are not fenced: {error}")),
        }
    }

    /// Takes note of what the kernel told.
    pub(super) fn take_changes(&mut self, changes: Vec<Change>, now: Instant) {
        for change in changes {
            match change {
                Change::Added(address, spot) => self.appeared(address, spot),
                Change::Deleted(address, spot) => self.disappeared(address, spot, now),
                Change::Link(name, link) => self.link_is(&name, link, now),
                Change::NoLink(index) => self.link_is_gone(index),
                Change::Lost => {
                    self.figures.overruns += 1;
                    for address in self.table.those(|entry| entry.own_deletes > 0) {
                        if let Some(entry) = self.table.get_mut(address) {
                            entry.own_deletes = 0;
                        }
                    }
                    self.check_at = now;
                }
            }
        }
    }

    fn appeared(&mut self, address: IpAddr, spot: Spot) {
        // While own deletions are still to be told, this was before them.
        let Some(entry) = self.table.get(address) else { return };
        if entry.own_deletes > 0 || entry.found.contains(&spot) {
            return;
        }
        if let Some(entry) = self.table.touch(address) {
            entry.found.push(spot);
        }
        self.settle(address);
    }

    fn disappeared(&mut self, address: IpAddr, spot: Spot, now: Instant) {
        let Some(entry) = self.table.get_mut(address) else { return };
        if entry.own_deletes > 0 {
            entry.own_deletes -= 1;
            return;
        }
        let found = entry.found.iter().copied().filter(|found| *found != spot).collect();
        self.is_found(address, found, now);
    }

    /// Takes note of where an address is.
    fn is_found(&mut self, address: IpAddr, found: Vec<Spot>, now: Instant) {
        let Some(entry) = self.table.touch(address) else { return };
        let was_plumbed = entry.is_plumbed(&self.links);
        entry.found = found;
        if was_plumbed && !entry.is_plumbed(&self.links) && entry.want != Want::Absent && !entry.vanished {
            entry.vanished = true;
            self.outbox.tell(Event::Vanished { address });
            self.was_removed(address, now);
        }
        self.settle(address);
    }

    /// Somebody who removes an address again and again would have it flap on the wire: after a while it is given up until
    /// the next pass, and the others are told that it cannot be held here.
    fn was_removed(&mut self, address: IpAddr, now: Instant) {
        let (check, limit) = (self.plan.check, self.plan.down_limit);
        let Some(entry) = self.table.get_mut(address) else { return };
        let since = entry.removals.1.filter(|since| now.duration_since(*since) < check).unwrap_or(now);
        let count = if since == now { 1 } else { entry.removals.0 + 1 };
        entry.removals = (count, Some(since));
        if count > limit {
            let interface = entry.place.interface.clone();
            let passed = now.duration_since(since).as_secs();
            let again = since + check;
            let wait = again.duration_since(now).as_secs();
            let why = format!(
                "{address} was removed from {interface} {count} times in {passed} s by somebody else; it is added again in {wait} s \
                 (if_down_limit); find who removes it: ip monitor address"
            );
            self.fail_until(&[address], &why, again);
        }
    }

    fn link_is(&mut self, name: &Arc<str>, link: LinkState, now: Instant) {
        let renamed = self.links.iter().find(|(other, known)| known.index == link.index && *other != name);
        if let Some(other) = renamed.map(|(other, _)| other.clone()) {
            self.lose(&other);
        }
        if !self.table.iter().any(|(_, entry)| entry.place.interface == *name) {
            return;
        }
        let before = self.links.insert(name.clone(), link);
        let is_same = self.segments.get(name).is_some_and(|segment| segment.is_of(&link));
        if before == Some(link) && is_same {
            return;
        }
        if !is_same {
            self.attach(name);
            self.promote(name);
            match Segment::open(name, link) {
                Ok(segment) => {
                    self.segments.insert(name.clone(), segment);
                }
                Err(error) => self.trouble(format!(
                    "cannot announce or probe on {name}: {error}; give convoyd CAP_NET_RAW, and see `ip link show {name}`"
                )),
            }
        }
        self.tell_link(name, link.up);
        self.settle_on(name);
        if link.up {
            for address in self.table.those(|entry| entry.open && entry.place.interface == *name) {
                self.announcer.add(address, now);
            }
        }
    }

    fn link_is_gone(&mut self, index: u32) {
        let name = self.links.iter().find(|(_, link)| link.index == index).map(|(name, _)| name.clone());
        if let Some(name) = name {
            self.lose(&name);
        }
        for address in self.table.those(|entry| entry.found.iter().any(|spot| spot.index == index)) {
            if let Some(entry) = self.table.touch(address) {
                entry.found.retain(|spot| spot.index != index);
            }
            self.settle(address);
        }
    }

    fn lose(&mut self, name: &Arc<str>) {
        self.links.remove(name);
        self.segments.remove(name);
        self.tell_link(name, false);
        self.settle_on(name);
    }

    fn tell_link(&mut self, name: &Arc<str>, up: bool) {
        if self.told_up.insert(name.clone(), up) != Some(up) {
            self.outbox.tell(Event::Link { interface: name.clone(), up });
        }
    }

    fn settle_on(&mut self, name: &str) {
        for address in self.table.those(|entry| &*entry.place.interface == name) {
            self.settle(address);
        }
    }

    /// Has the kernel keep the other addresses of a network when its first one is deleted.
    fn promote(&mut self, name: &str) {
        let brings_network = |address: &IpAddr, prefix_len: u8| address.is_ipv4() && prefix_len < 32;
        let is_needed = self.table.iter().any(|(address, entry)| {
            &*entry.place.interface == name && brings_network(&address, entry.place.prefix_len)
        });
        if !is_needed {
            return;
        }
        let setting = format!("/proc/sys/net/ipv4/conf/{name}/promote_secondaries");
        let is_set = fs::read_to_string(&setting).is_ok_and(|value| value.trim() != "0");
        if !is_set && let Err(error) = fs::write(&setting, "1") {
            self.trouble(format!(
                "cannot set {setting}: {error}; until it is 1, addresses of the same network may go when one of ours does"
            ));
        }
    }

    /// Compares what the host has with what is known, and mends what differs; what changed since `since` is newer.
    pub(super) fn take_survey(&mut self, found: Survey, since: u64, now: Instant) {
        let present: Links = found.links.into_iter().collect();
        let gone: Vec<u32> = self
            .links
            .iter()
            .filter(|(name, link)| present.get(*name).is_none_or(|other| other.index != link.index))
            .map(|(_, link)| link.index)
            .collect();
        for index in gone {
            self.link_is_gone(index);
        }
        for interface in self.interfaces() {
            match present.get_key_value(&*interface) {
                Some((name, link)) => {
                    self.link_is(name, *link, now);
                    self.tell_link(name, link.up);
                }
                None => self.tell_link(&interface.into(), false),
            }
        }
        let mut there: BTreeMap<IpAddr, Vec<Spot>> = BTreeMap::new();
        for (address, spot) in found.addresses {
            if self.table.get(address).is_some() {
                there.entry(address).or_default().push(spot);
            }
        }
        for address in self.table.those(|entry| entry.touched <= since && !entry.busy) {
            let spots = there.remove(&address).unwrap_or_default();
            self.is_found(address, spots, now);
        }
        let ours: BTreeSet<u32> = self.links.values().map(|link| link.index).collect();
        let heard: Vec<_> = found
            .neighbours
            .into_iter()
            .filter(|(index, ..)| ours.contains(index))
            .map(|(_, address, mac, age_s)| (address, mac, age_s))
            .collect();
        self.neighbours = heard.iter().map(|(address, mac, _)| (*address, *mac)).collect();
        self.gather_hosts();
        self.outbox.tell(Event::Neighbours(heard));
    }

    /// Lets go of addresses that have left the host.
    pub(super) fn give_up(&mut self) {
        let given_up = std::mem::take(&mut self.given_up);
        let still: Vec<IpAddr> = given_up
            .into_iter()
            .filter(|address| {
                self.table
                    .get(*address)
                    .is_some_and(|entry| !entry.managed && entry.found.is_empty() && !entry.busy)
            })
            .collect();
        if let Err(error) = self.gate.forget(&still) {
            self.trouble(format!("cannot let the kernel answer for {still:?} as it likes: {error}"));
        }
        for address in still {
            self.table.drop(address);
        }
    }
}
