//! Whether this node has what its table says: confirmed by all others, after anything that may have cost it that.
//!
//! The question travels in the agreed order, and only whoever is in the same view answers. Whoever has taken something
//! over said so before it agrees; so when all have agreed, all that was taken over is known here. Who agrees takes
//! nothing over for the time of a lease ([`promise`]); the half of it may pass until all have agreed, the other half
//! until the kernel may answer ([`agreement`]): whatever happens meanwhile to this node, and whoever forms a view
//! without it, it answers before anybody may find its addresses unanswered for.
//!
//! [`promise`]: Holder::promise
use super::{Holder, Output, Want};
use crate::{
    group::bus::MemberId,
    time::Instant,
    vip::{Event, lease::agreement},
    wire::vip::Said,
};
use alloc::collections::BTreeSet;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Confirm {
    /// This node's kernel may answer.
    pub(super) firm: bool,
    /// What the keeper of the lease may be allowed; 0 before it said.
    generation: u64,
    /// Enough others are heard.
    contact: bool,
    number: u64,
    /// When that was asked.
    asked: Instant,
    /// Who has not agreed to the latest question; none while nothing is asked.
    missing: Option<BTreeSet<MemberId>>,
}

impl Confirm {
    /// Others are there: what was asked of those before means nothing.
    pub(super) fn restart(&mut self) {
        self.missing = None;
    }
}

impl Holder {
    /// The kernel must not answer any more for what this node has.
    pub(super) fn yield_lease(&mut self) {
        self.confirm.missing = None;
        if core::mem::take(&mut self.confirm.firm) {
            self.emit(Output::Event(Event::Fenced));
        }
        self.emit(Output::Forbid);
    }

    pub(super) fn on_lease(&mut self, now: Instant, generation: u64, contact: bool) {
        if generation != self.confirm.generation && core::mem::take(&mut self.confirm.firm) {
            self.emit(Output::Event(Event::Fenced));
        }
        if generation != self.confirm.generation {
            self.confirm.missing = None;
        }
        (self.confirm.generation, self.confirm.contact) = (generation, contact);
        self.ask_if_need_be(now);
    }

    /// Asks all others, if this node may have anything and does not know whether it has.
    pub(super) fn ask_if_need_be(&mut self, now: Instant) {
        let (Some(own), Some(epoch), None) = (self.own, self.epoch(), &self.exchange) else { return };
        let Confirm { firm, generation, contact, missing, .. } = &self.confirm;
        let is_enough = self.is_enough();
        if *firm || missing.is_some() || *generation == 0 || !contact || !is_enough {
            return;
        }
        // What it lost must be silent here before its kernel may answer for the rest.
        let still_open = self.locals.values().any(|local| local.may_be_held && local.ordered != Want::Held);
        if still_open || !self.table.seats().contains_key(&own) {
            return;
        }
        self.confirm.number += 1;
        self.confirm.asked = now;
        self.confirm.missing = Some(self.nodes.clone());
        self.say(Said::Ask { epoch, number: self.confirm.number });
    }

    /// Somebody asks; whoever asks agrees with itself, at its place in the order.
    pub(super) fn on_ask(&mut self, now: Instant, sender: MemberId, number: u64) {
        self.table.welcome(sender);
        self.promise(now, sender);
        if self.own.is_some() {
            self.say(Said::Agree { to: sender, number });
        }
    }

    pub(super) fn on_agree(&mut self, now: Instant, sender: MemberId, to: MemberId, number: u64) {
        if Some(to) != self.own || number != self.confirm.number {
            return;
        }
        let Some(missing) = &mut self.confirm.missing else { return };
        missing.remove(&sender);
        if !missing.is_empty() {
            return;
        }
        self.confirm.missing = None;
        if now.since(self.confirm.asked) > agreement(self.settings.lease) {
            // It came late, and so may have what has happened since.
            return self.ask_if_need_be(now);
        }
        self.confirm.firm = true;
        self.emit(Output::Allow(self.confirm.generation));
        self.emit(Output::Event(Event::Confirmed));
        // Whoever asked meanwhile got no answer.
        self.emit(Output::Announce(alloc::vec::Vec::new()));
    }

    /// That member lost everything, and gets nothing until it says that it is back.
    pub(super) fn on_taken_over(&mut self, now: Instant, member: MemberId) {
        self.table.take_over(member);
        if Some(member) == self.own {
            self.yield_lease();
            self.ask_if_need_be(now);
        }
    }
}
