//! What is due by time alone: elections, balancing, lingering addresses, another try.
use super::{Holder, Output};
use crate::{time::Instant, vip::Balance, wire::vip::Said};
use alloc::vec::Vec;
use core::net::IpAddr;

impl Holder {
    /// Returns when to call [`handle`](Self::handle) with [`Input::Timeout`](super::Input::Timeout) if nothing else
    /// happens.
    pub fn next_deadline(&self) -> Option<Instant> {
        let led = self.leads().then(|| {
            let mature = self.view_since + self.settings.mature;
            let elect = (!self.elected && self.called == 0).then_some(mature);
            elect.into_iter().chain(self.balance_at.filter(|_| self.elected)).min()
        });
        let broadcast = self.broadcast_at.filter(|_| self.view.is_some());
        let leave = self.leave_by.filter(|_| !self.left);
        let rest = [led.flatten(), broadcast, leave, self.inquests_deadline()];
        self.locals_due.into_iter().chain(rest.into_iter().flatten()).min()
    }

    /// Tells whether this node is the one that calls elections.
    pub(super) fn leads(&self) -> bool {
        let leader = self.view.as_ref().and_then(|view| view.leader()).map(|leader| leader.id);
        leader.is_some() && leader == self.own && self.exchange.is_none() && self.is_enough()
    }

    pub(super) fn on_time(&mut self, now: Instant) {
        self.lead(now);
        self.broadcast(now);
        self.inquests_due(now);
        if self.locals_due.is_some_and(|at| at <= now) {
            self.end_lingering(now);
        }
        self.leave_if_done(now);
    }

    /// Addresses that have lingered go, and those that failed are tried again.
    fn end_lingering(&mut self, now: Instant) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let late = self.locals.iter().filter(|(_, local)| due(local.linger_until) || due(local.retry_at));
        let late = late.map(|(address, _)| *address).collect::<Vec<IpAddr>>();
        let mut again = Vec::new();
        for address in &late {
            let Some(local) = self.locals.get_mut(address) else { continue };
            local.linger_until = local.linger_until.filter(|at| *at > now);
            if due(local.retry_at) {
                again.push(*address);
            }
        }
        if !late.is_empty() {
            self.refresh(now, late.into_iter());
        }
        self.able(again, true);
        let waits = self.locals.values().flat_map(|local| [local.linger_until, local.retry_at]);
        self.locals_due = waits.flatten().min();
    }

    /// The leader's part: elections when the view is mature, then balancing.
    fn lead(&mut self, now: Instant) {
        let Some(epoch) = self.view.as_ref().map(|view| view.epoch).filter(|_| self.leads()) else { return };
        if !self.elected && self.called != epoch && now >= self.view_since + self.settings.mature {
            self.called = epoch;
            self.say(Said::Elect { epoch });
        }
        if self.is_to_balance(now) && self.settings.balance_by == Balance::Addresses {
            self.balance_at = Some(now + self.settings.balance_interval);
            if !self.table.is_even() {
                self.say(Said::Balance { epoch, most: self.settings.balance_set });
            }
        }
    }

    /// Tells whether it is time to look whether loads are even.
    pub(super) fn is_to_balance(&self, now: Instant) -> bool {
        self.elected && self.balance_at.is_none_or(|at| at <= now)
    }

    fn broadcast(&mut self, now: Instant) {
        let Some(interval) = self.settings.broadcast.filter(|_| self.view.is_some()) else { return };
        match self.broadcast_at {
            Some(at) if at > now => return,
            Some(_) => self.report(0),
            None => {}
        }
        self.broadcast_at = Some(now + interval);
    }

    /// A node that leaves does so when it has nothing that another could take.
    fn leave_if_done(&mut self, now: Instant) {
        let Some(by) = self.leave_by.filter(|_| !self.left) else { return };
        let told = self.own.and_then(|own| self.table.seats().get(&own)).is_none_or(|seat| seat.leaving);
        let moving =
            |address: &IpAddr| self.table.topics().get(address).is_some_and(|topic| topic.handover.is_some());
        let open = self.locals.iter().any(|(address, local)| local.may_be_held && moving(address));
        let own = self.own;
        let giving = self
            .table
            .topics()
            .values()
            .any(|topic| topic.owner.is_some() && topic.owner == own && topic.handover.is_some());
        if now >= by || (told && self.exchange.is_none() && !open && !giving) {
            self.left = true;
            self.emit(Output::Left);
        }
    }
}
