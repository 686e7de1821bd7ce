//! What the address thread shares with the others: orders to it, events from it, and figures.
use super::{Event, Made, Order};
use crate::{host::gate::Dropped, sys::wake::Wake};
use convoy_core::bounds;
use crossbeam_channel::{Receiver, Sender, TrySendError};
use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The other threads' end of the address thread.
#[derive(Clone, Debug)]
pub struct Link {
    mail: Sender<Mail>,
    events: Receiver<Event>,
    nudge: Wake,
    board: Arc<Mutex<Snapshot>>,
}

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Mail {
    Order(Order),
    Stop,
}

/// Figures of the thread. Counters, since it started, unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Addresses that are managed. Gauge.
    pub managed: usize,
    /// Frames that announced addresses. Each took two system calls.
    pub announced: u64,
    /// Announcements that could not be sent, because a link was down or gone.
    pub unsent: u64,
    /// Hosts of interest that are not told, for there are too many. Gauge.
    pub untold: usize,
    /// Messages to the kernel with changes of addresses.
    pub slices: u64,
    /// The longest time that one of them took, nanoseconds.
    pub slice_ns_max: u64,
    /// Times the kernel dropped notifications, for which a survey made up.
    pub overruns: u64,
    /// Events that found no room; see `ADDRESS_EVENTS_WAITING_MAX`.
    pub dropped: u64,
    /// What the gate dropped.
    pub gate: Dropped,
}

impl Link {
    pub(super) fn new(mail: Sender<Mail>, events: Receiver<Event>, nudge: Wake) -> Self {
        Self { mail, events, nudge, board: Arc::default() }
    }

    /// Gives an order; never waits.
    ///
    /// # Errors
    /// The order, when as many wait as may or the thread has ended; give it again later.
    pub fn order(&self, order: Order) -> Result<(), Order> {
        let sent = self.mail.try_send(Mail::Order(order));
        self.nudge.wake();
        sent.map_err(|error| match error.into_inner() {
            Mail::Order(order) => order,
            Mail::Stop => unreachable!("it was an order"),
        })
    }

    /// Returns what the thread tells, newest last.
    pub fn events(&self) -> &Receiver<Event> {
        &self.events
    }

    /// Returns the figures.
    pub fn snapshot(&self) -> Snapshot {
        *self.board()
    }

    /// Tells the thread something, however long that takes; nothing when it has ended.
    pub(super) fn mail(&self, mail: Mail) {
        self.nudge.wake();
        if self.mail.send(mail).is_err() {
            tracing::debug!("the address thread has ended before");
        }
        self.nudge.wake();
    }

    /// Tells whether no order waits.
    pub(super) fn is_quiet(&self) -> bool {
        self.mail.is_empty()
    }

    /// Returns what wakes the thread.
    pub(super) fn nudge(&self) -> &Wake {
        &self.nudge
    }

    /// Returns the figures to be written.
    pub(super) fn board(&self) -> MutexGuard<'_, Snapshot> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Events on their way out. What finds no room in the queue waits here.
#[derive(Debug)]
pub(super) struct Outbox {
    events: Sender<Event>,
    wake: Wake,
    made: BTreeMap<IpAddr, Made>,
    others: VecDeque<Event>,
    dropped: u64,
}

impl Outbox {
    pub(super) fn new(events: Sender<Event>, wake: Wake) -> Self {
        Self { events, wake, made: BTreeMap::new(), others: VecDeque::new(), dropped: 0 }
    }

    /// Tells what became of an address, in place of what was to be told of it before.
    pub(super) fn made(&mut self, made: Made) {
        self.made.insert(made.address, made);
    }

    /// Tells something else.
    pub(super) fn tell(&mut self, event: Event) {
        if self.others.len() >= bounds::ADDRESS_EVENTS_WAITING_MAX {
            // An end of a probe is waited for; there are no more of them than probes.
            let is_spare = |event: &Event| !matches!(event, Event::Probed { .. });
            if let Some(at) = self.others.iter().position(is_spare) {
                self.others.remove(at);
                self.dropped += 1;
            }
        }
        self.others.push_back(event);
    }

    /// Hands on what there is room for.
    pub(super) fn flush(&mut self) {
        let mut sent = false;
        while let Some(event) = self.others.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => sent = true,
                Err(TrySendError::Full(event)) => {
                    self.others.push_front(event);
                    break;
                }
                Err(TrySendError::Disconnected(_)) => return self.clear(),
            }
        }
        if !self.made.is_empty() && self.others.is_empty() {
            let made = std::mem::take(&mut self.made);
            match self.events.try_send(Event::Made(made.into_values().collect())) {
                Ok(()) => sent = true,
                Err(TrySendError::Full(Event::Made(made))) => {
                    self.made = made.into_iter().map(|made| (made.address, made)).collect();
                }
                Err(_) => return self.clear(),
            }
        }
        if sent {
            self.wake.wake();
        }
    }

    /// Tells whether something waits.
    pub(super) fn waits(&self) -> bool {
        !(self.made.is_empty() && self.others.is_empty())
    }

    /// Returns the number of events that were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Nobody reads any more.
    fn clear(&mut self) {
        self.made.clear();
        self.others.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_core::vip::Want;
    use crossbeam_channel::bounded;
    use std::net::Ipv4Addr;

    fn made(now: Want) -> Made {
        Made { address: Ipv4Addr::LOCALHOST.into(), order: 1, now, failed: None }
    }

    #[test]
    fn what_waits_is_replaced_by_what_is_newer_and_goes_out_when_there_is_room() {
        let (sender, receiver) = bounded(1);
        let mut outbox = Outbox::new(sender, Wake::new().unwrap());
        outbox.tell(Event::Trouble("first".into()));
        outbox.flush();
        outbox.made(made(Want::Silent));
        outbox.flush();
        outbox.made(made(Want::Held));
        outbox.flush();
        assert!(outbox.waits());
        assert_eq!(receiver.recv(), Ok(Event::Trouble("first".into())));
        outbox.flush();
        assert_eq!(receiver.recv(), Ok(Event::Made(vec![made(Want::Held)])));
        assert!(!outbox.waits());
    }

    #[test]
    fn the_end_of_a_probe_is_never_dropped() {
        let (sender, receiver) = bounded(bounds::ADDRESS_EVENTS_WAITING_MAX);
        let mut outbox = Outbox::new(sender, Wake::new().unwrap());
        outbox.tell(Event::Probed { id: 1, found: super::super::Found::Silence });
        for number in 0..=bounds::ADDRESS_EVENTS_WAITING_MAX {
            outbox.tell(Event::Trouble(number.to_string()));
        }
        outbox.flush();
        assert!(matches!(receiver.try_recv(), Ok(Event::Probed { id: 1, .. })));
        assert_eq!(outbox.dropped(), 2);
    }
}
