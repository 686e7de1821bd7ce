//! What the members say, at its place in the agreed order.
use super::{Change, Exchange, Holder, Output};
use crate::{
    bounds,
    group::bus::MemberId,
    time::{Instant, Span},
    vip::{Offer, Offered, Table, exchange::Progress, table::Report},
    wire::vip::{Neighbour, Said},
};
use alloc::{collections::BTreeMap, vec::Vec};

impl Holder {
    pub(super) fn on_said(&mut self, now: Instant, sender: MemberId, said: Said) {
        let complete = self.nodes.iter().all(|node| self.table.seats().contains_key(node));
        let Some(exchange) = &mut self.exchange else { return self.take(now, sender, said) };
        match exchange.take(sender, said, complete) {
            Progress::Waiting => {}
            Progress::Report => {
                let epoch = exchange.epoch();
                self.report(epoch);
            }
            Progress::Equal => self.settle(now, None),
            Progress::Reports(reports) => self.settle(now, Some(reports)),
        }
    }

    /// All members have one table from here on.
    fn settle(&mut self, now: Instant, reports: Option<BTreeMap<MemberId, Report>>) {
        let (Some(view), Some(exchange)) = (self.view.clone(), self.exchange.take()) else { return };
        self.settled_at = now;
        let differing = view.differences();
        let differs =
            |name: &str| differing.iter().any(|difference| difference.name.eq_ignore_ascii_case(name));
        let members = self.nodes.iter().filter_map(|id| view.members.get(id));
        let members =
            members.map(|member| (member.id, differs(&member.card.name))).collect::<BTreeMap<_, _>>();
        let merged = reports.is_some();
        let changes = if let Some(reports) = reports {
            let table = Table::merged(&view, &members, &reports);
            let changes = table.changes_since(&self.table);
            self.table = table;
            changes
        } else {
            self.table.set_members(&members);
            self.table.take_changes()
        };
        self.untell();
        if merged {
            self.opened.clear();
        }
        self.absorb(now, &changes);
        self.apply(now, exchange);
        self.drop_settled_doubts();
        self.refresh_all(now);
        if merged {
            // Caches of the parts that were apart may say anything.
            self.emit(Output::Announce(Vec::new()));
            // Who has come knows of nobody's neighbours, and is given addresses before they are told of again.
            self.share_neighbours();
        }
        self.ask_if_need_be(now);
    }

    /// Takes what waited for an exchange to end.
    pub(super) fn apply(&mut self, now: Instant, exchange: Exchange) {
        for (sender, said) in exchange.into_waiting() {
            self.take(now, sender, said);
        }
    }

    fn take(&mut self, now: Instant, sender: MemberId, said: Said) {
        match said {
            Said::Neighbours(neighbours) => return self.on_neighbours(now, sender, neighbours),
            Said::Part(part) => {
                let gathered = self.gathering.entry(sender).or_default();
                if !gathered.take(part) {
                    return;
                }
                let Some(gathered) = self.gathering.remove(&sender) else { return };
                let report = gathered.into_report();
                self.note_offer(now, sender, &report.offer);
                self.table.set_offer(sender, report.offer, report.weight);
            }
            Said::Elect { epoch } if Some(epoch) == self.epoch() => {
                self.table.elect();
                self.elected = true;
                self.balance_at = Some(now + self.settings.balance_interval);
            }
            Said::Balance { epoch, most } if Some(epoch) == self.epoch() => {
                self.table.balance(usize::try_from(most).unwrap_or(usize::MAX));
            }
            Said::Relieve { epoch, moves } if Some(epoch) == self.epoch() => self.table.relieve(&moves),
            Said::Move { node, addresses } => {
                if let Some(to) = self.table.named(&node) {
                    self.table.ask_for(&addresses, to);
                }
            }
            Said::Ready(addresses) => self.table.ready(sender, &addresses),
            Said::Released(addresses) => self.table.released(sender, &addresses),
            Said::Opened(addresses) => {
                self.table.opened(sender, &addresses);
                return self.refresh(now, addresses.into_iter());
            }
            Said::Able { able, addresses } => self.table.set_able(sender, &addresses, able),
            Said::Drain { on, node } => {
                self.table.drain(&node, on);
                // Who may have something again gets it by an election.
                (self.elected, self.called) = (self.elected && on, 0);
            }
            Said::TakeOver(member) => self.on_taken_over(now, member),
            Said::Ask { epoch, number } if Some(epoch) == self.epoch() => self.on_ask(now, sender, number),
            // Of a view that is over, or that is not this node's: whoever asks there does not know what has happened here.
            Said::Digest { .. }
            | Said::Elect { .. }
            | Said::Balance { .. }
            | Said::Relieve { .. }
            | Said::Ask { .. } => return,
            Said::Agree { to, number } => self.on_agree(now, sender, to, number),
            Said::Leave => self.table.leave(sender),
        }
        let changes = self.table.take_changes();
        self.absorb(now, &changes);
        self.drop_settled_doubts();
        // A move that began concerns nodes that no change names yet.
        self.refresh_moving(now);
    }

