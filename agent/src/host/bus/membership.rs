//! One membership: a connection to corosync, what it delivers as events, and messages going out until corosync has enough.
//!
//! Corosync is watched by this process's own messages: one that delivers none for a while, although asked for one every
//! second, is taken for stopped. Time counts as this thread lives it, so a host that stood still accuses nobody.
use super::{
    changes::Changes,
    pending::{Pending, Purpose},
    shared::{Queues, Spell},
};
use crate::sys::cpg::{Connection, Delivery, Error as CpgError, Process};
use convoy_core::{
    group::bus::{Configuration, Event, MemberId},
    time::Span,
};
use std::{
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

/// See the module.
#[derive(Debug)]
pub(super) struct Membership {
    connection: Connection,
    own: MemberId,
    spell: Spell,
    changes: Changes,
    /// Corosync has taken the wish to join.
    asked: bool,
    /// Seconds, as this thread lived them, without a message of our own.
    quiet: u32,
    /// Seconds of its life, counted the same way.
    age: u32,
    next_second: Instant,
    /// Messages that corosync did not take yet, or not deliver.
    pending: Pending,
    /// The last delivery was the change that made this process a member.
    entered: bool,
}

/// Why a membership is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The connection is of no use any more.
    #[error(transparent)]
    Cpg(#[from] CpgError),
    /// Nothing has come for so many seconds.
    #[error("corosync has delivered nothing for {0} s: it is stopped, or its host is overloaded")]
    Wedged(u32),
    /// It became a member in the middle of a change of nodes. Rare and harmless.
    #[error(
        "this process joined in the middle of a change of nodes and may have missed messages; it joins again"
    )]
    Midway,
}

impl Membership {
    /// Begins one over a new connection; it is not joined yet.
    pub(super) fn new(connection: Connection, own: MemberId, spell: Spell) -> Self {
        Self {
            connection,
            own,
            spell,
            changes: Changes::new(own),
            asked: false,
            quiet: 0,
            age: 0,
            next_second: Instant::now() + SECOND,
            pending: Pending::default(),
            entered: false,
        }
    }

    /// Returns this process's name, if it has been told that it is a member.
    pub(super) fn told_as(&self) -> Option<MemberId> {
        self.changes.is_member().then_some(self.own)
    }

    /// Returns its age in seconds.
    pub(super) fn age(&self) -> u32 {
        self.age
    }

