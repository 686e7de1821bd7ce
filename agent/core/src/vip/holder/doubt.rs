//! Nodes that fell silent, and what comes here if they are dead.
//!
//! ```text
//!   doubted: what comes here is put on the host, silent; the wire is asked
//!     missing, and the wire silent --> held here; all are told; the view follows
//!     missing, and the wire answers --> its host lives: the wire is asked again, until its lease has run out
//!   heard --> trusted; what was prepared is undone
//! ```
use super::{Holder, Output, Want};
use crate::{
    group::bus::MemberId,
    time::{Instant, Span},
    vip::{
        Change, Event, Ghost,
        inquest::{Inquest, State},
    },
    wire::{arp::Mac, vip::Said},
};
use alloc::{collections::BTreeSet, sync::Arc, vec::Vec};
use core::net::IpAddr;

/// One node that fell silent.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    name: Arc<str>,
    since: Instant,
    is_missing: bool,
    /// What comes here if it is dead.
    heir_of: BTreeSet<IpAddr>,
    /// What of it is not held here yet.
    unheld: BTreeSet<IpAddr>,
    /// When all of it was.
    held_at: Option<Instant>,
    /// It is held here already; the others have been told and may not know yet.
    taken: bool,
}

/// An address for which somebody answers who is none of us, or whom nobody knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contest {
    again: Instant,
    pub(super) mac: Mac,
}

impl Holder {
    pub(super) fn on_doubt(&mut self, now: Instant, name: &str, silent: Span, is_missing: bool) {
        let Some(member) = self.table.named(name).filter(|member| self.nodes.contains(member)) else {
            return;
        };
        if Some(member) == self.own || self.exchange.is_some() || self.leave_by.is_some() {
            return;
        }
        if let Some(doubt) = self.doubts.get_mut(&member) {
            doubt.is_missing |= is_missing;
        } else {
            let heir_of =
                self.inheritance(member).iter().map(|change| change.address).collect::<BTreeSet<_>>();
            if heir_of.is_empty() {
                return;
            }
            let moving = |address: &IpAddr| self.table.topics()[address].handover.is_some();
            let heir_of = heir_of.into_iter().filter(|address| !moving(address)).collect::<BTreeSet<_>>();
            let since = Instant::from_ns(now.as_ns().saturating_sub(silent.as_ns()));
            let name = name.into();
            let unheld = heir_of.clone();
            let (taken, held_at) = (false, None);
            let doubt = Doubt { name, since, is_missing, heir_of, unheld, held_at, taken };
            let addresses = doubt.heir_of.iter().copied().collect::<Vec<_>>();
            self.doubts.insert(member, doubt);
            self.probe(now, Ghost::Of(member), &addresses);
            self.refresh(now, addresses.into_iter());
        }
        self.take_if_dead(now, member);
    }

    pub(super) fn on_heard(&mut self, now: Instant, name: &str, epoch: u64) {
        self.note_lively(now, name, Some(epoch));
        let named = self.doubts.iter().find(|(_, doubt)| doubt.name.eq_ignore_ascii_case(name));
        let Some(member) = named.map(|(member, _)| *member).or_else(|| self.table.named(name)) else {
            return;
        };
        if let Some(doubt) = self.doubts.remove(&member) {
            self.refresh(now, doubt.heir_of.into_iter());
        }
        if self.nodes.contains(&member) && !self.closed().any(|(_, ghost)| ghost == Ghost::Of(member)) {
            self.inquests.remove(&Ghost::Of(member));
        }
    }

    /// Doubts of those who are gone, or fenced, have led to what they could.
    pub(super) fn drop_settled_doubts(&mut self) {
        let mut doubts = core::mem::take(&mut self.doubts);
        doubts.retain(|member, _| self.is_here(*member));
        self.doubts = doubts;
    }

    /// Returns what an address is to be because its owner may be dead; none if that is not why.
    pub(super) fn anticipated(&self, address: IpAddr) -> Option<Want> {
        // Only for as long as the table says that it is the doubted node's.
        let topic = self.table.topics().get(&address)?;
        let doubt = self.doubts.get(&topic.owner?)?;
        if !doubt.heir_of.contains(&address) || topic.handover.is_some() {
            return None;
        }
        Some(if doubt.taken { Want::Held } else { Want::Silent })
    }

    /// Takes over what a node had, if it is missing and the wire is silent.
    fn take_if_dead(&mut self, now: Instant, member: MemberId) {
        let Some(doubt) = self.doubts.get(&member).filter(|doubt| doubt.is_missing && !doubt.taken) else {
            return;
        };
        if !self.confirm.firm || self.barred(now, Ghost::Of(member)).is_some() || self.exchange.is_some() {
            return;
        }
        let addresses = doubt.heir_of.iter().copied().collect::<Vec<_>>();
        match self.inquests.get(&Ghost::Of(member)) {
            Some(inquest) if inquest.is_silent(now) => {}
            Some(Inquest { state: State::Asking(_) | State::Alive(_), .. }) => return,
            // It was silent some time ago, or nobody asked.
            Some(Inquest { state: State::Silent(_), .. }) | None => {
                return self.probe(now, Ghost::Of(member), &addresses);
            }
        }
        if let Some(doubt) = self.doubts.get_mut(&member) {
            doubt.taken = true;
        }
        let node = self.name(member);
        self.emit(Output::Event(Event::TakenOver { node, count: addresses.len() }));
        self.refresh(now, addresses.into_iter());
        self.say(Said::TakeOver(member));
    }

