//! Questions on the wire, and the controls without which silence would prove nothing.
//!
//! A host that hears nobody on a segment, or hears them late, finds every address of it unanswered for. So it asks in each
//! round for addresses that other nodes hold there, too, and after those that it wants to know of: if these answers came, the
//! others would have. When nobody else holds an address there, or none of these answers for as long as it takes a dead
//! daemon's lease to run out twice, silence is believed without.
use super::{Holder, Instant, IpAddr, MemberId, Output, Vec};
use crate::vip::{Ghost, inquest};
use alloc::collections::{BTreeMap, BTreeSet};

impl Holder {
    /// Has the wire asked for the addresses of an inquest.
    pub(super) fn ask_wire(&mut self, now: Instant, ghost: Ghost) {
        self.probes += 1;
        let Some(inquest) = self.inquests.get_mut(&ghost) else { return };
        inquest.state = inquest::State::Asking(self.probes);
        let (addresses, since) = (inquest.sample.clone(), inquest.since);
        let is_young = now.since(since) <= self.settings.lease.times(2);
        let controls = if is_young { self.controls(ghost, &addresses) } else { Vec::new() };
        let (id, every, lasting) = (self.probes, inquest::EVERY, inquest::LASTING);
        self.emit(Output::Probe { id, addresses, controls, every, lasting });
    }

    /// Returns addresses that other nodes, of which there is no doubt, hold on the same devices; one of each.
    fn controls(&self, ghost: Ghost, addresses: &[IpAddr]) -> Vec<IpAddr> {
        let device = |address: &IpAddr| self.settings.interfaces.get(address);
        let devices = addresses.iter().filter_map(device).collect::<BTreeSet<_>>();
        let is_trusted = |member: &MemberId| {
            let is_other = Some(*member) != self.own && Ghost::Of(*member) != ghost;
            is_other && self.is_here(*member) && !self.doubts.contains_key(member)
        };
        let mut of = BTreeMap::new();
        for (address, topic) in self.table.topics() {
            let Some(owner) = topic.owner.filter(is_trusted) else { continue };
            let is_quiet = topic.ghost.is_none() && topic.handover.is_none();
            if is_quiet && device(address).is_some_and(|device| devices.contains(device)) {
                of.entry(owner).or_insert(*address);
            }
        }
        of.into_values().take(CONTROLS).collect()
    }
}

/// Nodes that are asked beside. chosen: two may be about to fail with the one that did.
const CONTROLS: usize = 3;