    /// Returns the descriptor that is readable when corosync has something, unless there is no room for it.
    pub(super) fn fd(&self, queues: &Queues) -> Option<BorrowedFd<'_>> {
        queues.shared.events.has_room().then(|| self.connection.as_fd())
    }

    /// Gives the connection up, to a corosync that does not answer.
    pub(super) fn abandon(mut self, queues: &Queues) {
        self.drop_messages(queues);
        self.connection.abandon();
    }

    /// Ends it: this process leaves the group, if corosync still is there.
    pub(super) fn end(mut self, queues: &Queues) {
        self.drop_messages(queues);
    }

    /// Talks to corosync: joins `group`, takes what it delivers, gives it what is to be sent. Returns how long it may be
    /// until the next time if nothing happens.
    pub(super) fn converse(&mut self, group: &str, token: Span, queues: &Queues) -> Result<Duration, Broken> {
        if !self.asked {
            self.asked = not_now(self.connection.join(group))?.is_some();
        }
        let taken = self.take(queues);
        if matches!(taken, Ok(Taken { any: true, .. }) | Err((true, _))) {
            queues.shared.wake.wake();
        }
        let more = taken.map_err(|(_, error)| error)?.more;
        let sending = self.send(queues)?;
        // Nothing is taken while the user does not poll, so silence says nothing then.
        if queues.shared.events.has_room() && self.next_second <= Instant::now() {
            self.next_second = Instant::now() + SECOND;
            self.second(wedged_after(token), queues)?;
        }
        Ok(match sending {
            _ if more => Duration::ZERO,
            Sending::More => Duration::ZERO,
            Sending::Held => SEND_AGAIN,
            Sending::Done if !self.asked => JOIN_AGAIN,
            Sending::Done => SECOND,
        })
    }

    /// Another second has passed.
    fn second(&mut self, wedged_after: u32, queues: &Queues) -> Result<(), Broken> {
        self.quiet += 1;
        self.age = self.age.saturating_add(1);
        if self.quiet >= wedged_after {
            return Err(Broken::Wedged(wedged_after));
        }
        if self.changes.is_member() && self.quiet > 1 {
            let probe = self.pending.end(Purpose::Probe);
            probe.map_or(Ok(None), |end| not_now(self.connection.multicast([&[], &end])))?;
        }
        // The end of a change is overdue; corosync's order of things is another than we know.
        if self.changes.is_pending() {
            let told = self.changes.settle();
            if self.tell(told, queues) {
                queues.shared.wake.wake();
            }
        }
        Ok(())
    }

    /// Takes some deliveries, as long as the user's queue has room. An error comes with whether there were any before.
    fn take(&mut self, queues: &Queues) -> Result<Taken, (bool, Broken)> {
        let mut any = false;
        for _ in 0..DELIVERIES_MAX {
            if !queues.shared.events.has_room() {
                return Ok(Taken { any, more: false });
            }
            match self.connection.dispatch() {
                Ok(Some(delivery)) => match self.deliver(delivery, queues) {
                    Ok(delivered) => any |= delivered,
                    Err(broken) => return Err((any, broken)),
                },
                Ok(None) => return Ok(Taken { any, more: false }),
                Err(error) => return Err((any, error.into())),
            }
        }
        Ok(Taken { any, more: true })
    }

    /// Turns a delivery into events; tells whether there are any.
    fn deliver(&mut self, delivery: Delivery, queues: &Queues) -> Result<bool, Broken> {
        tracing::trace!(?delivery, "corosync delivers");
        let was_member = self.changes.is_member();
        let told = match &delivery {
            Delivery::Change { members, left, by_nodes } => {
                let members = members.iter().copied().map(member).collect();
                self.changes.change(members, left.iter().copied().map(member), *by_nodes)
            }
            Delivery::Ring { nodes, .. } => self.changes.ring(nodes.iter().copied()),
            // None is delivered in the middle of a change.
            Delivery::Message { .. } => Vec::new(),
        };
        let any = self.tell(told, queues);
        let entered = std::mem::replace(&mut self.entered, !was_member && self.changes.is_member());
        match delivery {
            Delivery::Change { .. } => Ok(any),
            Delivery::Ring { ring, .. } => {
                // The ring that holds at a join is told beside it. If that is told of again, it was not in force yet: the
                // others went by the one before, and this process passed over what was sent in that.
                let known = !self.pending.enter(ring);
                if known && was_member && !entered { Err(Broken::Midway) } else { Ok(any) }
            }
            Delivery::Message { sender, bytes } => Ok(self.message(member(sender), bytes, queues) || any),
        }
    }

    /// Takes a message; tells whether it is the user's.
    fn message(&mut self, sender: MemberId, mut bytes: Vec<u8>, queues: &Queues) -> bool {
        let is_own = sender == self.own;
        if is_own {
            self.quiet = 0;
        }
        // Others in the group that do not speak this, and probes, end here.
        if !self.pending.read(&mut bytes) || !self.changes.is_member() {
            return false;
        }
        if is_own && let Some(len) = self.pending.came_back() {
            // The event wakes the user in any case.
            queues.shared.out.remove(len);
        }
        queues.tell(self.spell, self.own, Event::Message { sender, payload: bytes });
        true
    }

    fn tell(&self, told: Vec<Configuration>, queues: &Queues) -> bool {
        let any = !told.is_empty();
        if any {
            queues.shared.set_state(|state| (state.connected, state.trouble) = (true, None));
        }
        for configuration in told {
            queues.tell(self.spell, self.own, Event::Configuration(configuration));
        }
        any
    }

    /// Gives corosync what waits, until it has enough.
    fn send(&mut self, queues: &Queues) -> Result<Sending, Broken> {
        let Some(end) = self.pending.end(Purpose::User) else { return Ok(Sending::Done) };
        for _ in 0..SENDS_MAX {
            let Some(message) = self.pending.next().or_else(|| queues.outgoing.try_recv().ok()) else {
                return Ok(Sending::Done);
            };
            if message.spell != self.spell {
                queues.forget(message.payload.len());
                continue;
            }
            match not_now(self.connection.multicast([&message.payload, &end])) {
                Ok(Some(())) => self.pending.sent(message),
                Ok(None) => {
                    self.pending.put_back(message);
                    return Ok(Sending::Held);
                }
                Err(error) => {
                    self.pending.put_back(message);
                    return Err(error.into());
                }
            }
        }
        Ok(Sending::More)
    }

    /// What was to be sent belongs to the membership that ends.
    fn drop_messages(&mut self, queues: &Queues) {
        self.pending.forget().for_each(|len| queues.forget(len));
        queues.forget_outgoing();
    }
}

/// What became of taking deliveries.
struct Taken {
    /// There are events.
    any: bool,
    /// There may be more.
    more: bool,
}

/// What became of the messages that wait.
enum Sending {
    /// There are none.
    Done,
    /// There may be more.
    More,
    /// Corosync has enough for now.
    Held,
}

/// Gives nothing where corosync only says that it is busy.
fn not_now<T>(result: Result<T, CpgError>) -> Result<Option<T>, CpgError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(CpgError::TryAgain) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Seconds without a message of our own after which corosync is taken for stopped.
fn wedged_after(token: Span) -> u32 {
    let token = token.times(4).as_ms().div_ceil(1_000);
    u32::try_from(token).unwrap_or(u32::MAX).saturating_add(WEDGED_AFTER)
}

fn member(process: Process) -> MemberId {
    MemberId { host: process.node, process: process.id }
}

const SECOND: Duration = Duration::from_secs(1);
/// chosen: an earlier membership of this process ends within a turn of the ring.
const JOIN_AGAIN: Duration = Duration::from_millis(5);
/// chosen: corosync takes some hundred messages in a millisecond.
const SEND_AGAIN: Duration = Duration::from_millis(1);
/// Beside four token times. chosen: forming a ring of 32 takes 12 s at most.
const WEDGED_AFTER: u32 = 15;
/// Deliveries in one look, before messages are sent.
const DELIVERIES_MAX: usize = 256;
/// Messages sent in one look, before deliveries are taken.
const SENDS_MAX: usize = 64;