    /// Tells whether an address that this node has waits until nobody else answers for it.
    pub(super) fn is_closed(&self, address: IpAddr) -> bool {
        let topic = self.table.topics().get(&address);
        topic.is_some_and(|topic| topic.ghost.is_some() && topic.owner == self.own)
            && !self.opened.contains(&address)
    }

    /// The addresses that wait, and for whom.
    fn closed(&self) -> impl Iterator<Item = (IpAddr, Ghost)> {
        let own = self.own;
        let ghosts = self.table.topics().iter().filter(move |(_, topic)| own.is_some() && topic.owner == own);
        let ghosts = ghosts.filter_map(|(address, topic)| Some((*address, topic.ghost?)));
        ghosts.filter(|(address, _)| !self.opened.contains(address))
    }

    /// What came here and was asked for a moment ago, or is held already, waits for nothing.
    pub(super) fn open_what_is_known(&mut self, now: Instant, changes: &[Change]) {
        let mut opened = Vec::new();
        for Change { address, .. } in changes.iter().filter(|change| self.is_closed(change.address)) {
            let Some(Ghost::Of(member)) = self.table.topics()[address].ghost else { continue };
            let held =
                self.doubts.get(&member).is_some_and(|doubt| doubt.taken && doubt.heir_of.contains(address));
            let silent = self.inquests.get(&Ghost::Of(member)).is_some_and(|inquest| inquest.is_silent(now));
            if held || (silent && !self.is_here(member) && self.barred(now, Ghost::Of(member)).is_none()) {
                opened.push(*address);
            }
        }
        self.opened(opened);
    }

    fn opened(&mut self, addresses: Vec<IpAddr>) {
        self.opened.extend(addresses.iter().copied());
        for address in &addresses {
            self.contested.remove(address);
        }
        if !addresses.is_empty() {
            self.say(Said::Opened(addresses));
        }
    }

    /// Asks the wire for what waits for it, unless it is being asked.
    pub(super) fn inquire(&mut self, now: Instant) {
        let mut wanted = alloc::collections::BTreeMap::<_, Vec<IpAddr>>::new();
        let waits = |address: &IpAddr| self.contested.get(address).is_some_and(|contest| contest.again > now);
        let goes_on = |ghost: &Ghost| self.inquests.get(ghost).is_some_and(Inquest::goes_on);
        for (address, ghost) in self.closed().filter(|(_, ghost)| !goes_on(ghost)) {
            if ghost == Ghost::Anyone && waits(&address) {
                continue;
            }
            wanted.entry(ghost).or_default().push(address);
        }
        for (ghost, addresses) in wanted {
            self.probe(now, ghost, &addresses);
        }
    }

    /// Begins an inquest.
    pub(super) fn probe(&mut self, now: Instant, ghost: Ghost, addresses: &[IpAddr]) {
        self.inquests.insert(ghost, Inquest::new(now, ghost, addresses));
        self.ask_wire(now, ghost);
    }

    pub(super) fn on_probed(&mut self, now: Instant, id: u64, asked: bool, answered: Option<(IpAddr, Mac)>) {
        let found = self.inquests.iter().find(|(_, inquest)| inquest.state == State::Asking(id));
        let Some(ghost) = found.map(|(ghost, _)| *ghost) else { return };
        let barred = self.barred(now, ghost);
        let Some(inquest) = self.inquests.get_mut(&ghost) else { return };
        inquest.take(now, asked, answered);
        if let Some(until) = barred.filter(|_| inquest.is_silent(now)) {
            inquest.state = State::Alive(until);
        }
        let long = |since| now > since + self.settings.lease + TELL;
        let tell = !inquest.told && inquest.alive_since.is_some_and(long);
        inquest.told |= tell;
        let silent = inquest.is_silent(now);
        if let (true, Some((address, mac))) = (tell, answered) {
            let node = match ghost {
                Ghost::Of(member) => self.name(member),
                Ghost::Anyone => "whoever had it".into(),
            };
            self.emit(Output::Event(Event::StillAnswers { node, address, mac }));
        }
        if let (Ghost::Anyone, Some((address, mac))) = (ghost, answered) {
            self.contest(now, address, mac);
        }
        if let Ghost::Of(member) = ghost
            && self.is_here(member)
        {
            self.take_if_dead(now, member);
        }
        // Also of one that is back meanwhile: the wire tells that it has let go.
        if silent {
            self.open(now, ghost);
        }
    }

