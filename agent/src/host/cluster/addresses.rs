//! The cluster thread's end of the address thread: orders out, what became of them in.
//!
//! Orders are never dropped: what finds no room waits here and goes with the next turn.
use super::Cluster;
use crate::{
    host::{
        address::{self, Found, Order},
        control::shape,
        heartbeat,
    },
    sys::wake::Wake,
};
use convoy_core::{
    node::Input,
    time::Instant,
    vip::{self, Event, Output},
    wire::vip::Neighbour,
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    time::Duration,
};

/// See the module.
pub(super) struct Addresses {
    /// None where nothing is managed.
    link: RefCell<Option<address::Link>>,
    heartbeats: heartbeat::Link,
    waiting: RefCell<VecDeque<Order>>,
    /// This node has handed over what it had.
    left: Cell<bool>,
    /// Events are told in detail.
    debug: Cell<bool>,
    /// Who this host heard of lately, and when it said so.
    neighbours: RefCell<(Instant, Vec<Neighbour>)>,
    /// Wakes this thread.
    wake: Wake,
}

impl Addresses {
    pub(super) fn new(link: Option<address::Link>, heartbeats: heartbeat::Link, wake: Wake) -> Self {
        Self {
            link: RefCell::new(link),
            heartbeats,
            waiting: RefCell::default(),
            left: Cell::new(false),
            debug: Cell::new(false),
            neighbours: RefCell::default(),
            wake,
        }
    }

    /// Addresses are managed from now on.
    pub(super) fn set_link(&self, link: Option<address::Link>) {
        if let Some(link) = link {
            *self.link.borrow_mut() = Some(link);
        }
    }

    /// Returns the thread's figures; none where nothing is managed.
    pub(super) fn snapshot(&self) -> Option<address::Snapshot> {
        self.link.borrow().as_ref().map(address::Link::snapshot)
    }

    /// Returns who this host heard of lately on the links of managed addresses: seconds since are of that instant.
    pub(super) fn neighbours(&self) -> (Instant, Vec<Neighbour>) {
        self.neighbours.borrow().clone()
    }

    /// Tells events in detail, or not.
    pub(super) fn set_debug(&self, on: bool) {
        self.debug.set(on);
    }

    /// Tells, once, that this node has handed over what it had.
    pub(super) fn take_left(&self) -> bool {
        self.left.take()
    }

    pub(super) fn carry_out(&self, output: Output) {
        match output {
            Output::Make { order, wants } => self.order(Order::Make { order, wants }),
            Output::Probe { id, addresses, controls, every, lasting } => {
                let (every, until) =
                    (Duration::from_nanos(every.as_ns()), Duration::from_nanos(lasting.as_ns()));
                self.order(Order::Probe { id, addresses, controls, every, until });
            }
            Output::HostsOfInterest(hosts) => self.order(Order::HostsOfInterest(hosts)),
            Output::Announce(addresses) => self.order(Order::Announce(addresses)),
            Output::Allow(generation) => self.heartbeats.allow(generation),
            Output::Forbid => self.heartbeats.allow(0),
            Output::Event(event) => self.tell(&event),
            Output::Left => {
                self.left.set(true);
                self.wake.wake();
            }
            Output::Say(_) => unreachable!("the node says it on the bus"),
        }
    }

    fn order(&self, order: Order) {
        self.waiting.borrow_mut().push_back(order);
        self.hand_on();
    }

    /// Gives the address thread what waits, as far as it takes it.
    fn hand_on(&self) {
        let link = self.link.borrow();
        let mut waiting = self.waiting.borrow_mut();
        let Some(link) = &*link else { return waiting.clear() };
        while let Some(order) = waiting.pop_front() {
            if let Err(order) = link.order(order) {
                return waiting.push_front(order);
            }
        }
    }

    /// Tells the operator's log.
    fn tell(&self, event: &Event) {
        match event {
            Event::Moved { first, from, to, count } => {
                let [from, to] = [from, to].map(|name| name.as_deref().unwrap_or("nobody"));
                tracing::info!(from, to, count, first = %first.address, cause = %first.cause, "managed addresses moved");
            }
            Event::TakenOver { node, count } => {
                tracing::warn!(%node, count, "it fell silent and nobody answers for its addresses; they are taken over");
            }
            Event::StillAnswers { node, address, mac } => {
                let mac = shape::vip::mac(*mac);
                tracing::warn!(
                    %address, mac,
                    "{node} still answers for it; this node waits until nobody does: find the host with that link \
                     address and take the address off it"
                );
            }
            Event::Fenced if self.debug.get() => {
                tracing::info!("this node answers for no managed address for now");
            }
            Event::Fenced => tracing::debug!("this node answers for no managed address for now"),
            Event::Confirmed => tracing::debug!("all members agree that this node has what it has"),
            Event::Failed { address, why } => tracing::error!(%address, "cannot hold it here: {why}"),
        }
    }
}

impl Cluster {
    /// Feeds the node with what the address thread has done and seen.
    pub(super) fn take_from_addresses(&self) {
        let addresses = &self.agreed.addresses;
        loop {
            let event = {
                let link = addresses.link.borrow();
                let Some(link) = &*link else { return };
                match link.events().try_recv() {
                    Ok(event) => event,
                    Err(_) => break,
                }
            };
            self.take_address_event(event);
        }
        addresses.hand_on();
    }

    fn take_address_event(&self, event: address::Event) {
        let feed = |input| self.mesh.feed(Input::Vip(input));
        match event {
            address::Event::Made(made) => feed(vip::Input::Made(made)),
            address::Event::Probed { id, found } => {
                let (asked, answered) = match found {
                    Found::Answer { address, mac } => (true, Some((address, mac))),
                    Found::Silence => (true, None),
                    Found::Unsure(why) => {
                        tracing::debug!(id, "the wire could not be asked: {why}");
                        (false, None)
                    }
                };
                feed(vip::Input::Probed { id, asked, answered });
            }
            address::Event::Conflict { address, mac } => {
                let mac = shape::vip::mac(mac);
                tracing::warn!(%address, mac, "another host claims it while it is held here; see: convoy vip show");
                self.agreed.addresses.order(Order::Announce(vec![address]));
            }
            address::Event::Link { interface, up } => {
                tracing::info!(%interface, up, "link of managed addresses");
                feed(vip::Input::Link { interface: &interface, up });
            }
            address::Event::Vanished { address } => {
                tracing::warn!(%address, "somebody removed it from this host; it is put back");
            }
            address::Event::Restored { address } => tracing::info!(%address, "it is back"),
            address::Event::Hook { address, phase, failed: Some(why) } => {
                tracing::warn!(%address, %phase, "its hook failed: {why}");
            }
            address::Event::Hook { address, phase, failed: None } => {
                tracing::debug!(%address, %phase, "its hook has run");
            }
            address::Event::Trouble(text) => tracing::error!("{text}"),
            address::Event::Neighbours(neighbours) => {
                self.agreed.addresses.neighbours.replace((self.mesh.now(), neighbours.clone()));
                feed(vip::Input::Neighbours(neighbours));
            }
        }
    }
}