    /// A member offers this from now on: what is another offer than before is as old as that.
    fn note_offer(&mut self, now: Instant, sender: MemberId, offer: &Offer) {
        let before = self.table.seats().get(&sender).map(|seat| seat.offer.clone()).unwrap_or_default();
        let has = |offer: &Offer, offered: &Offered| offer.binary_search(offered).is_ok();
        let gone = before.iter().filter(|offered| !has(offer, offered));
        let new = offer.iter().filter(|offered| !has(&before, offered));
        self.offered_since.extend(gone.chain(new).map(|offered| (offered.address, now)));
        if self.offered_since.len() > bounds::VIPS_MAX {
            let topics = self.table.topics();
            self.offered_since.retain(|address, _| topics.contains_key(address));
        }
    }

    /// This host heard of these lately; that it heard of nobody any more is told once.
    pub(super) fn set_neighbours(&mut self, neighbours: Vec<Neighbour>) {
        let before = core::mem::replace(&mut self.neighbours, neighbours);
        if !before.is_empty() || !self.neighbours.is_empty() {
            self.tell_neighbours();
        }
    }

    /// Tells those who have come whom this host heard of.
    fn share_neighbours(&mut self) {
        if !self.neighbours.is_empty() {
            self.tell_neighbours();
        }
    }

    fn tell_neighbours(&mut self) {
        if self.settings.share_neighbours {
            self.say(Said::Neighbours(self.neighbours.clone()));
        }
    }

    /// Another member's neighbours are to learn of moves, too; those of one that has left in particular, since what it had
    /// moves.
    fn on_neighbours(&mut self, now: Instant, sender: MemberId, neighbours: Vec<Neighbour>) {
        if Some(sender) == self.own || !self.settings.share_neighbours {
            return;
        }
        let hosts = neighbours
            .into_iter()
            .map(|(address, mac, _)| (address, mac))
            .take(bounds::HOSTS_OF_INTEREST_MAX);
        self.interest.insert(sender, (now, hosts.collect()));
        let is_here = |member: &MemberId| self.nodes.contains(member);
        self.interest.retain(|member, (at, _)| is_here(member) || now.since(*at) < REMEMBERED);
        while self.interest.len() > bounds::NODES_MAX {
            let left = self.interest.iter().filter(|(member, _)| !is_here(member));
            let Some(oldest) = left.min_by_key(|(_, (at, _))| *at).map(|(member, _)| *member) else { break };
            self.interest.remove(&oldest);
        }
        let all = self.interest.values().flat_map(|(_, hosts)| hosts).copied().collect::<BTreeMap<_, _>>();
        self.emit(Output::HostsOfInterest(all.into_iter().take(bounds::HOSTS_OF_INTEREST_MAX).collect()));
    }

    fn refresh_moving(&mut self, now: Instant) {
        let moving = self.table.topics().iter().filter(|(_, topic)| topic.handover.is_some());
        let moving = moving.map(|(address, _)| *address).collect::<Vec<_>>();
        self.refresh(now, moving.into_iter());
    }

    pub(super) fn epoch(&self) -> Option<u64> {
        self.view.as_ref().map(|view| view.epoch)
    }

    /// Returns what would change if a node were gone, of what comes here.
    pub(super) fn inheritance(&self, member: MemberId) -> Vec<Change> {
        let heirs = self.table.heirs(member).into_iter();
        heirs.filter(|change| change.to.is_some() && change.to == self.own).collect()
    }
}

/// How long the neighbours of a member that has left are remembered. chosen: longer than anybody waits for a lease or for
/// an operator; hosts that are gone by then are told in vain, which costs a frame each.
const REMEMBERED: Span = Span::from_secs(600);