    /// Tells whether a member is in the view and not known to be fenced: nothing it has is taken without its being told.
    pub(super) fn is_here(&self, member: MemberId) -> bool {
        self.nodes.contains(&member) && self.table.seats().get(&member).is_some_and(|seat| !seat.fenced)
    }

    /// Nobody answers for what that member had: what came here from it may be opened.
    fn open(&mut self, now: Instant, ghost: Ghost) {
        let Some(inquest) = self.inquests.get(&ghost) else { return };
        // One host answers for all it has, or for nothing; several may differ.
        let asked = |address: &IpAddr| ghost != Ghost::Anyone || inquest.sample.contains(address);
        let opened = self.closed().filter(|(_, of)| *of == ghost).map(|(address, _)| address).filter(asked);
        let opened = opened.collect::<Vec<_>>();
        self.opened(opened.clone());
        self.refresh(now, opened.into_iter());
        if ghost == Ghost::Anyone {
            self.inquests.remove(&ghost);
            self.inquire(now);
        }
    }

    /// Somebody answers for an address, nobody knows who: it waits, the others are asked for without it.
    fn contest(&mut self, now: Instant, address: IpAddr, mac: Mac) {
        self.inquests.remove(&Ghost::Anyone);
        let since = now + CONTESTED_AGAIN;
        if self.contested.insert(address, Contest { again: since, mac }).is_none() {
            self.emit(Output::Event(Event::StillAnswers { node: "an unknown host".into(), address, mac }));
        }
        self.inquire(now);
    }

    /// Asks again where it is time, and drops what nobody waits for.
    pub(super) fn inquests_due(&mut self, now: Instant) {
        let mut contested = core::mem::take(&mut self.contested);
        contested.retain(|address, _| self.is_closed(*address));
        self.contested = contested;
        let is_due = self.contested.values().any(|contest| contest.again <= now);
        if is_due && !self.inquests.contains_key(&Ghost::Anyone) {
            self.inquire(now);
        }
        if self.inquests.is_empty() && self.doubts.is_empty() {
            return;
        }
        let waited_for = self.closed().map(|(_, ghost)| ghost).collect::<BTreeSet<_>>();
        let Self { inquests, doubts, .. } = self;
        inquests.retain(|ghost, inquest| {
            let doubted = matches!(ghost, Ghost::Of(member) if doubts.contains_key(member));
            // What was found out a moment ago may still be asked for.
            doubted || inquest.is_silent(now) || waited_for.contains(ghost)
        });
        let due = inquests.iter().filter(|(_, inquest)| inquest.ask_at().is_some_and(|at| at <= now));
        let due = due.map(|(ghost, _)| *ghost).collect::<Vec<_>>();
        for ghost in due {
            self.ask_wire(now, ghost);
        }
        let over = self.promises.extract_if(.., |_, until| *until <= now).map(|(member, _)| member);
        for member in over.collect::<Vec<_>>() {
            self.take_if_dead(now, member);
        }
    }

    /// Returns when [`inquests_due`](Self::inquests_due) has something to do.
    pub(super) fn inquests_deadline(&self) -> Option<Instant> {
        let again = self.inquests.values().filter_map(Inquest::ask_at);
        let asking = self.inquests.contains_key(&Ghost::Anyone);
        let contested = self.contested.values().map(|contest| contest.again).filter(|_| !asking);
        let promises = self.promises.iter().filter(|(member, _)| self.doubts.contains_key(member));
        again.chain(promises.map(|(_, until)| *until)).chain(contested).min()
    }

    /// These are held now: when that is all that came here from a node that fell silent, the outage is over.
    pub(super) fn now_held(&mut self, now: Instant, held: &[IpAddr]) {
        let mut over = None;
        for doubt in self.doubts.values_mut().filter(|doubt| doubt.taken && !doubt.unheld.is_empty()) {
            for address in held {
                doubt.unheld.remove(address);
            }
            if doubt.unheld.is_empty() {
                doubt.held_at = Some(now);
                over = Some(over.unwrap_or(doubt.since).min(doubt.since));
            }
        }
        if let (Some(since), Some(own)) = (over, self.own) {
            let own = self.name(own);
            self.history.held(&own, since, now);
        }
    }

    /// Returns for how long nobody answered for what comes here, if it was all held before the members agreed on it.
    pub(super) fn outage(&self, from: Option<MemberId>, to: Option<MemberId>) -> Option<Span> {
        let doubt = self.doubts.get(&from?).filter(|_| to.is_some() && to == self.own)?;
        Some(doubt.held_at?.since(doubt.since))
    }
}

/// Pause before an address for which a stranger answers is asked for again.
const CONTESTED_AGAIN: Span = Span::from_ms(500);
/// How long beyond the lease a host may answer before the operator is told.
const TELL: Span = Span::from_secs(1);
