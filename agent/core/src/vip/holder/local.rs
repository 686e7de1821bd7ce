//! One address on this host: what it was ordered to be, what it is, and what it is to be next.
use super::{Holder, Made, Output, Phase, Want};
use crate::{time::Instant, vip::Event, wire::vip::Said};
use alloc::{string::String, vec::Vec};
use core::net::IpAddr;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Local {
    pub(super) ordered: Want,
    /// The number of that order.
    order: u64,
    pub(super) made: Want,
    /// Nothing is under way: what is made is of the latest order.
    is_settled: bool,
    /// It is held, or an order to hold it is or was under way that another has replaced.
    pub(super) may_be_held: bool,
    /// Why it is not what it was ordered to be.
    pub(super) failed: Option<String>,
    /// When what failed is tried again.
    pub(super) retry_at: Option<Instant>,
    pub(super) linger_until: Option<Instant>,
    /// Since when it has this owner.
    pub(super) owner_since: Instant,
    /// What was said of the move under way.
    told: Option<Phase>,
}

impl Local {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            ordered: Want::Absent,
            order: 0,
            made: Want::Absent,
            is_settled: true,
            may_be_held: false,
            failed: None,
            retry_at: None,
            linger_until: None,
            owner_since: now,
            told: None,
        }
    }

    /// It has another owner.
    pub(super) fn changed(&mut self, now: Instant) {
        self.owner_since = now;
        self.told = None;
        self.linger_until = None;
    }
}

impl Holder {
    /// Returns what an address is to be on this host now.
    fn desired(&self, address: IpAddr, local: &Local) -> Want {
        if let Some(want) = self.anticipated(address) {
            return want;
        }
        let topic = self.table.topics().get(&address);
        let (Some(topic), Some(own)) = (topic, self.own) else {
            // On no bus: what is here stays, and is silent; the lease is over.
            return local.ordered.min(Want::Silent);
        };
        let standby =
            self.table.is_formed() && self.settings.stands_by(address) && topic.candidates.contains(&own);
        match (topic.owner == Some(own), topic.handover) {
            (true, Some(handover)) if handover.phase == Phase::Releasing => Want::Silent,
            (true, _) if self.is_closed(address) => Want::Silent,
            (true, _) => Want::Held,
            (false, Some(handover)) if handover.to == own => Want::Silent,
            (false, _) if local.linger_until.is_some() || standby => Want::Silent,
            (false, _) => Want::Absent,
        }
    }

    /// Brings some addresses in line with the table.
    pub(super) fn refresh(&mut self, now: Instant, addresses: impl Iterator<Item = IpAddr>) {
        let mut wants = Vec::new();
        for address in addresses {
            let Some(local) = self.locals.get(&address) else { continue };
            let want = self.desired(address, local);
            let Some(local) = self.locals.get_mut(&address) else { continue };
            let is_due = local.retry_at.is_none_or(|at| at <= now);
            if want != local.ordered || (local.failed.is_some() && is_due) {
                (local.ordered, local.failed, local.retry_at) = (want, None, None);
                (local.order, local.is_settled) = (self.orders + 1, false);
                local.may_be_held |= want == Want::Held;
                wants.push((address, want));
            }
        }
        if !wants.is_empty() {
            self.orders += 1;
            self.emit(Output::Make { order: self.orders, wants });
        }
        self.tell();
    }

    pub(super) fn refresh_all(&mut self, now: Instant) {
        let all = self.locals.keys().copied().collect::<Vec<_>>();
        self.refresh(now, all.into_iter());
    }

    pub(super) fn on_made(&mut self, now: Instant, made: Vec<Made>) {
        let (mut unable, mut held) = (Vec::new(), Vec::new());
        for Made { address, order, now: is, failed } in made {
            let Some(local) = self.locals.get_mut(&address) else { continue };
            (local.made, local.is_settled) = (is, order >= local.order);
            local.may_be_held &= is == Want::Held || !local.is_settled;
            held.extend((is == Want::Held).then_some(address));
            if failed.is_none() {
                (local.failed, local.retry_at) = (None, None);
            }
            if let Some(why) = failed {
                if local.failed.is_none() {
                    unable.push(address);
                    self.outputs.push_back(Output::Event(Event::Failed { address, why: why.clone() }));
                }
                local.failed = Some(why);
                let retry_at = now + self.settings.retry;
                local.retry_at = Some(retry_at);
                let due = self.locals_due.get_or_insert(retry_at);
                *due = retry_at.min(*due);
            }
        }
        self.able(unable, false);
        self.now_held(now, &held);
        self.tell();
        self.ask_if_need_be(now);
    }

    /// Says ready and released where it is so and was not said.
    pub(super) fn tell(&mut self) {
        let Some(own) = self.own.filter(|_| self.exchange.is_none() && self.moving) else { return };
        let (mut ready, mut released) = (Vec::new(), Vec::new());
        let under_way = self
            .table
            .topics()
            .iter()
            .filter_map(|(address, topic)| Some((address, topic.owner, topic.handover?)));
        for (address, owner, handover) in under_way {
            let Some(local) = self.locals.get_mut(address) else { continue };
            match handover.phase {
                Phase::Preparing
                    if handover.to == own
                        && local.is_settled
                        && local.made >= Want::Silent
                        && local.told.is_none() =>
                {
                    local.told = Some(Phase::Preparing);
                    ready.push(*address);
                }
                Phase::Releasing
                    if owner == Some(own) && !local.may_be_held && local.told != Some(Phase::Releasing) =>
                {
                    local.told = Some(Phase::Releasing);
                    released.push(*address);
                }
                Phase::Preparing | Phase::Releasing => {}
            }
        }
        if !ready.is_empty() {
            self.say(Said::Ready(ready));
        }
        if !released.is_empty() {
            self.say(Said::Released(released));
        }
    }

    /// Looks whether anything moves: what is said of moves is looked for only then.
    pub(super) fn look_for_moves(&mut self) {
        self.moving = self.table.topics().values().any(|topic| topic.handover.is_some());
    }

    /// Forgets what was said of moves: the table is another one.
    pub(super) fn untell(&mut self) {
        self.locals.values_mut().for_each(|local| local.told = None);
    }

    /// A device lost its carrier, or has it again: what is on it cannot be held, or can.
    pub(super) fn on_link(&mut self, interface: &str, up: bool) {
        let on_it = self.settings.interfaces.iter().filter(|(_, own)| &***own == interface);
        let addresses = on_it.map(|(address, _)| *address).collect::<Vec<_>>();
        self.able(addresses, up);
    }

    /// Tells all what this node can hold, or not, if that is news.
    pub(super) fn able(&mut self, mut addresses: Vec<IpAddr>, able: bool) {
        addresses.retain(|address| self.unable.contains(address) == able);
        if addresses.is_empty() {
            return;
        }
        for address in &addresses {
            if able {
                self.unable.remove(address);
            } else {
                self.unable.insert(*address);
            }
        }
        self.say(Said::Able { able, addresses });
    }
}
