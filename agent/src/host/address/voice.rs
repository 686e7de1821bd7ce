//! What is said to a segment and heard from it: announcements that leave, answers and conflicts that come in.
use super::{
    Event,
    announce::{Announcement, BURST},
    segment::Heard,
    thread::Thread,
};
use convoy_core::{
    bounds,
    vip::Want,
    wire::{
        arp::{self, Arp, Mac},
        ndp::{self, Ndp},
    },
};
use std::{
    collections::BTreeSet,
    io,
    net::IpAddr,
    time::{Duration, Instant},
};

impl Thread {
    /// Sends the announcements that are due and may leave.
    pub(super) fn announce(&mut self, now: Instant) {
        for _ in 0..BURST {
            let to = self.listeners();
            let next = self.announcer.next(now, |address| to[family(address)].max(1));
            let Some(announcement) = next else { return };
            match self.send(announcement) {
                Ok(frames) => self.figures.announced += frames,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return self.announcer.put_back(announcement, now);
                }
                // The link is down; what is held there is announced when it comes up.
                Err(_) => self.figures.unsent += 1,
            }
        }
    }

    /// Returns the number of frames that an announcement takes, for each family.
    fn listeners(&self) -> [u32; 2] {
        if self.plan.arp_all_hosts {
            return [1, 1];
        }
        [&self.hosts[0], &self.hosts[1]].map(|hosts| u32::try_from(hosts.len()).unwrap_or(u32::MAX))
    }

    fn send(&mut self, announcement: Announcement) -> io::Result<u64> {
        let Announcement { address, form } = announcement;
        let gone = || io::Error::from(io::ErrorKind::NetworkDown);
        let entry = self.table.get(address).ok_or_else(gone)?;
        let segment = self.segments.get_mut(&entry.place.interface).ok_or_else(gone)?;
        let mac = segment.mac();
        let everybody = [match address {
            IpAddr::V4(_) => arp::BROADCAST,
            IpAddr::V6(_) => ndp::multicast_mac(ndp::ALL_NODES),
        }];
        let to: &[Mac] = if self.plan.arp_all_hosts { &everybody } else { &self.hosts[family(address)] };
        for host in to {
            match address {
                IpAddr::V4(address) => segment.send(&Arp::announcement(form, mac, address).emit(*host))?,
                IpAddr::V6(address) => {
                    segment
                        .send(Ndp::announcement(mac, address, ndp::ALL_NODES).emit(mac, *host).as_ref())?;
                }
            }
        }
        Ok(u64::try_from(to.len()).unwrap_or(u64::MAX))
    }

    /// Brings the hosts of interest together: those ordered and this host's neighbours, none of its own.
    pub(super) fn gather_hosts(&mut self) {
        let own: Vec<Mac> = self.links.values().map(|link| link.mac).collect();
        let mut hosts: [BTreeSet<Mac>; 2] = Default::default();
        let mut untold = 0;
        for (address, mac) in self.interest.iter().chain(&self.neighbours) {
            let hosts = &mut hosts[family(*address)];
            if own.contains(mac) || hosts.contains(mac) {
                continue;
            }
            if hosts.len() < bounds::HOSTS_OF_INTEREST_MAX {
                hosts.insert(*mac);
            } else {
                untold += 1;
            }
        }
        self.figures.untold = untold;
        self.hosts = hosts.map(|hosts| hosts.into_iter().collect());
    }

    /// Reads what was heard: it ends probes, and tells of conflicts.
    pub(super) fn hear(&mut self, now: Instant) {
        let mut heard = Vec::new();
        self.more_to_hear = false;
        for (name, segment) in &mut self.segments {
            let before = heard.len();
            self.more_to_hear |= segment.hear(&mut heard);
            let own = segment.mac();
            for Heard { address, mac } in heard.iter().skip(before).filter(|heard| heard.mac != own) {
                for (id, found) in self.probes.heard(*address, name, *mac) {
                    self.outbox.tell(Event::Probed { id, found });
                }
            }
        }
        let own: Vec<Mac> = self.links.values().map(|link| link.mac).collect();
        for Heard { address, mac } in heard {
            let is_held = |entry: &super::table::Entry| entry.open && entry.want == Want::Held;
            if own.contains(&mac) || !self.table.get(address).is_some_and(is_held) {
                continue;
            }
            let last = self.conflicts.get(&address);
            if last.is_none_or(|last| now.duration_since(*last) >= CONFLICT_PAUSE) {
                self.conflicts.insert(address, now);
                self.outbox.tell(Event::Conflict { address, mac });
            }
        }
    }
}

fn family(address: IpAddr) -> usize {
    usize::from(address.is_ipv6())
}

/// Time between two reports of a conflict over one address.
const CONFLICT_PAUSE: Duration = Duration::from_secs(1);
